"""What the event simulation keeps of each channel, engine and move."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from .result import Charge
from .work import Step, Transfer, Work


@dataclass
class Channel:
    """Steps taken so far; a token or slot is free once all consumers released it."""

    slots: int
    acquired: int
    committed: int
    waited: dict[int, int]
    released: dict[int, int]
    waiting: list[Engine] = field(default_factory=list["Engine"])
    """Engines blocked on it, in the order in which they came."""

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
class Request:
    """A move between its issue and its end; one without bytes is a mark in the queue."""

    engine: Engine
    ends: Sequence[Step]
    transfer: Transfer
    left: int
    """Bytes that main memory has still to serve."""
    charge: str = ""


@dataclass
class Engine:
    """One stream in the middle of a launch."""

    index: int
    name: str
    stream: list[Work]
    pairs: dict[int, int]
    ops: list[str]
    pc: int = 0
    time: int = 0
    registers: list[int] = field(default_factory=lambda: [0] * 24)
    trips: list[int] = field(default_factory=lambda: [0] * 8)
    begun: int = 0
    blocked: tuple[int, str] | None = None
    """Since when, and on what."""
    halted: bool = False
    work_done: int = 0
    """When the last result of earlier work is there."""
    executed: int = 0
    charges: dict[Charge, int] = field(default_factory=dict[Charge, int])
    outstanding: deque[Request] = field(default_factory=deque[Request])
    """Moves issued and not done, in order."""
    in_flight: int = 0
    largest: int = 0
    issued: Request | None = None
    """A request that reaches main memory at `time`."""

    def charge(self, cause: str, picoseconds: int) -> None:
        """Charge a time to a cause and the model op of the current instruction."""
        if picoseconds:
            key = Charge(cause, self.ops[self.pc] if self.ops else "")
            self.charges[key] = self.charges.get(key, 0) + picoseconds
