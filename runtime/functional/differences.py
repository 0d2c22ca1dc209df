"""Two programs side by side: the first instruction that writes something else.

    wanted = Record(load(program, machine), memories); wanted.run(words)
    found = Record(load(other, machine), memories, wanted); found.run(words)
    print(found.first)

What an engine writes does not depend on the order in which engines run (C8), so that the writes of
each are compared one by one, in any order. Up to the first that differs all that was read was the
same: the instruction is the one at fault, or it reads what a missing step should have guarded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ...backend.isa import CHANNEL, CONSTANT, REGISTERS, Operand, Program
from .access import Access
from .loader import Loaded
from .memories import Memories
from .orders import Order, find_order
from .reference import EngineState, ReferenceEngine

Write = tuple[str, int, bytes, bytes]
"""Name of the channel or region, first byte in it, digests of which bytes and of their values."""


@dataclass(frozen=True)
class Difference:
    """A write that differs from the one wanted in its place."""

    engine: str
    pc: int
    location: str
    """The model op."""
    text: str


@dataclass
class _Kept:
    """What one engine did."""

    writes: list[Write] = field(default_factory=list[Write])
    places: list[int] = field(default_factory=list[int])
    """Instruction of each write."""


class Record(ReferenceEngine):
    """The reference engine, noting every write or comparing it with another record's."""

    def __init__(
        self,
        loaded: Loaded,
        memories: Memories,
        wanted: Record | None = None,
        near: tuple[str, int] | None = None,
    ) -> None:
        """`near`: an engine and its instruction of which reads are kept as well."""
        super().__init__(loaded, memories)
        self.wanted, self.near = wanted, near
        self.kept = {name: _Kept() for name in loaded.engines}
        self.first: Difference | None = None
        """The first write that is not as wanted."""
        self.differing: set[tuple[str, int]] = set()
        """Engine and instruction of all of them."""
        self.reads: list[bytes] = []
        """What the instruction `near` read, a digest each time."""
        self._open: dict[int, Operand] = {}

    def launch(self, words: np.ndarray, order: Order | None = None) -> None:
        """One launch after what the memories hold. Raises Fault."""
        self.memories.begin_launch(self.program)
        self.run(words, order or find_order("sequential"))

    def _step(self, engine: EngineState) -> bool:
        self._open.clear()
        return super()._step(engine)

    def access(
        self,
        engine: EngineState,
        index: int,
        operand: Operand,
        shape: tuple[int, ...],
        mode: str,
        more: int = 0,
    ) -> Access:
        access = super().access(engine, index, operand, shape, mode, more)
        self._now = engine
        self._open[id(access)] = operand
        if mode != "write" and (engine.name, engine.pc) == self.near:
            self.reads.append(_digest(access))
        return access

    def wrote(self, access: Access) -> None:
        super().wrote(access)
        runs = access.runs()
        if not runs:
            return
        engine, operand = self._now, self._open[id(access)]
        kept = self.kept[engine.name]
        where = blake2b(np.array(runs).tobytes(), digest_size=8).digest()
        write = (_name(self.program, operand), runs[0][0], where, _digest(access))
        kept.writes.append(write)
        kept.places.append(engine.pc)
        if self.wanted is None:
            return
        others = self.wanted.kept[engine.name].writes
        other = others[len(kept.writes) - 1] if len(kept.writes) <= len(others) else None
        if write != other:
            self.differing.add((engine.name, engine.pc))
            self.first = self.first or self._difference(engine, write, other)

    def _difference(self, engine: EngineState, write: Write, other: Write | None) -> Difference:
        name, at, where, _ = write
        if other is None:
            what = f"writes {name} once more than wanted"
        elif other[0] != name:
            what = f"writes {name}, wanted {other[0]}"
        elif (other[1], other[2]) != (at, where):
            what = f"writes {name} from byte {at} on, wanted {_elsewhere(at, other[1])}"
        else:
            what = f"writes other values to {name}"
        ins = self.loaded.instructions[engine.index][engine.pc]
        reads = [
            f"{n} from {_name(self.program, o)}"
            for n, o in ins.operands.items()
            if o.kind != CONSTANT and _name(self.program, o) != name
        ]
        place = self.loaded.place(engine.index, engine.pc, self._counters(engine))
        source = f"; it reads {', '.join(reads)}" if reads else ""
        where = f"{engine.name} instruction {engine.pc}{f', {place}' if place else ''}"
        text = f"{where}: {ins.mnemonic} {what}{source}"
        return Difference(engine.name, engine.pc, place, text)

    def _counters(self, engine: EngineState) -> tuple[int, ...]:
        around = self.loaded.loop_counters(engine.index, engine.pc)
        return tuple(engine.registers[REGISTERS + counter] for counter in around)


def _elsewhere(at: int, wanted: int) -> str:
    return "other bytes there" if at == wanted else f"from byte {wanted} on"


def _name(program: Program, operand: Operand) -> str:
    if operand.kind == CHANNEL:
        return f"channel '{program.channels[operand.id].name}'"
    return f"region '{program.regions[operand.id].name}'"


def _digest(access: Access) -> bytes:
    digest = blake2b(digest_size=8)
    start = access.place[0]
    for first, end in access.runs():
        digest.update(access.data[start + first : start + end].tobytes())
    return digest.digest()
