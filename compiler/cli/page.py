"""docs/cli.md, from the commands: `python -m tilewright.compiler.cli.page > docs/cli.md`."""

import inspect
import typing
from collections.abc import Callable
from typing import Any

from .app import COMMANDS

HEAD = """# The command line

Written by `python -m tilewright.compiler.cli.page`; a test compares it with the commands.

Results go to standard output; notices, progress bars and errors to standard error. What the input
is to blame for is one line `error: ...` and exit status 2.
"""


def spelling(name: str, info: Any) -> str:
    """How an option is written on the command line."""
    # In an annotation, typer keeps the first spelling where a default would otherwise stand.
    first = (info.default,) if isinstance(info.default, str) else ()
    declared: tuple[str, ...] = (*first, *(info.param_decls or ()))
    return ", ".join(declared) or "--" + name.replace("_", "-")


def default_text(value: object, info: Any) -> str:
    """The default in words; nothing for a switch that is off or an option that may be left out."""
    if value is inspect.Parameter.empty:
        return " Required." if type(info).__name__ == "OptionInfo" else ""
    if value in (None, False, ""):
        return ""
    return f" Default: `{'on' if value is True else value}`."


def section(name: str, function: Callable[..., Any]) -> str:
    """One command: what it does, how it is written, its arguments and options, examples."""
    text, _, examples = inspect.cleandoc(function.__doc__ or "").partition("\b\nExamples:")
    hints = typing.get_type_hints(function, include_extras=True)
    arguments: list[str] = []
    lines: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        infos = getattr(hints[parameter.name], "__metadata__", ())
        if not infos:
            continue
        (info,) = infos
        default = default_text(parameter.default, info)
        if type(info).__name__ == "ArgumentInfo":
            word = parameter.name.upper()
            required = parameter.default is inspect.Parameter.empty
            arguments.append(word if required else f"[{word}]")
            lines.append(f"- `{word}`: {info.help}{default}")
        else:
            lines.append(f"- `{spelling(parameter.name, info)}`: {info.help}{default}")
    usage = " ".join(["tilewright", name, *arguments, "[OPTIONS]"])
    parts = [f"## {name}", text.strip(), f"```\n{usage}\n```"]
    if lines:
        parts.append("\n".join(lines))
    shown = inspect.cleandoc(examples) if examples else ""
    if shown:
        parts.append(f"```sh no-run: with your files\n{shown}\n```")
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(name, function) for name, function in COMMANDS)])


if __name__ == "__main__":
    print(page(), end="")
