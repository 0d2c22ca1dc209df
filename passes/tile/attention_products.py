"""The two products of a KV block: scores of its keys, and its values mixed by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from xdsl.ir import SSAValue

from .attention_kernel import Attention
from .emitter import Emitter, Index
from .sequences import Rows
from .tiles import Tile, heads_at_once


@dataclass(frozen=True)
class Caches:
    """Where keys and values come from, for the heads of one task."""

    head: Sequence[Index]
    """Indices of the caches down to the first KV head."""
    fresh: tuple[SSAValue, SSAValue] | None
    """The step's own keys and values [rows, columns], where they are on chip."""


@dataclass(frozen=True)
class Span:
    """Positions of one KV block."""

    first: Index
    valid: Index
    loaded: Index
    """Those that come from the caches, in front."""
    own: Index
    """Those that are on chip, behind: 0 or 1."""


def _load(
    e: Emitter, kernel: Attention, size: Tile, name: str, cache: str, caches: Caches, span: Span
) -> SSAValue:
    """A slot [heads, positions, head] with the loaded positions of the block."""
    slot = e.buffer((size.heads, size.depth, kernel.head), kernel.cache, name, "kv")
    box = [*(1 for _ in caches.head[:-1]), size.heads, span.loaded, kernel.head]
    most = min(size.depth, kernel.positions)
    part = e.part(slot, [0, 0, 0], [size.heads, most, kernel.head])
    e.load(cache, [*caches.head, span.first, 0], box, part)
    return slot


def _own(
    e: Emitter, kernel: Attention, fresh: SSAValue, rows: Rows, caches: Caches, h: Index
) -> SSAValue:
    """The step's own key or value [1, head] of one head."""
    column = e.times(e.plus(caches.head[-1], h), kernel.head)
    return e.part(fresh, [rows.first, column], [1, kernel.head])


def _each_head(e: Emitter, size: Tile, write: Callable[[Index], None]) -> None:
    """Something for each KV head of a block, several a trip: they share the offsets of the first,
    and differ by what views hold."""
    several = heads_at_once(size.heads)
    with e.loop(size.heads // several, "h") as h:
        first = e.times(h, several)
        for number in range(several):
            write(e.plus(first, number))


def scores_of(
    e: Emitter,
    kernel: Attention,
    size: Tile,
    rows: Rows,
    query: SSAValue,
    caches: Caches,
    span: Span,
) -> SSAValue:
    """S = Q K^T of the block, [rows, positions]: a product for each KV head."""
    flat = size.rows * kernel.group
    keys = _load(e, kernel, size, "keys", kernel.keys, caches, span)
    scores = e.sums((size.heads * flat, size.depth), "scores", "scores")
    queries = e.reshape(query, (size.heads * flat, kernel.head))
    lines = e.times(rows.count, kernel.group)

    def of_head(h: Index) -> tuple[SSAValue, Index]:
        row = e.times(h, flat)
        return e.part(queries, [row, 0], [flat, kernel.head]), row

    def loaded(h: Index) -> None:
        part, row = of_head(h)
        key = e.part(keys, [h, 0, 0], [1, size.depth, kernel.head], drop=1)
        into = e.part(scores, [row, 0], [flat, size.depth])
        e.matmul(part, key, into, lines, cols=span.loaded, transposed=True)

    def own(h: Index, fresh: SSAValue) -> None:
        part, row = of_head(h)
        key = _own(e, kernel, fresh, rows, caches, h)
        into = e.part(scores, [row, span.loaded], [flat, 1])
        e.matmul(part, key, into, lines, transposed=True)

    _each_head(e, size, loaded)
    if caches.fresh is not None:
        with e.loop(span.own, "own"):
            _each_head(e, size, partial(own, fresh=caches.fresh[0]))
    return scores


def products_of(
    e: Emitter,
    kernel: Attention,
    size: Tile,
    rows: Rows,
    p: SSAValue,
    caches: Caches,
    span: Span,
) -> SSAValue:
    """P V of the block, [rows, head]: a product for each KV head."""
    flat = size.rows * kernel.group
    values = _load(e, kernel, size, "values", kernel.values, caches, span)
    product = e.sums((size.heads * flat, kernel.head), "pv", "pv")
    lines = e.times(rows.count, kernel.group)

    def loaded(h: Index) -> None:
        row = e.times(h, flat)
        part = e.part(p, [row, 0], [flat, size.depth])
        value = e.part(values, [h, 0, 0], [1, size.depth, kernel.head], drop=1)
        into = e.part(product, [row, 0], [flat, kernel.head])
        e.matmul(part, value, into, lines, depth=span.loaded)

    def own(h: Index, fresh: SSAValue) -> None:
        row = e.times(h, flat)
        part = e.part(p, [row, span.loaded], [flat, 1])
        value = _own(e, kernel, fresh, rows, caches, h)
        e.matmul(part, value, e.part(product, [row, 0], [flat, kernel.head]), lines)

    _each_head(e, size, loaded)
    if caches.fresh is not None:
        with e.loop(span.own, "own"):
            _each_head(e, size, partial(own, fresh=caches.fresh[1]))
    return product
