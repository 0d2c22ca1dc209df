"""tg.attention -> tile loops: streamed online softmax over KV blocks, GQA, ragged lengths.

Queries of one group of heads share a KV head: the rows of a tile are [query, head in group], or,
with one query, [KV head, head in group] for several KV heads. `n` holds minus the running maximum,
`total` the running sum, `o` the running output, all private to the vector unit (FlashAttention-2,
Dao 2023, algorithm 1). Where the step's own keys and values are on chip, one new row a sequence,
only the positions before it are loaded; its score stands behind theirs in the same block, so the
bits are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from ...dialects import tile
from .attention_kernel import Attention
from .attention_products import Caches, Span, products_of, scores_of
from .emitter import Emitter, Index
from .residency import Rooms
from .sequences import Rows, lengths_of
from .tiles import Tile

MASKED = -1.0e30
"""A finite floor: -inf minus -inf is not a number."""
SMALLEST = 1.0e-30
"""Keeps the reciprocal of an empty row's sum finite; a sum that is not empty is 1 or more."""


@dataclass(frozen=True)
class _State:
    n: SSAValue
    total: SSAValue
    o: SSAValue


def emit_attention(
    e: Emitter, kernel: Attention, size: Tile, layer: Sequence[Index], rooms: Rooms
) -> None:
    """One kernel: loops over sequences, KV heads and blocks of queries, then KV blocks."""
    assert size.heads == 1 or size.rows == 1, "several KV heads go with one query"
    columns = size.heads * kernel.group * kernel.head
    leading = list(layer) if kernel.layered else []
    keys, values = rooms.fresh.get(kernel.keys), rooms.fresh.get(kernel.values)
    fresh = (keys, values) if keys is not None and values is not None else None
    room = None
    if rooms.on_chip(kernel.output):
        rooms.make(e, kernel.output)
        room = rooms.by_head(e, kernel.output, kernel.head)
    tasks = kernel.kv_heads // size.heads
    whole = kernel.positions <= size.depth
    overlap = size.skew > 0 and not whole
    with e.loop(kernel.batch, "b", overlap=overlap and tasks == kernel.queries == 1) as b:
        lengths = lengths_of(e, b)
        # With one query at most, a sequence without one has no KV blocks.
        blocks = 1 if kernel.queries == 1 else e.blocks(lengths.queries, size.rows)
        with (
            e.loop(blocks, "i", overlap=overlap and tasks == 1 < kernel.queries) as i,
            e.loop(tasks, "g", overlap=overlap) as g,
        ):
            rows = lengths.rows(e, i, size.rows)
            column = e.times(g, columns)
            if rooms.on_chip(kernel.query):
                query = e.part(rooms.values[kernel.query], [rows.first, column], [1, columns])
            else:
                query = e.buffer((size.rows, columns), kernel.operand, "query", "query")
                e.load(kernel.query, [rows.first, column], [rows.count, columns], query)
            caches = Caches([*leading, b, e.times(g, size.heads)], fresh)
            if kernel.full:
                extent = e.plus(lengths.cached, lengths.queries)
            else:
                extent = e.plus(rows.position, rows.count)
            trips = e.blocks(extent, size.depth)
            if kernel.queries == 1:
                trips = e.times(trips, lengths.queries)
            if whole:
                with e.loop(trips, "t"):
                    loaded = extent if fresh is None else rows.position
                    own = 0 if fresh is None else e.minus(extent, loaded)
                    span = Span(0, extent, loaded, own)
                    _only_block(e, kernel, size, rows, query, caches, span, g, room)
            else:
                state = _start(e, kernel, size, rows)
                with e.loop(trips, "t", size.skew) as t:
                    span = _span(e, size, rows, extent, t, fresh is not None)
                    _block(e, kernel, size, rows, query, state, caches, span)
                e.vec("reciprocal", state.total, 1.0, SMALLEST, to=state.total, rows=rows.count)
                _finish(e, kernel, size, rows, state.o, state.total, g, room)


def _span(e: Emitter, size: Tile, rows: Rows, extent: Index, t: Index, fresh: bool) -> Span:
    first = e.times(t, size.depth)
    valid = e.least(size.depth, e.minus(extent, first))
    if not fresh:
        return Span(first, valid, valid, 0)
    loaded = e.least(size.depth, e.minus(rows.position, first))
    return Span(first, valid, loaded, e.minus(valid, loaded))


def _lines(kernel: Attention, size: Tile) -> tuple[int, int]:
    """Queries, and heads of each: the rows of a tile."""
    return size.rows, size.heads * kernel.group


def _start(e: Emitter, kernel: Attention, size: Tile, rows: Rows) -> _State:
    lines = _lines(kernel, size)
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
    rows: Rows,
    query: SSAValue,
    state: _State,
    caches: Caches,
    span: Span,
) -> None:
    """One KV block: S, softmax, PV."""
    lines = _lines(kernel, size)
    flat = lines[0] * lines[1]
    # Row r stands at position `position + r` and sees columns up to itself.
    limit = None if kernel.full else e.value(e.plus(e.minus(rows.position, span.first), 1))

    scores = scores_of(e, kernel, size, rows, query, caches, span)
    s = e.reshape(scores, (*lines, size.depth))
    low = e.buffer((*lines, 1), Float32Type(), "low")
    new = e.buffer((*lines, 1), Float32Type(), "new")
    decay = e.buffer((*lines, 1), Float32Type(), "decay")
    added = e.buffer((*lines, 1), Float32Type(), "added")
    p = e.buffer((flat, size.depth), kernel.operand, "p", "p")
    m, valid = rows.count, span.valid
    # Where all positions are seen, `valid` alone bounds the columns.
    seen, weighed = (
        None if kernel.full else tile.Band(None, limit, 1, 0, fill) for fill in (MASKED, 0.0)
    )
    e.vec("id", s, kernel.scale, reduce=("max", low), rows=m, cols=valid, band=seen)
    e.vec("neg", low, op=("min", state.n), to=new, rows=m)
    e.vec(
        "exp",
        s,
        kernel.scale,
        new,
        to=e.reshape(p, (*lines, size.depth)),
        reduce=("sum", added),
        rows=m,
        cols=valid,
        band=weighed,
    )
    e.vec("exp", state.n, -1.0, new, to=decay, rows=m)
    e.vec("id", state.total, decay, added, to=state.total, rows=m)
    e.vec("id", new, to=state.n, rows=m)

    product = products_of(e, kernel, size, rows, p, caches, span)
    of_rows = e.reshape(product, (*lines, kernel.head))
    e.vec("id", state.o, decay, of_rows, to=state.o, rows=m)


def _only_block(
    e: Emitter,
    kernel: Attention,
    size: Tile,
    rows: Rows,
    query: SSAValue,
    caches: Caches,
    span: Span,
    task: Index,
    room: SSAValue | None,
) -> None:
    """All positions: what `_block` leaves after one block and `_finish` makes of it, bit for bit.

    The state would be 0, and the old maximum no score.
    """
    lines = _lines(kernel, size)
    limit = None if kernel.full else e.value(e.plus(rows.position, 1))
    scores = scores_of(e, kernel, size, rows, query, caches, span)
    s = e.reshape(scores, (*lines, size.depth))
    new = e.buffer((*lines, 1), Float32Type(), "new")
    total = e.buffer((*lines, 1), Float32Type(), "total")
    p = e.buffer((lines[0] * lines[1], size.depth), kernel.operand, "p", "p")
    m, valid = rows.count, span.valid
    seen, weighed = (
        None if kernel.full else tile.Band(None, limit, 1, 0, fill) for fill in (-MASKED, 0.0)
    )
    highest = ("min", -MASKED)
    e.vec("neg", s, kernel.scale, op=highest, reduce=("min", new), rows=m, cols=valid, band=seen)
    to = e.reshape(p, (*lines, size.depth))
    added = ("sum", total)
    e.vec("exp", s, kernel.scale, new, to=to, reduce=added, rows=m, cols=valid, band=weighed)
    e.vec("reciprocal", total, 1.0, SMALLEST, to=total, rows=m)
    product = products_of(e, kernel, size, rows, p, caches, span)
    of_rows = e.reshape(product, (*lines, kernel.head))
    _finish(e, kernel, size, rows, of_rows, total, task, room)


def _finish(
    e: Emitter,
    kernel: Attention,
    size: Tile,
    rows: Rows,
    o: SSAValue,
    scale: SSAValue,
    task: Index,
    room: SSAValue | None,
) -> None:
    """o scaled into `room`, [rows, heads, head] on chip, or to main memory; `task` counts blocks of
    heads."""
    lines = _lines(kernel, size)
    columns = lines[1] * kernel.head
    if room is not None:
        to = e.part(room, [rows.first, e.times(task, lines[1]), 0], [*lines, kernel.head])
        e.vec("id", o, scale, to=to, rows=rows.count)
        return
    out = e.buffer((size.rows, columns), kernel.result, "out", "out")
    e.vec("id", o, scale, to=e.reshape(out, (*lines, kernel.head)), rows=rows.count)
    e.store(out, kernel.output, [rows.first, e.times(task, columns)], [rows.count, columns])
