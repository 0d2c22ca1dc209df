"""Times of attention's pipeline: what units wait for, from trip to trip, until that repeats.

A trip is one KV block. The matrix unit makes scores S and the mix PV, the vector unit softmax and
update, each in the order of its program; times follow from those of the trip before by sums and
maxima alone. As soon as all of them stand to each other as they did before, they repeat, and the
trips that are left are added up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Trip:
    """Work on one KV block, in picoseconds."""

    scores: int = 0
    softmax: int = 0
    """Up to what PV needs."""
    kept: int = 0
    """The rest, which keeps maximum and sum and runs beside PV."""
    mix: int = 0
    """PV."""
    update: int = 0
    before: int = 0
    """Of the vector unit in front of the softmax: what begins a task."""
    behind: int = 0
    """Of the vector unit behind the update: what ends a task."""
    way: int = 0
    """From a free slot to the task's queries in it; 0 where they are on chip, or there already."""
    last: bool = False
    """The last trip of a task, behind which its queries are given back."""
    late: bool = False
    """Slots of scores are given back behind the stage, not right behind the softmax."""
    empty: bool = False
    """Only slots are passed on."""


@dataclass
class _Pending:
    """A trip whose later stages are still to come, and when its products ended."""

    trip: Trip
    scored: int
    mixed: int = 0


@dataclass
class Pipeline:
    """Chains of tasks, cut into stages by `skew`.

    0: none; 1: S | softmax, PV, update; 2: S | softmax, PV | update.
    """

    skew: int
    fill: int
    """From the end of a product to its sums."""
    slots: dict[str, int]
    """Of the rings `query`, `scores`, `p` and `pv`."""
    matrix: int = 0
    """When the matrix unit is free: the end of the last product."""
    vector: int = 0
    pending: deque[_Pending] = field(default_factory=deque[_Pending])
    longest: int = 0
    free: dict[str, deque[int]] = field(default_factory=dict[str, deque[int]])
    """By ring: when its slots are free, in the order of their use."""

    def __post_init__(self) -> None:
        self.longest = self.fill
        self.free = {ring: deque([0] * slots) for ring, slots in self.slots.items()}

    def step(self, trip: Trip) -> None:
        """S of a trip, beside the later stages of those before."""
        self.longest = max(self.longest, trip.way)
        begin = max(self.matrix, self.free["scores"].popleft())
        if trip.way:
            begin = max(begin, self.free["query"].popleft() + trip.way)
        self.matrix = begin + trip.scores
        self.pending.append(_Pending(trip, self.matrix))
        if len(self.pending) > min(self.skew, 1):
            self._mix(self.pending[-1 - min(self.skew, 1)])
        if len(self.pending) > self.skew:
            self._update(self.pending.popleft())
        if trip.last:
            self.free["query"].append(self.matrix)

    def _mix(self, one: _Pending) -> None:
        """Softmax and PV."""
        trip, pv = one.trip, self.free["pv"]
        if trip.empty:
            self.free["scores"].append(self.vector)
            self.free["p"].append(self.free["p"].popleft())
            one.mixed = max(self.matrix - self.fill, 0)
            if self.skew > 1:
                self.matrix = max(self.matrix, pv.popleft())
            return
        begin = max(self.vector + trip.before, one.scored + self.fill, self.free["p"].popleft())
        ready = begin + trip.softmax
        self.vector = ready + trip.kept
        self.matrix = max(self.matrix, ready, pv.popleft()) + trip.mix
        one.mixed = self.matrix
        self.free["p"].append(self.matrix)
        if not trip.late or self.skew != 1:
            self.free["scores"].append(self.vector if trip.late else ready)

    def _update(self, one: _Pending) -> None:
        trip = one.trip
        if not trip.empty:
            self.vector = max(self.vector, one.mixed + self.fill) + trip.update + trip.behind
            if trip.late and self.skew == 1:
                self.free["scores"].append(self.vector)
        if not trip.empty or self.skew > 1:
            self.free["pv"].append(self.vector)

    def drain(self) -> None:
        """The last stages of a chain: empty trips in front of the next one, and behind this one."""
        for _ in range(2 * self.skew):
            self.step(EMPTY)

    def repeat(self, count: int, advance: Callable[[], None]) -> None:
        """Do something `count` times; as soon as it repeats, the rest is added up."""
        seen: dict[tuple[object, ...], tuple[int, int]] = {}
        done = 0
        while done < count:
            state = self._state()
            if state in seen:
                first, then = seen[state]
                rounds = (count - done) // (done - first)
                self._shift(rounds * (self.matrix - then))
                done += rounds * (done - first)
                seen.clear()
                if done == count:
                    return
            else:
                seen[state] = (done, self.matrix)
            advance()
            done += 1

    def _state(self) -> tuple[object, ...]:
        """All times, counted from the matrix unit's; what lies so far behind that nothing waits
        for it plays no part."""
        at = self.matrix
        least = -self.longest
        return (
            max(self.vector - at, least),
            *((one.trip, one.scored - at, one.mixed - at) for one in self.pending),
            *(tuple(max(t - at, least) for t in self.free[ring]) for ring in self.free),
        )

    def _shift(self, time: int) -> None:
        self.matrix += time
        self.vector += time
        self.pending = deque(
            replace(one, scored=one.scored + time, mixed=one.mixed + time) for one in self.pending
        )
        self.free = {ring: deque(t + time for t in free) for ring, free in self.free.items()}


EMPTY = Trip(empty=True)
