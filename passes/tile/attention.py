"""tg.attention -> tile loops: streamed online softmax over KV blocks, GQA, ragged lengths.

Queries of one group of heads share a KV head: the rows of a tile are [query, head in group]. `n`
holds minus the running maximum, `total` the running sum, `o` the running output, all private to
the vector unit (FlashAttention-2, Dao 2023, algorithm 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Attribute, SSAValue

from ...dialects import tile
from .emitter import Emitter, Index
from .search import Tile

MASKED = -1.0e30
"""A finite floor: -inf minus -inf is not a number."""
SMALLEST = 1.0e-30
"""Keeps the reciprocal of an empty row's sum finite."""


@dataclass(frozen=True)
class Attention:
    """What the emission needs of one attention kernel; element types are those of the regions."""

    query: str
    output: str
    keys: str
    values: str
    layered: bool
    """The caches have a leading axis of layers."""
    batch: int
    heads: int
    kv_heads: int
    head: int
    scale: float
    operand: Attribute
    cache: Attribute
    result: Attribute

    @property
    def group(self) -> int:
        """Query heads of one KV head."""
        return self.heads // self.kv_heads


@dataclass(frozen=True)
class _Rows:
    """A block of queries: the first row in the packed batch, its position, and how many."""

    first: Index
    position: Index
    count: Index
    lines: Index
    """count times the group: rows of the matrix unit."""


@dataclass(frozen=True)
class _State:
    n: SSAValue
    total: SSAValue
    o: SSAValue


def emit_attention(e: Emitter, kernel: Attention, size: Tile, layer: Sequence[Index]) -> None:
    """One kernel: loops over sequences, KV heads and blocks of queries, then KV blocks."""
    columns = kernel.group * kernel.head
    leading = list(layer) if kernel.layered else []
    with e.loop(kernel.batch, "b") as b:
        start = e.table("row_start", b)
        queries = e.table("q_len", b)
        cached = e.table("kv_len", b)
        with (
            e.loop(kernel.kv_heads, "g") as g,
            e.loop(e.blocks(queries, size.rows), "i") as i,
        ):
            offset = e.times(i, size.rows)
            count = e.least(size.rows, e.minus(queries, offset))
            rows = _Rows(
                e.plus(start, offset),
                e.plus(cached, offset),
                count,
                e.times(count, kernel.group),
            )
            column = e.times(g, columns)
            query = e.buffer((size.rows, columns), kernel.operand, "query", "query")
            e.load(kernel.query, [rows.first, column], [count, columns], query)
            state = _start(e, kernel, size, rows)
            extent = e.plus(rows.position, count)
            with e.loop(e.blocks(extent, size.depth), "t", size.skew) as t:
                _block(e, kernel, size, rows, query, state, [*leading, b, g], t, extent)
            _finish(e, kernel, size, rows, state, column)


def _start(e: Emitter, kernel: Attention, size: Tile, rows: _Rows) -> _State:
    lines = (size.rows, kernel.group)
    state = _State(
        e.buffer((*lines, 1), Float32Type(), "n"),
        e.buffer((*lines, 1), Float32Type(), "total"),
        e.buffer((*lines, kernel.head), Float32Type(), "o"),
    )
    for number, buffer in ((-MASKED, state.n), (0.0, state.total), (0.0, state.o)):
        e.vec("id", number, to=buffer, rows=rows.count)
    return state


def _block(
    e: Emitter,
    kernel: Attention,
    size: Tile,
    rows: _Rows,
    query: SSAValue,
    state: _State,
    head: Sequence[Index],
    t: Index,
    extent: Index,
) -> None:
    """One KV block: S, softmax, PV; `head` indexes the caches down to the KV head."""
    lines = (size.rows, kernel.group)
    flat = size.rows * kernel.group
    first = e.times(t, size.depth)
    valid = e.least(size.depth, e.minus(extent, first))
    # Row r stands at position `position + r` and sees columns up to itself.
    limit = e.value(e.plus(e.minus(rows.position, first), 1))
    box = [*(1 for _ in head), valid, kernel.head]

    keys = e.buffer((size.depth, kernel.head), kernel.cache, "keys", "kv")
    e.load(kernel.keys, [*head, first, 0], box, keys)
    scores = e.sums((flat, size.depth), "scores", "scores")
    e.matmul(
        e.reshape(query, (flat, kernel.head)),
        keys,
        scores,
        rows.lines,
        cols=valid,
        transposed=True,
    )

    s = e.reshape(scores, (*lines, size.depth))
    low = e.buffer((*lines, 1), Float32Type(), "low")
    new = e.buffer((*lines, 1), Float32Type(), "new")
    decay = e.buffer((*lines, 1), Float32Type(), "decay")
    added = e.buffer((*lines, 1), Float32Type(), "added")
    p = e.buffer((flat, size.depth), kernel.operand, "p", "p")
    m = rows.count
    seen = tile.Band(None, limit, 1, 0, MASKED)
    e.vec("id", s, kernel.scale, reduce=("max", low), rows=m, cols=valid, band=seen)
    e.vec("neg", low, op=("min", state.n), to=new, rows=m)
    e.vec("exp", state.n, -1.0, new, to=decay, rows=m)
    e.vec(
        "exp",
        s,
        kernel.scale,
        new,
        to=e.reshape(p, (*lines, size.depth)),
        reduce=("sum", added),
        rows=m,
        cols=valid,
        band=tile.Band(None, limit, 1, 0, 0.0),
    )
    e.vec("id", state.total, decay, added, to=state.total, rows=m)
    e.vec("id", new, to=state.n, rows=m)

    values = e.buffer((size.depth, kernel.head), kernel.cache, "values", "kv")
    e.load(kernel.values, [*head, first, 0], box, values)
    product = e.sums((flat, kernel.head), "pv", "pv")
    e.matmul(p, values, product, rows.lines, depth=valid)
    e.vec(
        "id",
        state.o,
        decay,
        e.reshape(product, (*lines, kernel.head)),
        to=state.o,
        rows=m,
    )


def _finish(
    e: Emitter, kernel: Attention, size: Tile, rows: _Rows, state: _State, column: Index
) -> None:
    lines = (size.rows, kernel.group)
    columns = kernel.group * kernel.head
    e.vec("id", state.total, op=("max", SMALLEST), to=state.total, rows=rows.count)
    e.vec("reciprocal", state.total, to=state.total, rows=rows.count)
    out = e.buffer((size.rows, columns), kernel.result, "out", "out")
    e.vec("id", state.o, state.total, to=e.reshape(out, (*lines, kernel.head)), rows=rows.count)
    e.store(out, kernel.output, [rows.first, column], [rows.count, columns])
