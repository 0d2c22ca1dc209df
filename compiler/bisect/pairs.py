"""An op of each of two runs whose values should be equal, and where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation

from ..check import differences, limit
from .trace import Array, Event


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


def pair_of(want: Event, found: Event, tolerance: float) -> Pair | None:
    """The first element that differs, if one does and the shapes are the same."""
    a, b = want.values, found.values
    if a is None or b is None or a.size != b.size:
        return Pair(want, found)
    left = a.reshape(b.shape)
    if tolerance:
        wrong = differences(floats_of(b, found), floats_of(left, want), tolerance)
    else:
        wrong = differences(b, left, 0.0)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return _measured(want, found, left, b, at, tolerance)


def _measured(
    want: Event, found: Event, a: Array, b: Array, at: tuple[int, ...], tolerance: float
) -> Pair:
    left, right = floats_of(a, want), floats_of(b, found)
    worst = float(np.nanmax(np.abs(left - right))) if left.size else 0.0
    allowed = limit(tolerance, left) if tolerance else 0.0
    return Pair(want, found, at, float(left[at]), float(right[at]), worst, allowed)


def floats_of(values: Array, event: Event) -> Array:
    """Stored bits as numbers."""
    if event.place is not None and event.place.element == "bf16" and values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if event.place is not None and event.place.element == "f16" and values.dtype == np.uint16:
        return values.view(np.float16).astype(np.float64)
    return values.astype(np.float64)


def module_of(op: Operation) -> Operation:
    """The module that an op lies in."""
    while (parent := op.parent_op()) is not None:
        op = parent
    return op
