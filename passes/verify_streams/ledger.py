"""Counts of every channel in one walk of a streamed program; numbers only, no operations.

The walk enters each loop body once. Because a body must leave every channel as it found it, what is
true of one trip is true of any number of trips, 0 included, and the largest occupancy seen is the
largest there is: the ring's high-water mark.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field


class LedgerError(Exception):
    """A broken rule and what to do about it; the verifier adds operation and location."""


@dataclass
class ChannelCounts:
    """Counters of one channel, from the launch on.

    Attributes:
        name: symbol, for messages.
        slots: declared slots.
        primed: tokens there at launch.
        producer: engine that acquires and commits.
        consumers: engines that wait and release.
    """

    name: str
    slots: int
    primed: int
    producer: str
    consumers: tuple[str, ...]
    acquired: int = field(init=False)
    committed: int = field(init=False)
    waited: dict[str, int] = field(init=False)
    released: dict[str, int] = field(init=False)
    high: int = field(init=False)
    writing: list[Hashable] = field(default_factory=list[Hashable])
    reading: dict[str, list[Hashable]] = field(init=False)

    def __post_init__(self) -> None:
        self.acquired = self.committed = self.high = self.primed
        self.waited = dict.fromkeys(self.consumers, 0)
        self.released = dict.fromkeys(self.consumers, 0)
        self.reading = {engine: [] for engine in self.consumers}

    def acquire(self, slot: Hashable = None) -> None:
        """The producer takes a slot; `slot` names it until its commit."""
        self.acquired += 1
        self.writing.append(slot)
        self.high = max(self.high, self.acquired - min(self.released.values()))

    def commit(self, slot: Hashable = None) -> None:
        """The producer ends its oldest slot, which must be `slot`."""
        self._pop(self.writing, slot, self.producer, "commit")
        self.committed += 1

    def wait(self, engine: str, slot: Hashable = None) -> None:
        """A consumer takes the next committed slot."""
        if self.waited[engine] >= self.committed:
            raise LedgerError(
                f"nothing is committed to @{self.name} before this wait of {engine}; "
                f"{self.producer} must commit earlier in the program, in a loop that surely runs "
                "as often"
            )
        self.waited[engine] += 1
        self.reading[engine].append(slot)

    def release(self, engine: str, slot: Hashable = None) -> None:
        """A consumer ends its oldest slot, which must be `slot`."""
        self._pop(self.reading[engine], slot, engine, "release")
        self.released[engine] += 1

    def _pop(self, held: list[Hashable], slot: Hashable, engine: str, verb: str) -> None:
        if slot not in held:
            raise LedgerError(f"{verb} of a slot of @{self.name} that {engine} does not hold")
        if held[0] != slot:
            raise LedgerError(
                f"@{self.name} is first in, first out: {engine} must {verb} an older slot before "
                "this one"
            )
        del held[0]

    def shape(self) -> tuple[object, ...]:
        """What must be equal before and after a loop body: differences of counts, held slots."""
        freed = min(self.released.values())
        return (
            self.acquired - freed,
            self.committed - freed,
            tuple(n - freed for n in self.waited.values()),
            tuple(n - freed for n in self.released.values()),
            tuple(self.writing),
            tuple(tuple(held) for held in self.reading.values()),
        )

    def growth(self, before: "ChannelCounts") -> str:
        """In words, by how much each counter grew since `before`."""
        parts = [
            f"acquires {self.acquired - before.acquired}",
            f"commits {self.committed - before.committed}",
        ]
        for engine in self.consumers:
            parts.append(f"{engine} waits {self.waited[engine] - before.waited[engine]}")
            parts.append(f"{engine} releases {self.released[engine] - before.released[engine]}")
        return ", ".join(parts)

    def copy(self) -> "ChannelCounts":
        """A snapshot."""
        other = ChannelCounts(self.name, self.slots, self.primed, self.producer, self.consumers)
        other.acquired, other.committed, other.high = self.acquired, self.committed, self.high
        other.waited, other.released = dict(self.waited), dict(self.released)
        other.writing = list(self.writing)
        other.reading = {engine: list(held) for engine, held in self.reading.items()}
        return other

    def check_end(self) -> None:
        """The function must end with the channel as it began."""
        if self.writing:
            raise LedgerError(
                f"@{self.name} ends with {len(self.writing)} slots that {self.producer} never "
                "committed; commit them"
            )
        for engine in self.consumers:
            if self.reading[engine]:
                raise LedgerError(
                    f"@{self.name} ends with slots that {engine} never released; release them"
                )
            left = self.committed - self.released[engine]
            if left != self.primed:
                raise LedgerError(
                    f"@{self.name} does not end as it began: {left} slots are left for {engine}, "
                    f"{self.primed} were primed; each launch must take as many as it commits"
                )
