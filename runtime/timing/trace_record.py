"""What happens in a launch, moment by moment, as the plain event simulation tells it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ...backend.isa import REGISTERS
from ...backend.timing import ARBITRATION_BYTES, Cost, Extents, transfer_ps
from .decoded import Decoded, Timed, TimingError
from .state import Channel, Engine


class Slice(NamedTuple):
    """Time of one engine, in picoseconds. Those of an engine follow each other without a gap."""

    engine: int
    begin: int
    end: int
    cause: str
    """As `Charge.cause`."""
    pc: int
    layer: int
    """Trip of the loop over layers; -1 outside."""
    extents: Extents | None = None
    """Of the bounded axes of the instruction that is executed; None where the engine waits."""


class Level(NamedTuple):
    """Slots of a channel from a time on."""

    time: int
    channel: int
    used: int
    """Acquired and not yet released by all consumers."""
    filled: int
    """Of them, committed: the rest is being written."""


class Service(NamedTuple):
    """Main memory at work on one move: chunks of it without others between them."""

    engine: int
    begin: int
    end: int
    nbytes: int
    pc: int
    layer: int


class Arrow(NamedTuple):
    """From the slice that fills a slot to the slice that takes it, as numbers of slices."""

    source: int
    target: int


class Complete(Exception):
    """All that was to be recorded is."""


@dataclass
class _Move:
    """A move that main memory has still to serve."""

    pc: int
    layer: int
    left: int
    """Bytes of bursts."""
    service: int = -1
    """The last service of it."""


@dataclass
class Recorder:
    """A launch, or the part of it between two times, which lie inside it.

    Raises TimingError beyond `most` events, and Complete when nothing before `end` is missing.
    """

    launch: Decoded
    begin: int
    end: int
    most: int
    earlier: int = 0
    """Events of earlier launches, which count."""
    slices: list[Slice] = field(default_factory=list[Slice])
    levels: list[Level] = field(default_factory=list[Level])
    services: list[Service] = field(default_factory=list[Service])
    arrows: list[Arrow] = field(default_factory=list[Arrow])

    def __post_init__(self) -> None:
        launch, channels = self.launch, self.launch.program.channels
        self._until = [0] * len(launch.engines)
        """Up to where the time of each engine is known."""
        self._halted = {e for e, stream in enumerate(launch.streams) if not stream}
        self._counters = [layer_counters(launch, e) for e in range(len(launch.engines))]
        self._before = [Level(self.begin, n, c.primed, c.primed) for n, c in enumerate(channels)]
        """Levels at `begin`."""
        self._last: dict[int, int] = {}
        """Channel -> its last level."""
        self._moves: list[deque[_Move]] = [deque() for _ in launch.engines]
        self._commits = [c.primed for c in channels]
        self._waits: Counter[tuple[int, int]] = Counter()
        """By channel and consumer."""
        self._sources: dict[tuple[int, int], tuple[int, int]] = {}
        """(channel, number of the slot) -> the slice that fills it, consumers that will take it."""
        self._chunk = transfer_ps(launch.machine, ARBITRATION_BYTES) if self._far() else 0

    def _far(self) -> bool:
        return any(region.memory == "hbm" for region in self.launch.program.regions)

    # What the simulation tells

    def executed(self, engine: Engine, timed: Timed, extents: Extents, cost: Cost) -> None:
        """An instruction begins."""
        assert engine.time == self._until[engine.index], "the time of an engine has no gap"
        if engine.time > self.end + self._chunk and self._complete():
            raise Complete
        if timed.ins.mnemonic == "halt":
            self._halted.add(engine.index)
        if cost.burst_bytes:
            move = _Move(engine.pc, self._layer(engine), cost.burst_bytes)
            self._moves[engine.index].append(move)
        if cost.busy_ps or timed.begins or timed.ends:
            number = self._spend(engine, cost.kind, cost.busy_ps - cost.moving_ps, extents)
            if cost.moving_ps:
                self._spend(engine, "move", cost.moving_ps, extents)
            self._connect(engine, timed, number)

    def blocked(self, engine: Engine, cause: str, waited: int) -> None:
        """A blocked engine goes on."""
        if waited:
            self._spend(engine, cause, waited, None)

    def level(self, number: int, channel: Channel, now: int) -> None:
        """Slots of a channel were acquired, committed or released."""
        free = min(channel.released.values())
        found = Level(now, number, channel.acquired - free, channel.committed - free)
        last = self._last.get(number, -1)
        if now <= self.begin:
            self._before[number] = found._replace(time=self.begin)
        elif last >= 0 and self.levels[last].time == now:
            self.levels[last] = found
        elif now <= self.end:
            self._last[number] = len(self.levels)
            self.levels.append(found)
            self._count(now)

    def served(self, queue: int, began: int, now: int, nbytes: int) -> None:
        """Main memory has served a chunk of the first move of a queue."""
        move = self._moves[queue][0]
        move.left -= nbytes
        if not move.left:
            self._moves[queue].popleft()
        begin, end = max(began, self.begin), min(now, self.end)
        if begin >= end:
            return
        last = self.services[-1] if self.services else None
        if last and move.service == len(self.services) - 1 and last.end == begin:
            self.services[-1] = last._replace(end=end, nbytes=last.nbytes + nbytes)
        else:
            move.service = len(self.services)
            self.services.append(Service(queue, begin, end, nbytes, move.pc, move.layer))
            self._count(now)

    @property
    def events(self) -> int:
        """Events recorded."""
        return len(self.slices) + len(self.levels) + len(self.services)

    def finish(self) -> None:
        """The time of engines that have halted, and the levels at `begin`."""
        for engine, until in enumerate(self._until):
            if max(until, self.begin) < self.end:
                self.slices.append(Slice(engine, max(until, self.begin), self.end, "done", -1, -1))
        self.levels[:0] = self._before

    # What follows from it

    def _complete(self) -> bool:
        return all(
            until >= self.end or engine in self._halted for engine, until in enumerate(self._until)
        )

    def _layer(self, engine: Engine) -> int:
        register = self._counters[engine.index][engine.pc]
        return -1 if register < 0 else engine.registers[register]

    def _spend(self, engine: Engine, cause: str, time: int, extents: Extents | None) -> int:
        """The slice of the next picoseconds of an engine; -1 where it is not to be recorded."""
        begin = self._until[engine.index]
        end = self._until[engine.index] = begin + time
        if end < self.begin or begin > self.end or (time and self.begin in (end, self.end)):
            return -1
        self.slices.append(
            Slice(
                engine.index,
                max(begin, self.begin),
                min(end, self.end),
                cause,
                engine.pc,
                self._layer(engine),
                extents,
            )
        )
        self._count(begin)
        return len(self.slices) - 1

    def _connect(self, engine: Engine, timed: Timed, number: int) -> None:
        """Arrows to a slice from those that filled the slots it takes: first in, first out."""
        for step in timed.begins:
            if step.producer:
                continue
            slot = self._waits[step.channel, engine.index]
            self._waits[step.channel, engine.index] += 1
            source, left = self._sources.pop((step.channel, slot), (-1, 0))
            if left > 1:
                self._sources[step.channel, slot] = (source, left - 1)
            if min(source, number) >= 0:
                self.arrows.append(Arrow(source, number))
        for step in timed.ends:
            if step.producer:
                consumers = len(self.launch.program.channels[step.channel].consumers)
                self._sources[step.channel, self._commits[step.channel]] = (number, consumers)
                self._commits[step.channel] += 1

    def _count(self, now: int) -> None:
        """Refuse the event that is one too many."""
        if self.earlier + self.events <= self.most:
            return
        reached = (now - self.begin) / (self.end - self.begin)
        raise TimingError(
            f"the trace has more than {self.most:,} events, which reach {reached:.1%} of the "
            f"launch's time; record some layers (--layers 0:2) or allow more events, at some 60 "
            "bytes each (--most-events)"
        )


def layer_counters(launch: Decoded, engine: int) -> list[int]:
    """The register that counts layers around each instruction of an engine; -1 outside of layers.

    It belongs to the outermost loop that is not itself a part of a layer.
    """
    stream, pairs = launch.streams[engine], launch.loaded.pairs[engine]
    places = launch.program.locations.get(launch.engines[engine]) or [""] * len(stream)
    loops = sorted(
        start for start, end in pairs.items() if start < end and "{l}" not in places[start]
    )
    found: list[int] = []
    for pc, place in enumerate(places):
        around = [start for start in loops if start < pc < pairs[start]]
        inside = around and "{l}" in place
        found.append(REGISTERS + stream[around[0]].ins.fields["counter"] if inside else -1)
    return found
