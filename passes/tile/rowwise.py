"""Kernels of one op on rows: a norm, a softmax, an elementwise op, rows picked by an index.

Rows come from main memory and go back there; the vector unit does all the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Attribute, SSAValue

from ...dialects import tile
from .activations import ACTIVATIONS
from .emitter import Emitter, Index
from .norm import LayerNorm, Norm, emit_layer_norm, emit_norm, load_gamma_beta
from .tiles import Tile


@dataclass(frozen=True)
class Softmax:
    """Softmax of each of `heads` equal groups of columns."""

    heads: int


@dataclass(frozen=True)
class Function:
    """f of each element: an activation, or a function that the vector unit has."""

    f: str


@dataclass(frozen=True)
class Combine:
    """x op y; y is rows of region @name (`tensor`) or a parameter, a value a column (`vector`)."""

    op: str
    kind: Literal["tensor", "vector"]
    name: str
    element: Attribute
    layered: bool = False


RowOp = Norm | LayerNorm | Softmax | Function | Combine | None
"""What is done to the rows; None copies them."""

DIRECT = ("neg", "abs", "exp", "tanh", "sigmoid", "rsqrt")
"""Functions of tg.unary that are one function of the vector unit."""


@dataclass(frozen=True)
class RowWise:
    """What the emission needs of one op on rows."""

    source: str
    element: Attribute
    """Element type of the source's region."""
    columns: int
    index: str | None
    """Rows are picked by the indices in this region, or taken in order."""
    count: str
    """The launch parameter that counts the rows."""
    op: RowOp
    output: str
    result: Attribute


@dataclass(frozen=True)
class Block:
    """A block of rows: most rows, the first one, and how many there are."""

    size: int
    first: Index
    count: Index


def emit_row_wise(e: Emitter, kernel: RowWise, size: Tile, layer: Sequence[Index]) -> None:
    """A loop over blocks of rows: load, compute, store."""
    shape = (size.rows, kernel.columns)
    held = _held(e, kernel, layer)
    total = e.scalar(kernel.count)
    with e.cuts(total, size.rows) as (first, count):
        x = e.buffer(shape, kernel.element, "x", "rows")
        if kernel.index is None:
            e.load(kernel.source, [first, 0], [count, kernel.columns], x)
        else:
            e.add(tile.GatherOp(kernel.source, kernel.index, first, e.value(count), x))
        out = e.buffer(shape, kernel.result, "out", "out")
        _compute(e, kernel, layer, held, x, out, Block(size.rows, first, count))
        e.store(out, kernel.output, [first, 0], [count, kernel.columns])


def _compute(
    e: Emitter,
    kernel: RowWise,
    layer: Sequence[Index],
    held: Sequence[SSAValue],
    x: SSAValue,
    out: SSAValue,
    block: Block,
) -> None:
    count = block.count
    match kernel.op:
        case Norm() as norm:
            emit_norm(e, norm, layer, x, out, count)
        case LayerNorm(eps=eps):
            gamma, beta = held
            emit_layer_norm(e, eps, (gamma, beta), x, out, count)
        case Softmax() as softmax:
            rows, columns = tile.shape_of(x)
            groups = (rows, softmax.heads, columns // softmax.heads)
            emit_softmax(e, e.reshape(x, groups), e.reshape(out, groups), count)
        case Function() as function:
            _function(e, function.f, x, out, count)
        case Combine() as combine:
            y = held[0] if held else _rows_of_other(e, kernel, combine, block)
            e.vec("id", x, op=(combine.op, y), to=out, rows=count)
        case None:
            e.vec("id", x, to=out, rows=count)


def emit_softmax(
    e: Emitter,
    x: SSAValue,
    to: SSAValue,
    rows: Index,
    cols: Index | None = None,
    band: tuple[tile.Band, tile.Band] | None = None,
) -> None:
    """Softmax of the last axis of x, [rows, groups, columns], into `to`: three passes.

    `band` hides columns from the maximum and from the exponentials.
    """
    *lines, columns = tile.shape_of(x)
    first, second = band if band is not None else (None, None)
    top = e.buffer((*lines, 1), Float32Type(), "top")
    total = e.buffer((*lines, 1), Float32Type(), "total")
    chance = e.buffer((*lines, columns), Float32Type(), "chance")
    e.vec("id", x, reduce=("max", top), rows=rows, cols=cols, band=first)
    e.vec("neg", top, to=top, rows=rows)
    e.vec("exp", x, None, top, to=chance, reduce=("sum", total), rows=rows, cols=cols, band=second)
    e.vec("reciprocal", total, to=total, rows=rows)
    e.vec("id", chance, total, to=to, rows=rows, cols=cols)


def _function(e: Emitter, f: str, x: SSAValue, out: SSAValue, count: Index) -> None:
    if f in DIRECT:
        e.vec(f, x, to=out, rows=count)
    elif f == "square":
        e.vec("id", x, x, to=out, rows=count)
    elif ACTIVATIONS[f][1] == 1:
        ACTIVATIONS[f][0](e, x, out, count)
    else:
        # Its steps read what they wrote, which must not be rounded between them.
        work = e.buffer(tile.shape_of(x), Float32Type(), "work")
        ACTIVATIONS[f][0](e, x, work, count)
        e.vec("id", work, to=out, rows=count)


def _held(e: Emitter, kernel: RowWise, layer: Sequence[Index]) -> tuple[SSAValue, ...]:
    """Parameters that all blocks read; the slots are held over the loop."""
    match kernel.op:
        case LayerNorm() as norm:
            return load_gamma_beta(e, norm, layer, kernel.columns)
        case Combine(kind="vector", name=name, layered=layered):
            return (e.parameter(name, layer if layered else (), (1, kernel.columns), "y"),)
        case _:
            return ()


def _rows_of_other(e: Emitter, kernel: RowWise, combine: Combine, block: Block) -> SSAValue:
    """The second operand's rows."""
    y = e.buffer((block.size, kernel.columns), combine.element, "y", "residual")
    e.load(combine.name, [block.first, 0], [block.count, kernel.columns], y)
    return y
