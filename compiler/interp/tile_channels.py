"""Channels as the tile interpreter runs them: rings of slots, tokens and scalars with credits."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .tile_memory import Lease, Memory, Mistake


@dataclass(frozen=True)
class ChannelInfo:
    """A declared channel.

    Attributes:
        name: symbol.
        kind: `slot`, `token` or `scalar`.
        producer: engine that fills it.
        consumers: engines that read it, each with its own pointer.
        slots: slots, tokens or words the ring holds.
        slot_bytes: bytes of a slot (0 for tokens and scalars).
        space: `spm` or `acc` (empty for tokens and scalars).
        base: address of slot 0, or None before `placed`.
        primed: tokens there at launch.
        maximum: largest word of a scalar channel.
    """

    name: str
    kind: str
    producer: str
    consumers: tuple[str, ...]
    slots: int
    slot_bytes: int = 0
    space: str = ""
    base: int | None = None
    primed: int = 0
    maximum: int = 0


@dataclass
class _Held:
    """A slot some engine holds: its number, how it is seen, its lease."""

    number: int
    seen_as: Any
    lease: Lease


class Ring:
    """One channel while a program runs. Counters only grow; slot i of n is counter mod n.

    Args:
        info: the declaration.
        memory: where the slots are (None for tokens and scalars).
        base: byte of slot 0 in `memory`.
    """

    def __init__(self, info: ChannelInfo, memory: Memory | None, base: int) -> None:
        self.info = info
        self.memory = memory
        self.base = base
        self.acquired = self.committed = info.primed
        self.waited = dict.fromkeys(info.consumers, 0)
        self.released = dict.fromkeys(info.consumers, 0)
        self.high = info.primed
        self.words = [0] * info.slots
        self._seen: list[Any] = [None] * info.slots
        self._held: dict[str, list[_Held]] = {}

    def has_room(self) -> bool:
        """Whether an acquire would not block."""
        return self.acquired - min(self.released.values()) < self.info.slots

    def is_ready(self, engine: str) -> bool:
        """Whether a wait of `engine` would not block."""
        return self.waited[engine] < self.committed

    def acquire(self, seen_as: Any = None) -> tuple[int, Lease]:
        """Take the next free slot; gives its first byte and the lease. There must be room."""
        assert self.has_room(), f"@{self.info.name}: acquire without room"
        number = self.acquired
        self.acquired += 1
        self.high = max(self.high, self.acquired - min(self.released.values()))
        at = self._address(number)
        if self.memory is not None:
            (self.memory.zero if self.info.space == "acc" else self.memory.poison)(
                at, at + self.info.slot_bytes
            )
        self._seen[number % self.info.slots] = seen_as
        return at, self._hold(self.info.producer, number, seen_as, writable=True)

    def commit(self, lease: Lease) -> None:
        """End the producer's oldest slot."""
        self._end(self.info.producer, lease, "commit")
        self.committed += 1

    def wait(self, engine: str, seen_as: Any = None) -> tuple[int, Lease]:
        """Take the next committed slot; it must be there and be seen as it was written."""
        assert self.is_ready(engine), f"@{self.info.name}: wait without a commit"
        number = self.waited[engine]
        self.waited[engine] += 1
        written_as = self._seen[number % self.info.slots]
        if self.info.kind == "slot" and seen_as != written_as:
            raise Mistake(
                f"sees a slot of @{self.info.name} as {_words(seen_as)}, which was written as "
                f"{_words(written_as)}; element type and bytes must agree"
            )
        return self._address(number), self._hold(engine, number, seen_as, writable=False)

    def release(self, engine: str, lease: Lease) -> None:
        """End the oldest slot of a consumer; the last consumer's release frees the slot."""
        number = self._end(engine, lease, "release")
        self.released[engine] += 1
        if self.memory is not None and min(self.released.values()) == number + 1:
            at = self._address(number)
            self.memory.poison(at, at + self.info.slot_bytes)

    def signal(self, word: int = 0) -> None:
        """Commit a token, or a word of a scalar channel."""
        if self.info.kind == "scalar" and not 0 <= word <= self.info.maximum:
            raise Mistake(f"sends {word} to @{self.info.name}; want 0 to {self.info.maximum}")
        self.words[self.acquired % self.info.slots] = word
        _, lease = self.acquire()
        self.commit(lease)

    def take(self, engine: str) -> int:
        """Wait for a token or word, and release it."""
        word = self.words[self.waited[engine] % self.info.slots]
        _, lease = self.wait(engine)
        self.release(engine, lease)
        return word

    def complaint(self) -> str | None:
        """What is wrong with the channel after the program's end, or None."""
        name = self.info.name
        if self.acquired != self.committed:
            return f"@{name} ends with {self.acquired - self.committed} slots not committed"
        for engine in self.info.consumers:
            if self.waited[engine] != self.released[engine]:
                return f"@{name} ends with slots that {engine} did not release"
            left = self.committed - self.released[engine]
            if left != self.info.primed:
                return (
                    f"@{name} ends with {left} slots that {engine} did not take; "
                    f"it began with {self.info.primed}"
                )
        return None

    def _address(self, number: int) -> int:
        return self.base + number % self.info.slots * self.info.slot_bytes

    def _hold(self, engine: str, number: int, seen_as: Any, *, writable: bool) -> Lease:
        lease = Lease(f"@{self.info.name}", engine, writable)
        self._held.setdefault(self._key(engine, writable), []).append(_Held(number, seen_as, lease))
        return lease

    @staticmethod
    def _key(engine: str, writable: bool) -> str:
        return f"{engine} writes" if writable else engine

    def _end(self, engine: str, lease: Lease, verb: str) -> int:
        held = self._held.get(self._key(engine, lease.writable), [])
        if not held or not lease.open:
            raise Mistake(f"{verb} of a slot of @{self.info.name} that {engine} does not hold")
        if held[0].lease is not lease:
            raise Mistake(f"{verb} of @{self.info.name} out of order: {engine} holds an older slot")
        lease.open = False
        return held.pop(0).number


def _words(seen_as: Any) -> str:
    return f"{seen_as[1]} bytes of {seen_as[0]}" if isinstance(seen_as, tuple) else str(seen_as)  # pyright: ignore[reportUnknownArgumentType]


def make_ring(info: ChannelInfo, spaces: dict[str, Memory]) -> Ring:
    """The ring of a channel: in `spaces[info.space]` when placed, else in bytes of its own."""
    if info.kind != "slot":
        return Ring(info, None, 0)
    if info.base is not None:
        return Ring(info, spaces[info.space], info.base)
    memory = Memory(
        f"slots of @{info.name}",
        np.zeros(info.slots * info.slot_bytes, np.uint8),
        written=False,
    )
    return Ring(info, memory, 0)
