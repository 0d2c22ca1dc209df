"""What one run of a kernel asks of the machine. Times in picoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WEIGHTS, KV = "weights", "kv"
RINGS = (WEIGHTS, KV)
"""Rings that main memory fills ahead of their use."""

Pieces = Sequence[tuple[int, float]]
"""Slots one after another: how many, and how long the load queue takes for each."""


@dataclass(frozen=True)
class Demand:
    """One run of a kernel.

    `lead`, `compute` and `tail` follow each other on what they depend on: from its rows to the
    first product, from there to the end of the last product, from there to its result.
    """

    op: str
    lead: float = 0
    compute: float = 0
    """With all that it streams at hand. 0 where the matrix unit has no part."""
    tail: float = 0
    handed: bool = False
    """The matrix unit itself waits for the result, behind its last product."""
    ring: str = ""
    """The ring that it streams through, or none."""
    pieces: Pieces = ()
    ahead: bool = True
    """The stream may come before the kernel's turn: nothing of the step decides what it holds."""
    turn: float = 0
    """Time of main memory for the stream before it turns to another queue."""
    traffic: float = 0
    """Time of main memory for all else that it moves."""

    @property
    def stream(self) -> float:
        """Time of the load queue for all pieces."""
        return sum(count * each for count, each in self.pieces)


def first_slots(pieces: Pieces, slots: float) -> tuple[float, float]:
    """Time of the first `slots` pieces, and how many slots are left where there are fewer."""
    time = 0.0
    for count, each in pieces:
        taken = min(count, slots)
        time += taken * each
        slots -= taken
    return time, slots
