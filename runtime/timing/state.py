"""What the event simulation keeps of each channel, engine and move."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...backend.isa import COUNTERS, REGISTERS
from ...backend.timing import Cost
from .decoded import Step, Timed


@dataclass
class Channel:
    """Steps taken so far; a token or slot is free once all consumers released it."""

    slots: int
    acquired: int
    committed: int
    waited: dict[int, int]
    released: dict[int, int]
    blocked: list[Engine] = field(default_factory=list["Engine"])
    """Engines that wait for a step of it."""

    def possible(self, engine: int, producer: bool) -> bool:
        """Whether an acquire (of the producer) or a wait can happen now."""
        if producer:
            return self.acquired - min(self.released.values()) < self.slots
        return self.waited[engine] < self.committed

    def begin(self, engine: int, producer: bool) -> None:
        """Acquire or wait."""
        if producer:
            self.acquired += 1
        else:
            self.waited[engine] += 1

    def end(self, engine: int, producer: bool) -> None:
        """Commit or release."""
        if producer:
            self.committed += 1
        else:
            self.released[engine] += 1


@dataclass
class Entry:
    """An executed instruction whose results or ends are outstanding."""

    engine: Engine
    ends: Sequence[Step]
    cost: Cost
    left: int
    """Bytes of bursts that main memory has still to serve."""
    handed: int = -1
    """When main memory got it."""
    read: int = -1
    """When its sources are read; -1 as long as that is not known."""
    done: int = -1
    held: int = 0
    """How long it was held up by other queues."""


@dataclass
class Engine:
    """One stream in the middle of a launch."""

    index: int
    name: str
    stream: Sequence[Timed]
    pairs: dict[int, int]
    pc: int = 0
    time: int = 0
    registers: list[int] = field(default_factory=lambda: [0] * (REGISTERS + COUNTERS))
    """r0 to r15, then c0 to c7."""
    trips: list[int] = field(default_factory=lambda: [0] * COUNTERS)
    begun: int = 0
    """Begins of the current instruction that have happened."""
    blocked_since: int = -1
    """-1 where it is not blocked."""
    at_bound: bool = False
    """Blocked at the bound of its queue, not at a channel."""
    halted: bool = False
    read: int = 0
    done: int = 0
    executing: Entry | None = None
    """The instruction that ends at `time`."""
    outstanding: deque[Entry] = field(default_factory=deque[Entry])
    """Executed, in order; the first one's times are not known."""
    flight: deque[Entry] = field(default_factory=deque[Entry])
    """Moves that count against the bound."""
    in_flight: int = 0
    """Bytes of bursts of `flight`."""
    largest: int = 0
    freed: Entry | None = None
    """The last move that no longer counts against the bound."""
    popped: int = 0
