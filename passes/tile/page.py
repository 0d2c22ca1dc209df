"""The text of docs/supported-ops.md: graph ops, what lowers each, formats, what is refused.

Printed by `python -m tilewright.passes.tile.page`.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

from xdsl.ir import Operation

from ...backend.formats import FORMATS
from ...dialects import tg
from ...dialects.text import TextOp
from .. import choose_formats, choose_panels, fuse, merge, policy
from ..stages import STAGES
from . import describe_rows, heads, kernels, regions, rowwise
from .activations import ACTIVATIONS
from .alone import ROW_OPS

_HEAD = """\
<!-- Made by `python -m tilewright.passes.tile.page > docs/supported-ops.md`; a test compares. -->
# Supported graph ops

What a graph may be made of, what each op becomes, and what is refused. What an op means and how it
is written: [dialects.md](dialects.md). How to add one: [add-an-op.md](add-an-op.md).
"""

DECLARATIONS = (tg.GlobalOp, tg.ScalarOp, tg.TableOp)
"""Ops of a module, not of its function: they keep name and form."""
FRAMES = (tg.FusedOp, tg.YieldOp)
"""What `fuse` makes."""
STEPS = (tg.ScoresOp, tg.MixOp)
"""What `expand-attention` makes."""

_BEFORE_TILE = tuple(level for level in STAGES if level in ("graph", "fused", "packed"))
_CHECKED = (fuse, merge, choose_formats, choose_panels, regions, describe_rows, kernels, heads)
"""Modules that see graph ops and may refuse them."""
_LOCATED = re.compile(r"^\{located\(\w+\)\}: ")


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_ops(), *_functions(), *_formats(), *_refusals()]).rstrip() + "\n"


def levels_of(kind: type[Operation]) -> tuple[str, ...]:
    """The levels at which an op of the dialect may stand; `input` of the compiler is `graph`."""
    if kind in DECLARATIONS or kind is tg.GetOp:
        return tuple(level for level in STAGES if level != "isa" or kind is not tg.GetOp)
    return _BEFORE_TILE[1:] if kind in FRAMES else _BEFORE_TILE


def _ops() -> Iterator[str]:
    yield "## Ops\n"
    yield (
        "*Kernel* is what `fuse` does: anchor, one with what stands around it; alone, always one\n"
        "by itself; rows, one by itself where no other takes it in; heads, joined with the other\n"
        "ops of heads; epilogue, taken in behind a matmul. With `compile --unfused` each op is\n"
        "one by itself. The pass that lowers is `tile`, in the file of `passes/tile/` that is\n"
        "named.\n"
    )
    rows = [
        (f"`{kind.name}`", _kernel(kind), _lowering(kind), ", ".join(levels_of(kind)))
        for kind in tg.Tg.operations
    ]
    yield _table(("op", "kernel", "lowered by", "levels"), rows)


def _kernel(kind: type[Operation]) -> str:
    """What `fuse` does with an op, by its tables."""
    said = [
        word
        for word, kinds in (
            ("alone", fuse.ANCHORS),
            ("rows", (*fuse.ROWWISE, tg.TakeOp)),
            ("heads", fuse.HEADWISE),
            ("epilogue", fuse.ELEMENTWISE),
        )
        if issubclass(kind, kinds)
    ]
    return "anchor" if kind is tg.MatmulOp else ", ".join(said)


def _lowering(kind: type[Operation]) -> str:
    """Who lowers an op: by the tables of `tile`, and a word where there is none."""
    if kind in DECLARATIONS:
        return "stays; `encode` writes it"
    if kind is tg.GetOp:
        return "stays; `select` makes `ldp` of it"
    files = {
        tg.MatmulOp: "`linear.py`",
        tg.EmbedOp: "`rows.py`",
        tg.AttentionOp: "`attention.py`; `expand-attention` makes three ops of it",
        **dict.fromkeys(STEPS, "`steps.py`"),
        tg.WeightOp: "with the op that reads it",
        tg.InputOp: "with the op that reads it",
        tg.OutputOp: "with the op that makes it",
        tg.FusedOp: "`kernels.py` describes it",
        tg.YieldOp: "`regions.py`",
    }
    if kind in files:
        return files[kind]
    tables = (
        ("rowwise.py", ROW_OPS),
        ("steps.py", (tg.SoftmaxOp,)),
        ("heads.py", fuse.HEADWISE),
        ("linear.py", (*fuse.ELEMENTWISE, tg.RmsNormOp, tg.TakeOp)),
    )
    return ", ".join(f"`{file}`" for file, kinds in tables if kind in kinds)


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    direct, written = rowwise.DIRECT, ACTIVATIONS
    rows = [
        (
            f"`tg.unary {f}`",
            f"one function of the vector unit: `vec f={f}`"
            if f in direct
            else f"`activations.py`, steps: {written[f][1]}"
            if f in written
            else "`vec`, a product",
            "yes" if f in written else "no",
        )
        for f in tg.UNARY
    ]
    rows += [(f"`tg.binary {op}`", f"`vec op={op}`", "yes") for op in tg.BINARY]
    yield _table(("function", "becomes", "taken in behind a matmul"), rows)


def _formats() -> Iterator[str]:
    yield "## Formats\n"
    yield (
        "Of parameters, in memory ([formats.md](formats.md)). Rows between kernels are float32,\n"
        "or the policy's operand type where matmuls and attention alone read them.\n"
    )
    rows = [
        (
            f"`{name}`",
            "codes; the scales are a factor behind the matmul" if row.channel_scale else "yes",
            "no" if row.channel_scale else "yes",
            ", ".join(
                f"{one.name}: `{one.weights.get(name, name)}`" for one in policy.POLICIES.values()
            ),
        )
        for name, row in FORMATS.items()
    ]
    yield _table(("format", "of a matmul", "of gathered rows", "stored under policy"), rows)


def _refusals() -> Iterator[str]:
    yield "## What is refused\n"
    yield "Messages begin with the op and its place; `{...}` is what was found there.\n"
    yield "### By the ops themselves\n"
    rows = [
        (f"`{kind.name}`", f"`{text}`")
        for kind in tg.Tg.operations
        if issubclass(kind, TextOp)
        for text in messages(inspect.getsource(kind), "VerifyException")
    ]
    yield _table(("op", "message"), rows)
    yield "### By passes\n"
    found = [
        (f"`{_path(module)}`", f"`{text}`")
        for module in _CHECKED
        for text in messages(inspect.getsource(module), "PassError")
    ]
    yield _table(("file", "message"), found)


def _path(module: ModuleType) -> str:
    return module.__name__.split(".", 1)[1].replace(".", "/") + ".py"


def messages(source: str, error: str) -> Iterator[str]:
    """The messages of one kind of error that source text raises, names in braces."""
    for node in ast.walk(ast.parse(inspect.cleandoc(source))):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[text, *_]) if name == error:
                said = _LOCATED.sub("", " ".join(_text(text).split()))
                yield said.replace("|", "\\|").replace("`", "'")
            case _:
                pass


def _text(node: ast.expr) -> str:
    """A string or f-string; the name of what is put in, in braces."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_text, parts))
        case ast.FormattedValue(value=value):
            return "{" + ast.unparse(value) + "}"
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
        case _:
            return "{" + ast.unparse(node) + "}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
