"""The text of docs/passes.md: the passes' docstrings and options, in the order of the pipeline."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import MISSING, Field, fields
from typing import Any

from xdsl.passes import ModulePass

from . import PASSES
from .stages import REASONS, STAGES

_HEAD = """\
# Passes

*This page is generated: `python -m tilewright.passes > docs/passes.md`.*

One line a level; each pass has one file in `passes/` and does one thing. Run one by
`tilewright-opt program.mlir -p 'name{{option=value}}'`; levels are described in
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
    parts.append("# Passes outside of the pipeline\n")
    parts += [_section(name) for name in PASSES if name not in ordered]
    return "\n".join(parts)


def _section(name: str) -> str:
    """One pass: its module's docstring, why it stands where it does, its options."""
    pass_type = PASSES[name]()
    module = sys.modules[pass_type.__module__]
    text = inspect.cleandoc(module.__doc__ or "").removeprefix(f"{name}: ")
    lines = [f"## {name}", "", text[0].upper() + text[1:], ""]
    if name in REASONS:
        lines += [f"**Order.** {REASONS[name]}", ""]
    described = _descriptions(pass_type)
    options = [field for field in fields(pass_type) if field.name in described]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [_row(field, described[field.name]) for field in options]
        lines.append("")
    return "\n".join(lines)


def _row(field: Field[Any], text: str) -> str:
    default = "" if field.default in (None, MISSING) else f"`{field.default}`"
    return f"| `{field.name.replace('_', '-')}` | {default} | {text} |"


def _descriptions(pass_type: type[ModulePass]) -> dict[str, str]:
    """Option -> the string literal below its field."""
    (body,) = ast.parse(inspect.getsource(pass_type)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
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
