"""From tensors to tiles: what each kernel leaves in memory, and the tensor that it yields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from ...dialects import tg
from ...dialects.tile import LoadOp
from ..check import differences, limit
from .pairs import Pair, floats_of
from .trace import Array, Event


def of_kernels(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Pair | None:
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
    image[offsets.reshape(-1)] = floats_of(values, event).reshape(-1)
    for at in offsets.reshape(-1):
        writers[int(at)] = event


def _together(one: Event, other: Event) -> bool:
    return (one.location, one.layer) == (other.location, other.layer)


def _strips(want: Event, events: Sequence[Event]) -> list[tuple[Array, list[Event | None]]]:
    """A tensor of which no memory holds more than some columns at once: what an op writes of it,
    or several of one text that pieces are shared out to, side by side."""
    assert want.values is not None, "tensors have values"
    writes = defaultdict[str, list[Event]](list)
    texts: dict[Operation, str] = {}
    for one in events:
        if one.values is not None and one.place is not None and not isinstance(one.op, LoadOp):
            if one.op not in texts:
                texts[one.op] = str(one.op)
            writes[texts[one.op]].append(one)
    found: list[tuple[Array, list[Event | None]]] = []
    for written in writes.values():
        parts = [floats_of(one.values, one) for one in written if one.values is not None]
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
