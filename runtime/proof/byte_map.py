"""Bytes of a slot or region, and who wrote each: runs of bytes, each with its owner.

some = ByteMap(); some.put([(0, 64)], 5); some.missing([(32, 96)])   # 64
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from .clocks import Runs


@dataclass
class ByteMap:
    """Ascending runs [first, end); neighbours of one owner are one run."""

    firsts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])
    owners: list[int] = field(default_factory=list[int])

    def put(self, runs: Runs, owner: int = 0) -> None:
        """Give runs an owner, whoever had them."""
        for first, end in runs:
            i, j = bisect_left(self.ends, first), bisect_right(self.firsts, end)
            kept = self._sides(i, j, first, end)
            for a, b, other in kept:
                if other == owner:
                    first, end = min(first, a), max(end, b)
            rest = [one for one in kept if one[2] != owner]
            self._splice(i, j, sorted([*rest, (first, end, owner)]))

    def drop(self, runs: Runs) -> None:
        """Take runs away."""
        for first, end in runs:
            i, j = bisect_right(self.ends, first), bisect_left(self.firsts, end)
            if i < j:
                self._splice(i, j, self._sides(i, j, first, end))

    def missing(self, runs: Runs) -> int:
        """The first byte of runs that nobody owns; -1: all have owners."""
        for first, end in runs:
            i = bisect_right(self.firsts, first) - 1
            while first < end:
                if i < 0 or i >= len(self.firsts) or not self.firsts[i] <= first < self.ends[i]:
                    return first
                first, i = self.ends[i], i + 1
        return -1

    def inside(self, runs: Runs) -> Iterator[tuple[int, int, int]]:
        """First byte, end and owner of what is owned within runs."""
        for first, end in runs:
            i = bisect_right(self.ends, first)
            while i < len(self.firsts) and self.firsts[i] < end:
                yield max(first, self.firsts[i]), min(end, self.ends[i]), self.owners[i]
                i += 1

    def all(self) -> Iterator[tuple[int, int, int]]:
        """First byte, end and owner of every run."""
        return zip(self.firsts, self.ends, self.owners, strict=True)

    def _sides(self, i: int, j: int, first: int, end: int) -> list[tuple[int, int, int]]:
        """What is left of runs i to j without [first, end)."""
        if i >= j:
            return []
        left = (self.firsts[i], min(first, self.ends[i]), self.owners[i])
        right = (max(end, self.firsts[j - 1]), self.ends[j - 1], self.owners[j - 1])
        return [one for one in (left, right) if one[0] < one[1]]

    def _splice(self, i: int, j: int, runs: list[tuple[int, int, int]]) -> None:
        self.firsts[i:j] = [one[0] for one in runs]
        self.ends[i:j] = [one[1] for one in runs]
        self.owners[i:j] = [one[2] for one in runs]
