"""Each tile op read once and turned into a function that runs it for an actor."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...backend.numerics import Band, narrow
from ...dialects.text import static_values
from ...dialects.tile import (
    GatherOp,
    LoadOp,
    MatmulOp,
    QuantiseOp,
    SelectOp,
    StoreOp,
    TopkOp,
    TransposeOp,
    VecOp,
)
from . import tile_math, tile_transfers
from .tile_math import VectorForm
from .tile_memory import Array, Mistake, Place
from .tile_transfers import Region


class Actor(Protocol):
    """Who runs a step: one engine's values, or the sequential program's."""

    def place(self, value: SSAValue) -> Place:
        """The bytes of a buffer, slot or part of one."""
        ...

    def index(self, value: SSAValue | int) -> int:
        """A number known now."""
        ...

    def region(self, name: str) -> Region:
        """A global."""
        ...

    def reads(self, op: Operation, *places: Place) -> None:
        """Tell the observer, if any, that `op` reads these places."""
        ...

    def writes(self, op: Operation, *places: Place) -> None:
        """Tell the observer, if any, that `op` writes these places."""
        ...


Action = Callable[[Actor], None]


def _bound(actor: Actor, value: SSAValue | None) -> int | None:
    return None if value is None else actor.index(value)


def _apart(target: Place, sources: Sequence[Place]) -> None:
    """A destination is the same view as a source, or shares no byte with it."""
    for source in sources:
        if target.overlaps(source) and not target.same(source):
            raise Mistake("writes bytes that it also reads through another view")


def load(op: LoadOp) -> Action:
    """slot = box of a global."""
    name, offsets, sizes = op.global_name, op.offsets, op.sizes
    static, slot = static_values(op.static_sizes), op.slot

    def run(actor: Actor) -> None:
        region = actor.region(name)
        at = [actor.index(v) for v in offsets]
        count = [actor.index(v) for v in sizes]
        place = actor.place(slot)
        if region.packed is not None:
            far, near = tile_transfers.packed_pair(region, at, count[0], place)
        else:
            far, near = tile_transfers.box_pair(region, at, count, static, place)
        actor.reads(op, far)
        actor.writes(op, near)
        tile_transfers.copy(far, near)

    return run


def store(op: StoreOp) -> Action:
    """Box of a global = slot."""
    name, offsets, sizes = op.global_name, op.offsets, op.sizes
    static, slot = static_values(op.static_sizes), op.slot

    def run(actor: Actor) -> None:
        region = actor.region(name)
        at = [actor.index(v) for v in offsets]
        count = [actor.index(v) for v in sizes]
        far, near = tile_transfers.box_pair(region, at, count, static, actor.place(slot))
        actor.reads(op, near)
        actor.writes(op, far)
        tile_transfers.copy(near, far)

    return run


def gather(op: GatherOp) -> Action:
    """Row i of the slot = the row that index[i] names."""
    name, index_name, row, rows, slot = op.global_name, op.index_name, op.row, op.rows, op.slot

    def run(actor: Actor) -> None:
        region, numbers = actor.region(name), actor.region(index_name)
        target = tile_transfers.as_rows(actor.place(slot)).clip(actor.index(rows))
        index = numbers.dense()
        if len(index.shape) != 1 or index.element != "i32":
            raise Mistake(f"row numbers are one axis of i32, not @{index_name}")
        index = index.part((actor.index(row),), (target.shape[0],))
        whole = tile_transfers.row_place(region)
        taken = tile_transfers.gather(whole, index, target)
        actor.reads(op, index, *(whole.part((n, 0), (1, whole.shape[1])) for n in taken))
        actor.writes(op, target)

    return run


def multiply(op: MatmulOp) -> Action:
    """acc += a @ w."""
    a_value, w_value, acc_value = op.a, op.w, op.acc
    bounds, transposed = (op.rows, op.cols, op.depth), op.transposed is not None

    def run(actor: Actor) -> None:
        rows, cols, depth = (_bound(actor, v) for v in bounds)
        acc = actor.place(acc_value).clip(rows, cols)
        a = actor.place(a_value).clip(acc.shape[0], depth)
        w = tile_math.clip_weight(actor.place(w_value), a.shape[1], acc.shape[1], transposed)
        actor.reads(op, a, w)
        actor.writes(op, acc)
        if acc.size and a.size:
            tile_math.multiply(acc, a, tile_math.weight(w, a.shape[1], acc.shape[1], transposed))

    return run


def _clip_operand(place: Place, shape: tuple[int, ...], whole: tuple[int, ...]) -> Place:
    """A vector operand by the value's extents; axes that repeat stay as they are."""
    if place.packed is not None:
        return place.clip(shape[0], None)
    return place.clip(
        *(
            None if mine == 1 and all_of != 1 else now
            for mine, now, all_of in zip(place.shape, shape, whole, strict=True)
        )
    )


def _value_shape(
    whole: tuple[int, ...], rows: int | None, mid: int | None, cols: int | None
) -> tuple[int, ...]:
    """The extents of a value after its bounds."""
    shape = list(whole)
    for axis, bound in ((0, rows), (1, mid), (len(whole) - 1, cols)):
        if bound is not None:
            if bound < 0:
                raise Mistake(f"a bound of axis {axis} is {bound}; want at least 0")
            shape[axis] = min(shape[axis], bound)
    return tuple(shape)


def _operands(
    actor: Actor,
    sources: Sequence[SSAValue | float | None],
    shape: tuple[int, ...],
    whole: tuple[int, ...],
) -> tuple[list[Array | None], list[Place]]:
    """float32 of each source (numbers as one element) and the places among them."""
    empty = 0 in shape
    values: list[Array | None] = []
    places: list[Place] = []
    for source in sources:
        if source is None:
            values.append(None)
        elif not isinstance(source, SSAValue):
            values.append(np.full((1,) * len(shape), source, np.float32))
        elif empty:
            values.append(np.zeros(shape, np.float32))
        else:
            place = _clip_operand(actor.place(source), shape, whole)
            places.append(place)
            value = tile_math.widened(place)
            if place.packed is not None and value.shape[1] not in (1, shape[1]):
                value = value[:, : shape[1]]
            values.append(value)
    return values, places


def vector(op: VecOp) -> Action:
    """v = f(a * b + c) op d, band, store, reduction."""
    name = "identity" if op.f.data == "id" else op.f.data
    form = VectorForm(name, op.op and op.op.data, op.rop and op.rop.data)
    sources, band, whole = op.sources, op.band, op.shape
    dst, red, bounds = op.dst, op.red, (op.rows, op.mid, op.cols)

    def run(actor: Actor) -> None:
        rows, mid, cols = (_bound(actor, v) for v in bounds)
        shape = _value_shape(whole, rows, mid, cols)
        values, places = _operands(actor, sources, shape, whole)
        to = None if dst is None else actor.place(dst).clip(*shape)
        reduced = None if red is None else actor.place(red).clip(*shape[:-1], None)
        if to is not None:
            _apart(to, places)
        if reduced is not None:
            _apart(reduced, places if to is None else [*places, to])
        limits = None
        if band is not None:
            lo, hi = _bound(actor, band.lo), _bound(actor, band.hi)
            limits = Band(lo, hi, band.step, band.axis, band.fill)
        actor.reads(op, *places)
        actor.writes(op, *(place for place in (to, reduced) if place is not None))
        a, b, c, d = values
        tile_math.vector(form, (a, b, c, d), limits, shape, to, reduced)

    return run


def select(op: SelectOp) -> Action:
    """dst = a where mask is not 0, else b."""
    sources, dst, bounds = (op.mask, op.a, op.b), op.dst, (op.rows, op.cols)

    def run(actor: Actor) -> None:
        rows, cols = (_bound(actor, v) for v in bounds)
        target = actor.place(dst)
        shape = _value_shape(target.shape, rows, None, cols)
        (mask, a, b), places = _operands(actor, sources, shape, target.shape)
        target = target.clip(*shape)
        _apart(target, places)
        actor.reads(op, *places)
        actor.writes(op, target)
        assert mask is not None, "select has a mask"
        assert a is not None, "select has an a"
        assert b is not None, "select has a b"
        value = np.broadcast_to(np.where(mask != 0, a, b), shape)
        target.write(narrow(np.ascontiguousarray(value), target.element))

    return run


def topk(op: TopkOp) -> Action:
    """Largest of each row, and its column."""
    source, val, idx, bounds = op.a, op.val, op.idx, (op.rows, op.cols)

    def run(actor: Actor) -> None:
        rows, cols = (_bound(actor, v) for v in bounds)
        a = actor.place(source)
        a = a.clip(*_value_shape(a.shape, rows if len(a.shape) > 1 else None, None, cols))
        values = actor.place(val).clip(*a.shape[:-1], None)
        indices = actor.place(idx).clip(*a.shape[:-1], None)
        actor.reads(op, a)
        actor.writes(op, values, indices)
        largest, column = tile_math.largest(tile_math.widened(a))
        values.write(narrow(largest, values.element))
        indices.write(column)

    return run


def transpose(op: TransposeOp) -> Action:
    """dst[c, r] = a[r, c]."""
    source, dst, bounds = op.a, op.dst, (op.rows, op.cols)

    def run(actor: Actor) -> None:
        rows, cols = (_bound(actor, v) for v in bounds)
        a = actor.place(source).clip(rows, cols)
        target = actor.place(dst).clip(a.shape[1], a.shape[0])
        if target.overlaps(a):
            raise Mistake("transposes onto the bytes that it reads")
        actor.reads(op, a)
        actor.writes(op, target)
        target.write(a.read().T)

    return run


def quantise(op: QuantiseOp) -> Action:
    """int8 codes and a scale for each block of columns."""
    source, codes, scales, bounds = op.a, op.codes, op.scales, (op.rows, op.cols)

    def run(actor: Actor) -> None:
        rows, cols = (_bound(actor, v) for v in bounds)
        whole, to, factors = actor.place(source), actor.place(codes), actor.place(scales)
        block = to.shape[-1] // factors.shape[-1]
        a = whole.clip(rows, cols)
        to = to.clip(*a.shape)
        factors = factors.clip(a.shape[0], -(-a.shape[1] // block))
        actor.reads(op, a)
        actor.writes(op, to, factors)
        if a.size:
            code, scale = tile_math.quantised(tile_math.widened(a), block)
            to.write(code)
            factors.write(narrow(scale, factors.element))

    return run


ACTIONS: dict[type[Operation], Callable[[Any], Action]] = {
    LoadOp: load,
    StoreOp: store,
    GatherOp: gather,
    MatmulOp: multiply,
    VecOp: vector,
    SelectOp: select,
    TopkOp: topk,
    TransposeOp: transpose,
    QuantiseOp: quantise,
}
"""Tile op -> what makes its action."""


def prepare(op: Operation) -> Action | None:
    """The action of a tile op, or None if `op` is none."""
    action = ACTIONS.get(type(op))
    return None if action is None else action(op)
