"""The text of docs/passes.md: the passes' docstrings and options, in the order of the pipeline."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import MISSING, dataclass, fields

from xdsl.passes import ModulePass
from xdsl.utils.hints import type_repr

from . import PASSES
from .stages import REASONS, STAGES

_HEAD = """\
# Passes

*This page is generated: `python -m tilewright.passes > docs/passes.md`.*

One line a level; each pass has one file or folder in `passes/` and does one thing. Run one by
`tilewright-opt program.mlir -p 'name{{option=value}}'` ([opt.md](opt.md)); levels are described in
[levels.md](levels.md). `encode` (`passes/encode.py`) is not a pass: it turns the last level into
words and tables.

{table}
"""


def passes_page() -> str:
    """The whole page."""
    rows = [
        f"| {level} | {', '.join(f'[{name}](#{name})' for name in names)} |"
        for level, names in STAGES.items()
    ]
    parts = [
        _HEAD.format(table="\n".join(["| level | passes that lead to it |", "|---|---|", *rows]))
    ]
    ordered = [name for names in STAGES.values() for name in names]
    parts += [_section(name) for name in ordered]
    parts.append("## Outside of the pipeline\n")
    parts += [_section(name, "###") for name in PASSES if name not in ordered]
    return "\n".join(parts)


def _section(name: str, heading: str = "##") -> str:
    """One pass: its module's docstring, why it stands where it does, its options."""
    pass_type = PASSES[name]()
    lines = [f"{heading} {name}", "", pass_text(pass_type), ""]
    if name in REASONS:
        lines += [f"**Order.** {REASONS[name]}", ""]
    options = pass_options(pass_type)
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {_code(one.default)} | {one.meaning} |" for one in options]
        lines.append("")
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def pass_text(pass_type: type[ModulePass]) -> str:
    """What a pass says of itself, or nothing.

    A module that holds one pass, as in this folder, speaks for it; where it holds several their
    classes do.
    """
    module = sys.modules[pass_type.__module__]
    passes = [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, ModulePass)
        and one.__module__ == module.__name__
    ]
    about = module.__doc__ or ""
    own = pass_type.__doc__ or ""
    if own.startswith(f"{pass_type.__name__}("):
        own = ""  # What `dataclass` writes where there is none.
    text = (about or own) if len(passes) == 1 else (own or about)
    text = inspect.cleandoc(text).removeprefix(f"{pass_type.name}: ")
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Option:
    """An option of a pass: a field of its dataclass."""

    name: str
    """As it is written in `-p`."""
    type: str
    default: str
    """As text; empty where there is none, or None."""
    meaning: str
    """The string literal below the field; empty where there is none."""


def pass_options(pass_type: type[ModulePass]) -> list[Option]:
    """The options of a pass, of this project or another, in the order of their fields."""
    meanings = _descriptions(pass_type)
    return [
        Option(
            field.name.replace("_", "-"),
            type_repr(field.type) if not isinstance(field.type, str) else field.type,
            "" if field.default in (None, MISSING) else str(field.default),
            meanings.get(field.name, ""),
        )
        for field in fields(pass_type)
        if field.init and field.name != "name"
    ]


def _descriptions(pass_type: type[ModulePass]) -> dict[str, str]:
    """Field -> the string literal below it, base classes first."""
    found: dict[str, str] = {}
    for kind in reversed(pass_type.__mro__):
        if kind is not object and issubclass(kind, ModulePass):
            found |= literals_below_fields(kind)
    return found


def literals_below_fields(kind: type) -> dict[str, str]:
    """Field of a dataclass -> the string literal below it, on one line."""
    try:
        (body,) = ast.parse(inspect.cleandoc(inspect.getsource(kind))).body
    except (OSError, TypeError, SyntaxError):  # Made without a file, or within a function.
        return {}
    found: dict[str, str] = {}
    if not isinstance(body, ast.ClassDef):
        return found
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
