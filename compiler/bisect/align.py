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

from ...backend.formats import FORMATS
from ...dialects import tg
from ...dialects.lowbit import PackedType
from ...dialects.stream import ChannelOp
from ...dialects.tile import LoadOp, TileOp
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
    return (
        _of_steps(before.events, after.events)
        or _of_tiles(before, after, tolerance)
        or _of_tiles(before, after, tolerance, placed=True)
    )


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
    if tolerance:
        wrong = differences(_floats(b, found), _floats(left, want), tolerance)
    else:
        wrong = differences(b, left, 0.0)
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
        return any(_same(other, event, tolerance) for other in others)

    codes = _codes(after[0].op) - _codes(before[0].op)
    for one in after:
        if _is_of_codes(one.op, codes) or close(one, known[_shape(one)]):
            continue
        name = tg.MatmulOp.name if _scales(one.op, codes) else one.op.name
        lost = [
            other
            for other in known[_shape(one)]
            if other.op.name == name and not close(other, made[_shape(one)])
        ]
        lost.sort(key=lambda other: other.location != one.location)
        if lost:
            return _climbed(lost[0], one, before, after, tolerance)
    return None


def _codes(op: Operation) -> set[str]:
    """The weights of a module that are integers, whose columns are scaled behind the product."""
    return {
        one.global_name
        for one in _module(op).walk()
        if isinstance(one, tg.GlobalOp)
        and isinstance(one.type, PackedType)
        and FORMATS[one.type.format.data].channel_scale
    }


def _is_of_codes(op: Operation, codes: set[str]) -> bool:
    """Whether an op is such a weight, or the product with one: no op before has its values."""
    weight = op.w.owner if isinstance(op, tg.MatmulOp) else op
    return isinstance(weight, tg.WeightOp) and weight.global_name in codes


def _scales(op: Operation, codes: set[str]) -> bool:
    """Whether an op scales such a product: it makes what the product made before."""
    makers = [one.owner for one in op.operands]
    return any(isinstance(one, tg.MatmulOp) and _is_of_codes(one, codes) for one in makers)


def _same(want: Event, found: Event, tolerance: float) -> bool:
    """Equal values; the columns of weights and products may stand in another order."""
    if _pair(want, found, tolerance) is None:
        return True
    free = isinstance(found.op, tg.WeightOp | tg.MatmulOp) and found.op.name == want.op.name
    a, b = want.values, found.values
    if not free or a is None or b is None or a.shape != b.shape:
        return False
    return not differences(np.sort(b, -1), np.sort(a, -1), tolerance).any()


def _shape(event: Event) -> object:
    assert event.values is not None, "tensors have values"
    return (event.layer, event.values.shape)


def _climbed(
    want: Event, found: Event, before: Sequence[Event], after: Sequence[Event], tolerance: float
) -> Pair | None:
    """The op itself, or the one that handed it another tensor of the model than it should."""
    for (was, a), (now, b) in zip(want.inputs, found.inputs, strict=False):
        if was < 0 or now < 0 or a.shape != b.shape or not differences(b, a, tolerance).any():
            continue
        made = after[now]
        if any(_shape(one) == _shape(made) and _same(one, made, tolerance) for one in before):
            return _pair(before[was], made, tolerance)
    return _pair(want, found, tolerance)


def _of_kernels(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Pair | None:
    """The first kernel whose tensor lies in no memory that its tile ops wrote."""
    yielded = [one for one in before if isinstance(one.op, tg.FusedOp)]
    last = {(one.location, one.layer): number for number, one in enumerate(after)}
    due = {last[key]: one for one in yielded if (key := (one.location, one.layer)) in last}
    images: dict[int, tuple[Array, list[Event | None]]] = {}
    order = {id(one): number for number, one in enumerate(after)}
    touched: dict[tuple[str, int | None], set[int]] = defaultdict(set)
    for number, one in enumerate(after):
        if one.place is not None and one.values is not None and one.place.element != "u8":
            _paint(one, images)
            touched[one.location, one.layer].add(id(one.place.memory))
        want = due.get(number)
        if want is not None:
            found = [images[i] for i in touched[one.location, one.layer] if i in images]
            found += _strips(want, [each for each in after[: number + 1] if _together(each, one)])
            pair = _looked_up(want, found, order, tolerance)
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


def _together(one: Event, other: Event) -> bool:
    return (one.location, one.layer) == (other.location, other.layer)


def _strips(want: Event, events: Sequence[Event]) -> list[tuple[Array, list[Event | None]]]:
    """A tensor of which no memory holds more than some columns at once: what each op writes of it,
    side by side."""
    assert want.values is not None, "tensors have values"
    writes = defaultdict[Operation, list[Event]](list)
    for one in events:
        if one.values is not None and one.place is not None and not isinstance(one.op, LoadOp):
            writes[one.op].append(one)
    found: list[tuple[Array, list[Event | None]]] = []
    for written in writes.values():
        parts = [_floats(one.values, one) for one in written if one.values is not None]
        rows = len(want.values)
        if sum(part.size for part in parts) != want.values.size or not rows:
            continue
        if any(part.size % rows for part in parts):
            continue
        parts = [part.reshape(rows, -1) for part in parts]
        writers = [[n] * part.shape[1] for n, part in enumerate(parts)]
        columns: list[Event | None] = [written[n] for one in writers for n in one]
        found.append((np.hstack(parts).reshape(-1), columns * rows))
    return found


def _looked_up(
    want: Event,
    images: Sequence[tuple[Array, list[Event | None]]],
    order: dict[int, int],
    tolerance: float,
) -> Pair | None:
    """None where a memory holds the tensor; else what is wrong with the likeliest: computed, not
    loaded; with the fewest wrong elements; written last."""
    assert want.values is not None, "tensors have values"
    flat = want.values.astype(np.float64).reshape(-1)
    found: list[tuple[tuple[bool, int, int], Array, list[Event | None], Array]] = []
    for image, writers in images:
        part = image[: flat.size]
        if part.size < flat.size or np.isnan(part).any():
            continue
        wrong = differences(part, flat, tolerance)
        if not wrong.any():
            return None
        loaded = any(one is None or isinstance(one.op, LoadOp) for one in writers[: flat.size])
        latest = max(order[id(one)] for one in writers[: flat.size] if one is not None)
        found.append(((loaded, int(wrong.sum()), -latest), part.copy(), writers, wrong))
    if not found:
        return None
    _, part, writers, wrong = min(found, key=lambda one: one[0])
    at = int(np.argmax(wrong))
    index = tuple(int(i) for i in np.unravel_index(at, want.values.shape))
    worst = float(np.nanmax(np.abs(part - flat)))
    return Pair(want, writers[at], index, flat[at], part[at], worst, limit(tolerance, want.values))


def _of_steps(before: Sequence[Event], after: Sequence[Event]) -> Pair | None:
    """The first step on a channel that an engine leaves out, or does too much.

    Each engine's own order is kept by `project`; where a pass moved steps, nothing is said. An
    engine that stopped early left out no more than it did not come to.
    """
    if not all(any(one.values is None for one in events) for events in (before, after)):
        return None
    channels = _channels(before[0].op) & _channels(after[0].op)
    sides = [_steps(events, channels) for events in (before, after)]
    for engine, was in sides[0].items():
        now = sides[1].get(engine, [])
        names = [[one.target for one in side] for side in (was, now)]
        if not Counter(names[1]) - Counter(names[0]) and not Counter(names[0]) - Counter(names[1]):
            continue
        for want, found in zip(was, now, strict=False):
            if want.target != found.target or want.location != found.location:
                return Pair(want, None)
        if len(now) > len(was):
            return Pair(None, now[len(was)])
        if now and _goes_on(engine, now[-1], after):
            return Pair(was[len(now)], None)
    return None


def _steps(events: Sequence[Event], channels: set[str]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for one in events:
        if one.values is None and one.target.partition("@")[2] in channels:
            found[one.engine].append(one)
    return found


def _goes_on(engine: str, last: Event, events: Sequence[Event]) -> bool:
    """Whether an engine writes elsewhere behind its last step."""
    later = events[events.index(last) + 1 :] if last in events else ()
    return any(one.engine == engine and one.location != last.location for one in later)


def _of_tiles(before: Trace, after: Trace, tolerance: float, placed: bool = False) -> Pair | None:
    """The first group, in the order before the pass, whose values differ; with `placed`, or whose
    places in regions do."""
    engines = any(one.engine for one in before.events)
    groups = [_grouped(one.events, engines) for one in (before, after)]
    found: list[tuple[bool, int, Pair]] = []
    for key in dict.fromkeys((*groups[0], *groups[1])):
        was, now = groups[0].get(key, []), groups[1].get(key, [])
        sides = [[one for _, one in side] for side in (was, now)]
        at = _first_wrong(sides[0], sides[1], tolerance, placed)
        if at is None:
            continue
        if after.error is not None and at >= len(now):
            continue  # The run ended before it came to it.
        want = was[at][1] if at < len(was) else None
        got = now[at][1] if at < len(now) else None
        pair = (
            _pair(want, got, tolerance) if want is not None and got is not None else Pair(want, got)
        )
        number = was[min(at, len(was) - 1)][0] if was else now[at][0]
        vanished = not was or not now
        found.append((vanished, number, pair or Pair(want, got)))
    found.sort(key=lambda one: one[:2])
    return found[0][2] if found else None


def _channels(op: Operation) -> set[str]:
    """The channels of a module that an op lies in."""
    return {one.channel_name for one in _module(op).walk() if isinstance(one, ChannelOp)}


def _module(op: Operation) -> Operation:
    while (parent := op.parent_op()) is not None:
        op = parent
    return op


Key = tuple[str, int | None, str, str]
KINDS = {"tw.mm": "matmul", "tile.matmul": "matmul", "tw.vec": "vec", "tile.vec": "vec"}
"""What an op is called below and above `select`; all others move data."""


def _grouped(events: Sequence[Event], engines: bool) -> dict[Key, list[tuple[int, Event]]]:
    groups: dict[Key, list[tuple[int, Event]]] = defaultdict(list)
    for number, one in enumerate(events):
        if one.values is not None:
            kind = KINDS.get(one.op.name, "move")
            key = one.location, one.layer, kind, one.engine if engines else ""
            groups[key].append((number, one))
    return groups


def _first_wrong(
    was: Sequence[Event], now: Sequence[Event], tolerance: float, placed: bool
) -> int | None:
    """The first place where two sequences differ, unless they are the same values elsewhere."""
    left, right = ([_content(one, placed) for one in side] for side in (was, now))
    missing, surplus = Counter(left) - Counter(right), Counter(right) - Counter(left)
    if not missing and not surplus:
        return None
    for at in range(max(len(left), len(right))):
        a = left[at] if at < len(left) else None
        b = right[at] if at < len(right) else None
        if a == b or not (missing[a or b""] or surplus[b or b""]):
            continue
        if not (tolerance and a and b and _close(was[at], now[at], tolerance)):
            return at
    return None


def _close(want: Event, found: Event, tolerance: float) -> bool:
    """Whether stored bits stand for numbers that are equal enough, and stand where they should."""
    a, b = want.values, found.values
    if a is None or b is None or a.size != b.size or _spot(want) != _spot(found):
        return False
    left, right = _floats(a, want), _floats(b, found)
    return not differences(right, left.reshape(right.shape), tolerance).any()


def _content(event: Event, placed: bool) -> bytes:
    assert event.values is not None, "grouped by the caller"
    return (_spot(event).encode() if placed else b"") + event.values.tobytes()


def _spot(event: Event) -> str:
    """Where in a region a write goes; empty on chip."""
    place = event.place
    if place is None or not place.memory.name.startswith("@"):
        return ""
    return f"{place.memory.name} + {place.offset}: "
