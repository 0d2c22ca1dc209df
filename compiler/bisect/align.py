"""Two traces, of the same launch before and after a pass -> the first op that writes wrong values.

Tensors are matched by value: passes merge and split ops, so names and counts change. Where an op's
own operands are wrong already, the op that made them is meant. Tiles and instructions are matched
by model op, layer, kind and engine, in order; where a pass moves iterations, a value that is still
written somewhere among them is not missed. From tensors to tiles, what each kernel leaves in memory
is compared with the tensor that it yields.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation

from ...dialects import tg
from ...dialects.stream import ChannelOp
from ...dialects.tile import TileOp
from ...dialects.tw import InstructionOp
from ..check import differences, limit
from .trace import Array, Event, Trace


@dataclass(frozen=True)
class Pair:
    """An op whose values differ, and what it should have written.

    One side may be missing: an op that should have run, or should not have.
    """

    want: Event | None
    found: Event | None
    index: tuple[int, ...] = ()
    wanted: float = float("nan")
    got: float = float("nan")
    worst: float = 0.0
    allowed: float = 0.0


def first_difference(before: Trace, after: Trace, tolerance: float) -> Pair | None:
    """The first op in program order whose values differ; None where none can be told."""
    if not before.events or not after.events:
        return None
    levels = (_is_tensor(before), _is_tensor(after))
    if levels == (True, True):
        return _of_tensors(before.events, after.events, tolerance)
    if levels == (True, False):
        return _of_kernels(before.events, after.events, tolerance)
    return _of_tiles(before.events, after.events)


def _is_tensor(trace: Trace) -> bool:
    return not isinstance(trace.events[0].op, TileOp | InstructionOp) and (
        trace.events[0].place is None and not trace.events[0].engine
    )


def _pair(want: Event, found: Event, tolerance: float) -> Pair | None:
    """The first element that differs, if one does and the shapes are the same."""
    a, b = want.values, found.values
    if a is None or b is None or a.size != b.size:
        return Pair(want, found)
    left = a.reshape(b.shape)
    wrong = differences(b, left, tolerance)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return _measured(want, found, left, b, at, tolerance)


def _measured(
    want: Event, found: Event, a: Array, b: Array, at: tuple[int, ...], tolerance: float
) -> Pair:
    left, right = _floats(a, want), _floats(b, found)
    worst = float(np.nanmax(np.abs(left - right))) if left.size else 0.0
    allowed = limit(tolerance, left) if tolerance else 0.0
    return Pair(want, found, at, float(left[at]), float(right[at]), worst, allowed)


def _floats(values: Array, event: Event) -> Array:
    """Stored bits as numbers."""
    if event.place is not None and event.place.element == "bf16" and values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if event.place is not None and event.place.element == "f16" and values.dtype == np.uint16:
        return values.view(np.float16).astype(np.float64)
    return values.astype(np.float64)


def _of_tensors(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Pair | None:
    known = defaultdict[object, list[Event]](list)
    for one in before:
        known[_shape(one)].append(one)
    made = defaultdict[object, list[Event]](list)
    for one in after:
        made[_shape(one)].append(one)

    def close(event: Event, others: Sequence[Event]) -> bool:
        return any(_pair(other, event, tolerance) is None for other in others)

    for one in after:
        if close(one, known[_shape(one)]):
            continue
        lost = [
            other
            for other in known[_shape(one)]
            if other.op.name == one.op.name and not close(other, made[_shape(one)])
        ]
        lost.sort(key=lambda other: other.location != one.location)
        if lost:
            return _climbed(lost[0], one, before, after, tolerance)
    return None


def _shape(event: Event) -> object:
    assert event.values is not None, "tensors have values"
    return (event.layer, event.values.shape)


def _climbed(
    want: Event, found: Event, before: Sequence[Event], after: Sequence[Event], tolerance: float
) -> Pair | None:
    """The op whose result is wrong while what it was given is right."""
    for (was, a), (now, b) in zip(want.inputs, found.inputs, strict=False):
        if was >= 0 and now >= 0 and a.shape == b.shape and differences(b, a, tolerance).any():
            return _climbed(before[was], after[now], before, after, tolerance)
    return _pair(want, found, tolerance)


def _of_kernels(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Pair | None:
    """The first kernel whose tensor lies in no memory that its tile ops wrote."""
    yielded = [one for one in before if isinstance(one.op, tg.FusedOp)]
    last = {(one.location, one.layer): number for number, one in enumerate(after)}
    due = {last[key]: one for one in yielded if (key := (one.location, one.layer)) in last}
    images: dict[int, tuple[Array, list[Event | None]]] = {}
    touched: dict[tuple[str, int | None], set[int]] = defaultdict(set)
    for number, one in enumerate(after):
        if one.place is not None and one.values is not None and one.place.packed is None:
            _paint(one, images)
            touched[one.location, one.layer].add(id(one.place.memory))
        want = due.get(number)
        if want is not None:
            found = [images[i] for i in touched[one.location, one.layer] if i in images]
            pair = _looked_up(want, found, tolerance)
            if pair is not None:
                return pair
    return None


def _paint(event: Event, images: dict[int, tuple[Array, list[Event | None]]]) -> None:
    """Elements of a memory as float64, NaN where nothing was written, and who wrote each."""
    place, values = event.place, event.values
    assert place is not None, "checked by the caller"
    assert values is not None, "checked by the caller"
    width = place.dtype.itemsize
    size = place.memory.data.size // width
    if id(place.memory) not in images:
        images[id(place.memory)] = (np.full(size, np.nan), [None] * size)
    image, writers = images[id(place.memory)]
    if image.size != size:
        return
    offsets = np.full(place.shape, place.offset // width)
    for axis, (extent, stride) in enumerate(zip(place.shape, place.strides, strict=True)):
        shape = [1] * len(place.shape)
        shape[axis] = extent
        offsets = offsets + (np.arange(extent) * (stride // width)).reshape(shape)
    image[offsets.reshape(-1)] = _floats(values, event).reshape(-1)
    for at in offsets.reshape(-1):
        writers[int(at)] = event


def _looked_up(
    want: Event, images: Sequence[tuple[Array, list[Event | None]]], tolerance: float
) -> Pair | None:
    assert want.values is not None, "tensors have values"
    flat = want.values.astype(np.float64).reshape(-1)
    best: tuple[int, Array, list[Event | None], Array] | None = None
    for image, writers in images:
        part = image[: flat.size]
        if part.size < flat.size or np.isnan(part).all():
            continue
        wrong = differences(part, flat, tolerance)
        if not wrong.any():
            return None
        if best is None or int(wrong.sum()) < best[0]:
            best = int(wrong.sum()), part.copy(), writers, wrong
    if best is None:
        return None
    _, part, writers, wrong = best
    at = int(np.argmax(wrong))
    index = tuple(int(i) for i in np.unravel_index(at, want.values.shape))
    worst = float(np.nanmax(np.abs(part - flat)))
    return Pair(
        want, writers[at], index, flat[at], part[at], worst, limit(tolerance, want.values)
    )


def _of_tiles(before: Sequence[Event], after: Sequence[Event]) -> Pair | None:
    """The first group, in the order before the pass, whose values differ."""
    engines = any(one.engine for one in before)
    channels = _channels(before[0].op) & _channels(after[0].op)
    groups = [_grouped(events, engines, channels) for events in (before, after)]
    found: list[tuple[bool, int, Pair]] = []
    for key in dict.fromkeys((*groups[0], *groups[1])):
        was, now = groups[0].get(key, []), groups[1].get(key, [])
        at = _first_wrong([one for _, one in was], [one for _, one in now])
        if at is None:
            continue
        want = was[at][1] if at < len(was) else None
        got = now[at][1] if at < len(now) else None
        pair = _pair(want, got, 0.0) if want is not None and got is not None else Pair(want, got)
        number = was[min(at, len(was) - 1)][0] if was else now[at][0]
        vanished = (not was or not now) and not key[-1]
        found.append((vanished, number, pair or Pair(want, got)))
    found.sort(key=lambda one: one[:2])
    return found[0][2] if found else None


def _channels(op: Operation) -> set[str]:
    """The channels of a module that an op lies in."""
    module = op
    while module.parent_op() is not None:
        module = module.parent_op() or module
    return {one.channel_name for one in module.walk() if isinstance(one, ChannelOp)}


Key = tuple[str, int | None, str, str, str]
KINDS = {"tw.mm": "matmul", "tile.matmul": "matmul", "tw.vec": "vec", "tile.vec": "vec"}
"""What an op is called below and above `select`; all others move data."""


def _grouped(
    events: Sequence[Event], engines: bool, channels: set[str]
) -> dict[Key, list[tuple[int, Event]]]:
    groups: dict[Key, list[tuple[int, Event]]] = defaultdict(list)
    for number, one in enumerate(events):
        engine = one.engine if engines else ""
        if one.values is None:
            name = one.target.partition("@")[2]
            if name in channels and engines:
                groups["", None, "", engine, one.target].append((number, one))
            continue
        kind = KINDS.get(one.op.name, "move")
        groups[one.location, one.layer, kind, engine, ""].append((number, one))
    return groups


def _first_wrong(was: Sequence[Event], now: Sequence[Event]) -> int | None:
    """The first place where two sequences differ, unless they are the same values elsewhere."""
    left = [b"" if one.values is None else one.values.tobytes() for one in was]
    right = [b"" if one.values is None else one.values.tobytes() for one in now]
    missing, surplus = Counter(left) - Counter(right), Counter(right) - Counter(left)
    if not missing and not surplus:
        return None
    for at in range(max(len(left), len(right))):
        a = left[at] if at < len(left) else None
        b = right[at] if at < len(right) else None
        if a != b and (missing[a or b""] or surplus[b or b""]):
            return at
    return None

