"""Two traces, of the same launch before and after a pass -> the first op that writes wrong values.

Tensors are matched by `align_tensors`, tensors with tiles by `align_kernels`. Here tiles and
instructions are matched by model op, layer, kind and engine, in order; where a pass moves
iterations, a value that is still written somewhere among them is not missed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from xdsl.ir import Operation

from ...dialects.stream import ChannelOp
from ...dialects.tile import TileOp
from ...dialects.tw import InstructionOp
from ..check import differences
from .align_kernels import of_kernels
from .align_tensors import of_tensors
from .pairs import Pair, floats_of, module_of, pair_of
from .trace import Event, Trace


def first_difference(before: Trace, after: Trace, tolerance: float) -> Pair | None:
    """The first op in program order whose values differ; None where none can be told."""
    if not before.events or not after.events:
        return None
    levels = (_is_tensor(before), _is_tensor(after))
    if levels == (True, True):
        return of_tensors(before.events, after.events, tolerance)
    if levels == (True, False):
        return of_kernels(before.events, after.events, tolerance)
    return (
        _of_steps(before.events, after.events)
        or _of_tiles(before, after, tolerance)
        or _of_tiles(before, after, tolerance, placed=True)
    )


def _is_tensor(trace: Trace) -> bool:
    return not isinstance(trace.events[0].op, TileOp | InstructionOp) and (
        trace.events[0].place is None and not trace.events[0].engine
    )


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
            pair_of(want, got, tolerance)
            if want is not None and got is not None
            else Pair(want, got)
        )
        number = was[min(at, len(was) - 1)][0] if was else now[at][0]
        vanished = not was or not now
        found.append((vanished, number, pair or Pair(want, got)))
    found.sort(key=lambda one: one[:2])
    return found[0][2] if found else None


def _channels(op: Operation) -> set[str]:
    """The channels of a module that an op lies in."""
    return {one.channel_name for one in module_of(op).walk() if isinstance(one, ChannelOp)}


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
    left, right = floats_of(a, want), floats_of(b, found)
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
