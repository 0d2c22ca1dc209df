"""The steps of an attention as kernels of their own: scores, softmax of what a row sees, mixing.

All three loop over sequences, query heads and blocks of rows. Scores of a head are [rows,
positions of the cache]; columns from the sequence's length on are never touched.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xdsl.ir import Attribute

from ...dialects import tile
from .attention import MASKED
from .emitter import Emitter, Index
from .rowwise import RowWise, emit_row_wise, emit_softmax
from .sequences import Rows, lengths_of
from .tiles import Tile


@dataclass(frozen=True)
class Step:
    """What the steps share: heads and their sizes, and where rows come from and go."""

    source: str
    element: Attribute
    """Element type of the source's region."""
    output: str
    result: Attribute
    batch: int
    heads: int
    kv_heads: int
    head: int
    positions: int
    """Of the cache."""


@dataclass(frozen=True)
class Scores(Step):
    """scale * q k^T."""

    keys: str
    layered: bool
    """The cache has a leading axis of layers."""
    cache: Attribute
    scale: float


@dataclass(frozen=True)
class SeenSoftmax(Step):
    """Softmax over the positions that a row sees."""

    causal: bool


@dataclass(frozen=True)
class Mix(Step):
    """p v."""

    values: str
    layered: bool
    """The cache has a leading axis of layers."""
    cache: Attribute


@dataclass(frozen=True)
class _HeadRows:
    """A block of rows of one sequence and head."""

    sequence: Index
    head: Index
    kv_head: Index
    rows: Rows
    length: Index
    """Positions of the sequence, the step's own included."""


@contextmanager
def _blocks(e: Emitter, kernel: Step, size: Tile) -> Generator[_HeadRows]:
    """Loops over sequences, heads and blocks of rows around what the caller writes."""
    group = kernel.heads // kernel.kv_heads
    with e.loop(kernel.batch, "b") as b:
        lengths = lengths_of(e, b)
        length = e.plus(lengths.cached, lengths.queries)
        with (
            e.loop(kernel.kv_heads, "g") as g,
            e.loop(group, "j") as j,
            e.loop(e.blocks(lengths.queries, size.rows), "i") as i,
        ):
            rows = lengths.rows(e, i, size.rows)
            yield _HeadRows(b, e.plus(e.times(g, group), j), g, rows, length)


def emit_step(
    e: Emitter, kernel: RowWise | Scores | SeenSoftmax | Mix, size: Tile, layer: Sequence[Index]
) -> None:
    """A kernel of one op."""
    match kernel:
        case RowWise():
            emit_row_wise(e, kernel, size, layer)
        case Scores():
            _scores(e, kernel, size, layer)
        case SeenSoftmax():
            _seen_softmax(e, kernel, size)
        case Mix():
            _mix(e, kernel, size, layer)


def _scores(e: Emitter, kernel: Scores, size: Tile, layer: Sequence[Index]) -> None:
    """Blocks of queries against blocks of keys; a block of keys is a tile's depth."""
    leading = list(layer) if kernel.layered else []
    with _blocks(e, kernel, size) as block:
        rows = block.rows
        query = e.buffer((size.rows, kernel.head), kernel.element, "query", "query")
        box = [rows.count, kernel.head]
        e.load(kernel.source, [rows.first, e.times(block.head, kernel.head)], box, query)
        with e.loop(e.blocks(block.length, size.depth), "t") as t:
            first = e.times(t, size.depth)
            valid = e.least(size.depth, e.minus(block.length, first))
            keys = e.buffer((size.depth, kernel.head), kernel.cache, "keys", "kv")
            box = [*(1 for _ in leading), 1, 1, valid, kernel.head]
            e.load(kernel.keys, [*leading, block.sequence, block.kv_head, first, 0], box, keys)
            sums = e.sums((size.rows, size.depth), "scores", "scores")
            e.matmul(query, keys, sums, rows.count, cols=valid, transposed=True)
            out = e.buffer((size.rows, size.depth), kernel.result, "out", "out")
            e.vec("id", sums, kernel.scale, to=out, rows=rows.count, cols=valid)
            column = e.plus(e.times(block.head, kernel.positions), first)
            e.store(out, kernel.output, [rows.first, column], [rows.count, valid])


def _seen_softmax(e: Emitter, kernel: SeenSoftmax, size: Tile) -> None:
    """Blocks of rows, all positions of one head at once."""
    with _blocks(e, kernel, size) as block:
        rows = block.rows
        shape = (size.rows, kernel.positions)
        column = e.times(block.head, kernel.positions)
        box = [rows.count, block.length]
        x = e.buffer(shape, kernel.element, "x", "rows")
        e.load(kernel.source, [rows.first, column], box, x)
        out = e.buffer(shape, kernel.result, "out", "out")
        band = None
        if kernel.causal:
            # Row r stands at position `position + r` and sees columns up to itself.
            limit = e.value(e.plus(rows.position, 1))
            band = tile.Band(None, limit, 1, 0, MASKED), tile.Band(None, limit, 1, 0, 0.0)
        emit_softmax(e, x, out, rows.count, block.length, band)
        e.store(out, kernel.output, [rows.first, column], box)


def _mix(e: Emitter, kernel: Mix, size: Tile, layer: Sequence[Index]) -> None:
    """Blocks of rows; their sums stay in an accumulator over all blocks of values."""
    leading = list(layer) if kernel.layered else []
    with _blocks(e, kernel, size) as block:
        rows = block.rows
        sums = e.sums((size.rows, kernel.head), "mixed", "pv")
        with e.loop(e.blocks(block.length, size.depth), "t") as t:
            first = e.times(t, size.depth)
            valid = e.least(size.depth, e.minus(block.length, first))
            chance = e.buffer((size.rows, size.depth), kernel.element, "chance", "operand")
            column = e.plus(e.times(block.head, kernel.positions), first)
            e.load(kernel.source, [rows.first, column], [rows.count, valid], chance)
            values = e.buffer((size.depth, kernel.head), kernel.cache, "values", "kv")
            box = [*(1 for _ in leading), 1, 1, valid, kernel.head]
            e.load(kernel.values, [*leading, block.sequence, block.kv_head, first, 0], box, values)
            e.matmul(chance, values, sums, rows.count, depth=valid)
        out = e.buffer((size.rows, kernel.head), kernel.result, "out", "out")
        e.vec("id", sums, to=out, rows=rows.count)
        place = [rows.first, e.times(block.head, kernel.head)]
        e.store(out, kernel.output, place, [rows.count, kernel.head])
