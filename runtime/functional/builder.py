"""Programs written by hand: instructions by mnemonic, operands by the names of places.

    b = Builder()
    w = b.channel("w", "ld", ["mxu"], slots=2, slot_bytes=4096)
    b.emit("ld", "copy", dst=b.begin(w, b.dense("u8", 4096)).ending(), src=b.at(region, view))
    program = b.program()

For tests, benchmarks and experiments; the compiler has its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    NO_REGISTER,
    REGION,
    SYNC_KINDS,
    Channel,
    ChannelKind,
    Ins,
    Memory,
    Operand,
    Parameter,
    Program,
    Region,
    Role,
    Space,
    View,
    dense_view,
    encode_all,
)


@dataclass(frozen=True)
class Place:
    """A channel or region of the program being built."""

    kind: int
    id: int


@dataclass(frozen=True)
class Use:
    """An operand in the making."""

    operand: Operand

    def beginning(self) -> Use:
        """The same with an acquire or wait before."""
        return Use(replace(self.operand, begin=True))

    def ending(self) -> Use:
        """The same with a commit or release after."""
        return Use(replace(self.operand, end=True))


class Builder:
    """Collects tables and streams; `program` gives the Program."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Ins]] = {}
        self.views: list[View] = []
        self.constants: list[float] = []
        self.channels: list[Channel] = []
        self.regions: list[Region] = []
        self.parameters: list[Parameter] = []
        self.words: list[int] = []

    def channel(self, name: str, producer: str, consumers: Sequence[str], slots: int = 1,
                slot_bytes: int = 0, space: Space = "spm", base: int = 0, primed: int = 0,
                kind: ChannelKind = "slot", largest: int = 0) -> Place:  # fmt: skip
        """Declare a channel."""
        self.channels.append(Channel(name, producer, tuple(consumers), kind, slots, slot_bytes,
                                     space, base, primed, largest))  # fmt: skip
        return Place(CHANNEL, len(self.channels) - 1)

    def token(self, name: str, producer: str, consumers: Sequence[str], slots: int = 1,
              primed: int = 0) -> Place:  # fmt: skip
        """Declare a channel of no bytes."""
        return self.channel(name, producer, consumers, slots, 0, "none", 0, primed, "token")

    def region(self, name: str, memory: Memory, base: int, nbytes: int, role: Role = "scratch",
               owner: str = "") -> Place:  # fmt: skip
        """Declare a region."""
        self.regions.append(Region(name, memory, base, nbytes, role, owner))
        return Place(REGION, len(self.regions) - 1)

    def parameter(self, name: str, count: int = 1, lo: int = 0, hi: int = 1 << 20) -> int:
        """Declare launch-parameter words; the index of the first."""
        offset = max([len(self.words), *(p.offset + p.count for p in self.parameters)])
        self.parameters.append(Parameter(name, offset, count, lo, hi))
        return offset

    def at(self, place: Place, view: View, age: int = 0, reg: int = NO_REGISTER) -> Use:
        """An operand in a place, seen through a view."""
        return Use(Operand(place.kind, place.id, self._number(view), age, reg))

    def dense(self, place: Place, format: str, *shape: int, offset: int = 0, age: int = 0,
              reg: int = NO_REGISTER) -> Use:  # fmt: skip
        """A contiguous operand in a place."""
        return self.at(place, dense_view(format, shape, offset), age, reg)

    def constant(self, value: float) -> Use:
        """A constant operand."""
        return Use(Operand(CONSTANT, 0, self.constant_number(value)))

    def constant_number(self, value: float) -> int:
        """Index of a constant in the table."""
        self.constants.append(value)
        return len(self.constants) - 1

    def _number(self, view: View) -> int:
        if view not in self.views:
            self.views.append(view)
        return self.views.index(view)

    def emit(self, engine: str, mnemonic: str, **parts: Use | int | str) -> None:
        """Append an instruction; enum fields take their values' names."""
        row = BY_MNEMONIC[mnemonic]
        values = {f.name: f.values for f in row.fields}
        operands = {name: use.operand for name, use in parts.items() if isinstance(use, Use)}
        fields: dict[str, int] = {}
        for name, part in parts.items():
            if isinstance(part, str):
                fields[name] = values[name].index(part)
            elif isinstance(part, int):
                fields[name] = part
        self.streams.setdefault(engine, []).append(Ins(mnemonic, operands, fields))

    def sync(self, engine: str, kind: str, place: Place, n: int = 1) -> None:
        """Append an acquire, wait, commit or release of n slots or tokens."""
        self.emit(engine, "sync", kind=SYNC_KINDS.index(kind), channel=place.id, n=n)

    def program(self, halt: bool = True) -> Program:
        """The program; every stream ends with a halt unless told otherwise."""
        end = [Ins("halt")] if halt else []
        engines = {name: encode_all([*stream, *end]) for name, stream in self.streams.items()}
        return Program(
            engines,
            tuple(self.views),
            np.array(self.constants, np.float32),
            tuple(self.channels),
            tuple(self.regions),
            tuple(self.parameters),
            np.array(self.words, np.int64),
        )
