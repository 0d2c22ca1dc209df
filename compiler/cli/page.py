"""docs/cli.md, from the commands: `python -m tilewright.compiler.cli.page > docs/cli.md`."""

import inspect
import typing
from collections.abc import Callable
from itertools import groupby
from typing import Any

from .app import COMMANDS

HEAD = """# The command line

Written by `python -m tilewright.compiler.cli.page`; a test compares it with the commands.

Results go to standard output; notices, progress bars and errors to standard error. What the input
is to blame for is one line `error: ...` and exit status 2.

The tests run the examples from top to bottom in a folder that holds this repository's `samples/`: a
later one finds what an earlier one wrote.
"""

NOT_RUN = {
    "demo": "tests/e2e/test_demo.py runs it",
    "smollm2": "it downloads 92 MB; tests/e2e/test_smollm2.py runs the model",
    "explore samples": "docs/explore.md runs others like it",
    "time samples": "the README runs others like it",
    "prompt.txt": "with a text of yours",
    "bisect": "docs/bisect.md runs it",
    "sweep": "the README runs one like it",
    "gui": "it needs a terminal; tests/unit/opt/test_terminal.py opens it without one",
    "warmup": "it compiles the emulator again; .ci/run runs it",
}
"""Examples that hold the word are not run on the page, for this reason."""


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


def why_not_run(example: str) -> str:
    """Why the page's tests leave an example out; nothing where they run it."""
    reasons = [reason for words, reason in NOT_RUN.items() if words in example]
    return reasons[0] if reasons else ""


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
    for reason, some in groupby(shown.splitlines(), why_not_run):
        asks = f" no-run: {reason}" if reason else ""
        parts.append("\n".join([f"```sh{asks}", *some, "```"]))
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(name, function) for name, function in COMMANDS)])


if __name__ == "__main__":
    print(page(), end="")
