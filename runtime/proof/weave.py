"""All engines together: their streams woven into one run that enters each loop once.

Engines go on until each is at a step that blocks or at a loop. A loop is entered by all engines
that have a part in its channels at once, and only if all run it equally often; its body must leave
every channel as it found it. What is true of one trip is then true of any number of them, 0
included. Steps never take each other's turn away, so that where one run comes to the end, every run
does, in whatever order the engines go (C8): no launch can block for ever, and every channel ends as
it began (C1, C2, C3, C5).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..functional import UNFINISHED_FAULT, ChannelState, FaultPoint, Loaded
from .errors import ProofError, as_fault, location_of
from .streams import Item, Loop, Step
from .symbols import Sum, Symbols

Streams = tuple[tuple[Item, ...], ...]
"""Parallel to the engines."""
Totals = Counter[tuple[Sum, ...]]
"""Trip counts of the loops around -> how often something happens in them."""


@dataclass
class _Cursor:
    """How far an engine is in a list of items."""

    items: tuple[Item, ...]
    at: int = 0

    @property
    def item(self) -> Item | None:
        """What comes next; None at the end."""
        return self.items[self.at] if self.at < len(self.items) else None


def weave(loaded: Loaded, streams: Streams, symbols: Symbols) -> dict[str, int]:
    """Each channel's most slots in use in one run, at the real size of every ring.

    Raises ProofError: the channel that is out of balance, or what each engine waits for.
    """
    for number in range(len(loaded.program.channels)):
        _check_totals(loaded, streams, symbols, number)
    return _Weave(loaded, streams, symbols).run()


def totals_of(items: tuple[Item, ...], channel: int, around: tuple[Sum, ...] = ()) -> Totals:
    """How often an engine begins a slot of a channel, by the trip counts of the loops around."""
    found: Totals = Counter()
    for item in items:
        if isinstance(item, Loop):
            if channel not in item.channels or item.trips == Sum(0):
                continue
            if item.trips.known:
                for key, count in totals_of(item.body, channel, around).items():
                    found[key] += count * max(0, item.trips.constant)
            else:
                found.update(totals_of(item.body, channel, (*around, item.trips)))
        elif item.channel == channel and item.begins:
            found[around] += 1
    return found


def _check_totals(loaded: Loaded, streams: Streams, symbols: Symbols, number: int) -> None:
    """The producer of a channel begins as many slots as each consumer does."""
    channel = loaded.program.channels[number]
    names = [channel.producer, *channel.consumers]
    found = {
        name: totals_of(streams[loaded.engines.index(name)], number)
        for name in names
        if name in loaded.engines
    }
    for name in channel.consumers:
        if found[name] != found[channel.producer]:
            filled, taken = (_in_words(found[n], symbols) for n in (channel.producer, name))
            raise ProofError(
                "C2",
                f"channel '{channel.name}' is out of balance: {channel.producer} fills {filled} "
                f"slots, {name} takes {taken}{loaded.used_at(number)}",
            )


def _in_words(totals: Totals, symbols: Symbols) -> str:
    parts = [
        " x ".join([str(count), *(f"[{symbols.text(trips)}]" for trips in around)])
        for around, count in totals.items()
        if count
    ]
    return " + ".join(parts) or "0"


class _Weave:
    """One run."""

    def __init__(self, loaded: Loaded, streams: Streams, symbols: Symbols) -> None:
        self.loaded, self.streams, self.symbols = loaded, streams, symbols
        self.channels = [ChannelState.fresh(c) for c in loaded.program.channels]
        self.high = [c.primed for c in loaded.program.channels]

    def run(self) -> dict[str, int]:
        """To the end."""
        self._together({e: _Cursor(items) for e, items in enumerate(self.streams)})
        for number, state in enumerate(self.channels):
            left = state.left()
            if left != state.channel.primed:
                point = FaultPoint(UNFINISHED_FAULT, -1, -1, channel=number, x=left,
                                   y=state.channel.primed)  # fmt: skip
                raise as_fault("C2", self.loaded, point)
        return {
            state.channel.name: high for state, high in zip(self.channels, self.high, strict=True)
        }

    def _together(self, cursors: dict[int, _Cursor]) -> None:
        """Run lists of items of several engines to their ends."""
        while True:
            moved = False
            for engine, cursor in cursors.items():
                while isinstance(item := cursor.item, Step) and self._take(engine, item):
                    cursor.at, moved = cursor.at + 1, True
            if moved:
                continue
            if all(cursor.item is None for cursor in cursors.values()):
                return
            group = self._group(cursors)
            if not group:
                raise self._stuck(cursors)
            self._trip(group)
            for engine in group:
                cursors[engine].at += 1

    def _take(self, engine: int, step: Step) -> bool:
        """Do a step; False where it blocks."""
        state, name = self.channels[step.channel], self.loaded.engines[engine]
        if not step.begins:
            state.end(name)
        elif step.producer:
            if not state.can_acquire():
                return False
            state.acquired += 1
            used = state.acquired - min(state.released.values())
            self.high[step.channel] = max(self.high[step.channel], used)
        elif state.can_wait(name):
            state.waited[name] += 1
        else:
            return False
        return True

    def _group(self, cursors: dict[int, _Cursor]) -> dict[int, Loop]:
        """Engines that are all at a loop which they enter together; empty: there are none."""
        for first, cursor in cursors.items():
            if not isinstance(cursor.item, Loop):
                continue
            group: dict[int, Loop] = {}
            todo = [first]
            while todo:
                engine = todo.pop()
                item = cursors[engine].item if engine in cursors else None
                if not isinstance(item, Loop) or item.trips != cursor.item.trips:
                    group = {}
                    break
                group[engine] = item
                todo += [e for c in item.channels for e in self._parts(c) if e not in group]
            if group and self._closed(group):
                return group
        return {}

    def _parts(self, channel: int) -> list[int]:
        """Engines with a part in a channel."""
        one = self.loaded.program.channels[channel]
        return [self.loaded.engines.index(name) for name in (one.producer, *one.consumers)]

    def _closed(self, group: dict[int, Loop]) -> bool:
        """Whether every engine of every channel has steps of it in its loop."""
        return all(
            channel in group[other].channels
            for loop in group.values()
            for channel in loop.channels
            for other in self._parts(channel)
        )

    def _trip(self, group: dict[int, Loop]) -> None:
        """One trip of a loop; it leaves every channel as it found it."""
        channels = frozenset[int]().union(*(loop.channels for loop in group.values()))
        before = {number: _counts(self.channels[number]) for number in channels}
        self._together({engine: _Cursor(loop.body) for engine, loop in group.items()})
        for number in channels:
            after = _counts(self.channels[number])
            grown = {key: after[key] - before[number][key] for key in after}
            if len(set(grown.values())) > 1:
                channel = self.channels[number].channel
                engine, loop = next((e, g) for e, g in group.items() if number in g.channels)
                words = ", ".join(f"{key} {value}" for key, value in grown.items())
                raise ProofError(
                    "C2",
                    f"one trip of the loop at {self._at(engine, loop.pc)} changes channel "
                    f"'{channel.name}': {words}; all must grow alike, else the number of trips "
                    f"decides whether it blocks{self.loaded.used_at(number)}",
                )

    def _at(self, engine: int, pc: int) -> str:
        place = location_of(self.loaded, engine, pc)
        return f"{self.loaded.engines[engine]} instruction {pc}{f' ({place})' if place else ''}"

    def _stuck(self, cursors: dict[int, _Cursor]) -> ProofError:
        """What each engine waits for. The first that waits for a slot is named as the place."""
        notes: list[str] = []
        first: tuple[int, Step] | None = None
        for engine, cursor in cursors.items():
            item = cursor.item
            if isinstance(item, Step):
                name = self.loaded.program.channels[item.channel].name
                notes.append(f"{self._at(engine, item.pc)} is at {item.verb} of '{name}'")
                first = first or (engine, item)
            elif item is not None:
                names = sorted(self.loaded.program.channels[c].name for c in item.channels)
                notes.append(
                    f"{self._at(engine, item.pc)} is at a loop of {self.symbols.text(item.trips)} "
                    f"trips over {', '.join(map(repr, names))}"
                )
        message = f"no engine can go on: {'; '.join(notes)}"
        if first is None:
            return ProofError("C2", message)
        engine, step = first
        name, place = self.loaded.engines[engine], location_of(self.loaded, engine, step.pc)
        return ProofError("C2", message, name, step.pc, place)


def _counts(state: ChannelState) -> dict[str, int]:
    """The counters of a channel, by what messages call them."""
    channel = state.channel
    found = {
        f"acquires of {channel.producer}": state.acquired,
        f"commits of {channel.producer}": state.committed,
    }
    for name in channel.consumers:
        found[f"waits of {name}"] = state.waited[name]
        found[f"releases of {name}"] = state.released[name]
    return found
