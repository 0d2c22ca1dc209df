"""Vector clocks over the bytes of shared regions: accesses of two engines that nothing orders.

Order comes from each engine's own program and from commit to wait. Credits (release to acquire) do
not count: they order only while rings stay small, and growing a ring must never break a program
(C6).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from ..functional import LINE

Runs = list[tuple[int, int]]


@dataclass(frozen=True)
class Access:
    """What an instruction did to a region, and when."""

    engine: int
    pc: int
    time: int
    """The engine's own clock."""
    writes: bool
    runs: Runs
    """Runs of bytes from the region's first, ascending."""

    @property
    def span(self) -> tuple[int, int]:
        """First byte and end."""
        return self.runs[0][0], self.runs[-1][1]


@dataclass
class History:
    """All accesses to one region, by engine and whether they write, in the order of time."""

    accesses: dict[tuple[int, bool], list[Access]] = field(
        default_factory=dict[tuple[int, bool], list[Access]]
    )
    times: dict[tuple[int, bool], list[int]] = field(
        default_factory=dict[tuple[int, bool], list[int]]
    )

    def add(self, access: Access, clock: list[int]) -> Access | None:
        """Note an access; gives an earlier one of another engine that nothing orders before it."""
        found: Access | None = None
        for (engine, writes), times in self.times.items():
            if engine == access.engine or not (writes or access.writes):
                continue
            late = self.accesses[engine, writes][bisect_right(times, clock[engine]) :]
            both = writes and access.writes
            found = found or next((one for one in late if _meet(one, access, both)), None)
        key = (access.engine, access.writes)
        self.accesses.setdefault(key, []).append(access)
        self.times.setdefault(key, []).append(access.time)
        return found


def _meet(one: Access, other: Access, both_write: bool) -> bool:
    """Whether two accesses share bytes; of two writes, lines of main memory."""
    (a, b), (c, d) = one.span, other.span
    if both_write:
        a, b, c, d = a // LINE * LINE, -(-b // LINE) * LINE, c // LINE * LINE, -(-d // LINE) * LINE
    if b <= c or d <= a:
        return False
    i = j = 0
    while i < len(one.runs) and j < len(other.runs):
        (a, b), (c, d) = one.runs[i], other.runs[j]
        if both_write:
            a, c = a // LINE * LINE, c // LINE * LINE
            b, d = -(-b // LINE) * LINE, -(-d // LINE) * LINE
        if a < d and c < b:
            return True
        if b <= d:
            i += 1
        else:
            j += 1
    return False
