"""One launch without values: addresses, bounds, the order of accesses to shared bytes, and that
bytes are written before they are read.

Loops of more than three trips are entered with counter 0, 1 and the last one, on every engine
alike: `weave` has shown that trips are alike to every channel. So are only the outermost loops,
those over layers, or none, where that is short enough; what slots hold is followed then. Proven of
the launch that is walked, not of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...backend.isa import (
    ALU_FUNCTIONS,
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    COUNTER_LOW,
    NO_REGISTER,
    PACKED_ROLES,
    REGION,
    Ins,
    Operand,
)
from ...backend.numerics import alu
from ..functional import BOUNDS_FAULT, ChannelState, FaultPoint, Loaded
from ..timing import Step, steps_of
from .clocks import Access, History, Runs
from .contents import Contents
from .errors import ProofError, as_fault, broken, location_of
from .streams import ALL_REGISTERS
from .touches import runs_of, touched

FIRST_TRIPS = 2


@dataclass
class EngineWalk:
    """One engine on its way."""

    clock: list[int]
    pc: int = 0
    halted: bool = False
    registers: list[int] = field(default_factory=lambda: [0] * ALL_REGISTERS)
    trips: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """Instruction of a loop -> counters that it is still to be entered with."""
    ends: dict[int, int] = field(default_factory=dict[int, int])
    begun: int = 0
    weights: list[float] = field(default_factory=lambda: [1.0])
    """Of the running loops: how many trips stand for one that is walked; all around multiplied."""


class Walk:
    """Walks a program with the words of one launch."""

    def __init__(self, loaded: Loaded, words: list[int], every: int | None = None) -> None:
        """`every`: how many loops must stand around one that is entered for every trip."""
        self.loaded, self.words, self.every = loaded, words, every
        count = len(loaded.engines)
        self.engines = [EngineWalk([0] * count) for _ in range(count)]
        for number, one in enumerate(self.engines):
            one.clock[number] = 1
            one.halted = not loaded.instructions[number]
        self.channels = [ChannelState.fresh(c) for c in loaded.program.channels]
        self.published: list[list[list[int]]] = [[] for _ in self.channels]
        self.steps = [
            [steps_of(loaded.program, name, ins) for ins in stream]
            for name, stream in zip(loaded.engines, loaded.instructions, strict=True)
        ]
        self.histories = {number: History() for number in _shared(loaded)}
        self.overlaps = _overlaps(loaded)
        self.lost: dict[int, int] = {}
        """Region -> the region that its bytes were given to since."""
        self.boxes: dict[tuple[int, tuple[int, ...]], Runs] = {}
        self.instructions = 0
        self.sizes = [0.0, 0.0]
        """About how many instructions walks have that enter every trip: of all loops, of all but
        the outermost."""
        self.contents = None if every is None else Contents(loaded, whole=every == 0)

    def run(self) -> int:
        """To the end; the instructions walked. Raises ProofError."""
        while not all(one.halted for one in self.engines):
            moved = False
            for number, one in enumerate(self.engines):
                while not one.halted and self._step(number, one):
                    moved = True
            if not moved:
                raise ProofError("C2", "no engine can go on in this launch")
        if self.contents:
            self.contents.ended()
        return self.instructions

    def _step(self, number: int, one: EngineWalk) -> bool:
        """One instruction; False where it blocks."""
        ins = self.loaded.instructions[number][one.pc]
        begins, ends = self.steps[number][one.pc]
        while one.begun < len(begins):
            if not self._begin(number, one, begins[one.begun]):
                return False
            one.begun += 1
        one.begun = 0
        if ins.operands:
            self._touch(number, one, ins)
        following = self._scalar(number, one, ins)
        for step in ends:
            self._end(number, one, step)
        one.pc = following
        self.instructions += 1
        outer = one.weights[1] if len(one.weights) > 1 else 1.0
        self.sizes[0] += one.weights[-1]
        self.sizes[1] += one.weights[-1] / outer
        return True

    def _begin(self, number: int, one: EngineWalk, step: Step) -> bool:
        state, name = self.channels[step.channel], self.loaded.engines[number]
        if step.producer:
            if not state.can_acquire():
                return False
            if self.contents:
                self.contents.acquired(step.channel, state.acquired)
            state.acquired += 1
            return True
        if not state.can_wait(name):
            return False
        at = state.waited[name] - state.channel.primed
        state.waited[name] += 1
        if at >= 0:
            one.clock[:] = map(max, one.clock, self.published[step.channel][at])
        return True

    def _end(self, number: int, one: EngineWalk, step: Step) -> None:
        if step.producer:
            self.published[step.channel].append([*one.clock])
            one.clock[number] += 1
        state = self.channels[step.channel]
        before = min(state.released.values())
        state.end(self.loaded.engines[number])
        if self.contents and min(state.released.values()) > before:
            self.contents.released(step.channel, before)

    def _scalar(self, number: int, one: EngineWalk, ins: Ins) -> int:
        """Registers and loops; the instruction that follows."""
        f, r, pc = ins.fields, one.registers, one.pc
        match ins.mnemonic:
            case "li":
                r[f["rd"]] = f["imm"]
            case "alu":
                second = f["imm"] if f["rb"] == NO_REGISTER else r[f["rb"]]
                r[f["rd"]] = alu(ALU_FUNCTIONS[f["fn"]], r[f["ra"]], second)
            case "ldp":
                index = f["word"] + (0 if f["ra"] == NO_REGISTER else r[f["ra"]])
                if not 0 <= index < len(self.words):
                    raise broken("C4", self.loaded, number, pc,
                                 f"ldp reads word {index} of the launch parameters, wanted 0 to "
                                 f"{len(self.words) - 1}")  # fmt: skip
                r[f["rd"]] = self.words[index]
            case "pop":  # Any word would do: the most makes the longest way.
                channel = f["channel"]
                r[f["rd"]] = self.loaded.program.channels[channel].max
                if self.contents:
                    oldest = self.channels[channel].oldest(self.loaded.engines[number])
                    self.contents.popped(channel, oldest, f["offset"])
            case "loop":
                count = f["trips"] if f["count"] == NO_REGISTER else r[f["count"]]
                return self._loop(number, one, max(count, 0))
            case "next":
                return self._enter(number, one, self.loaded.pairs[number][pc])
            case "halt":
                one.halted = True
                return pc
            case _:
                pass
        return pc + 1

    def _loop(self, number: int, one: EngineWalk, count: int) -> int:
        """Begin a loop of so many trips."""
        around = len(one.weights) - 1
        first = min(count, FIRST_TRIPS) if self.every is None or around < self.every else count
        trips = [*range(first), *range(max(count - 1, first), count)]
        one.trips[one.pc], one.ends[one.pc] = trips, count
        one.weights.append(one.weights[-1] * count / max(len(trips), 1))
        if self.contents and len(trips) < count:
            name = self.loaded.engines[number]
            for channel, state in enumerate(self.channels):
                producer = name == state.channel.producer
                if (producer or name in state.released) and (held := state.held(name)):
                    oldest = state.oldest(name)
                    self.contents.skipped(channel, range(oldest, oldest + held), producer)
        return self._enter(number, one, one.pc)

    def _enter(self, number: int, one: EngineWalk, loop: int) -> int:
        """The next trip of a loop, or what stands behind it."""
        counter = self.loaded.instructions[number][loop].fields["counter"]
        if one.trips[loop]:
            one.registers[COUNTER_LOW + counter] = one.trips[loop].pop(0)
            return loop + 1
        one.weights.pop()
        one.registers[COUNTER_LOW + counter] = one.ends[loop]
        return self.loaded.pairs[number][loop] + 1

    def _touch(self, number: int, one: EngineWalk, ins: Ins) -> None:
        views = self.loaded.program.views
        ours = list(touched(ins, views, one.registers))
        for written in (False, True):  # Sources are read before anything is written.
            for name, shape, writes in ours:
                if writes == written and ins.operands[name].kind != CONSTANT:
                    self._access(number, one, ins, name, shape, writes)

    def _access(
        self,
        number: int,
        one: EngineWalk,
        ins: Ins,
        name: str,
        shape: tuple[int, ...],
        writes: bool,
    ) -> None:
        operand = ins.operands[name]
        key = operand.view, shape
        runs = self.boxes.get(key)
        if runs is None:
            runs = self.boxes[key] = runs_of(self.loaded.program.views[operand.view], shape)
        if not runs:
            return
        shift = 0 if operand.reg == NO_REGISTER else one.registers[operand.reg]
        low, high, size = runs[0][0] + shift, runs[-1][1] + shift, self._size(operand)
        if low < 0 or high > size:
            index = [spec.name for spec in BY_MNEMONIC[ins.mnemonic].operands].index(name)
            point = FaultPoint(BOUNDS_FAULT, number, one.pc, index, x=low, y=high, z=size)
            raise as_fault("C4", self.loaded, point)
        here = [(a + shift, b + shift) for a, b in runs] if shift else runs
        if operand.kind == REGION:
            self._follow(number, one, operand.id, writes)
            if operand.id in self.histories:
                self._order(number, one, operand.id, writes, here)
        if self.contents:
            slot = 0
            if operand.kind == CHANNEL:
                slot = self.channels[operand.id].oldest(self.loaded.engines[number]) + operand.age
            self.contents.touched(number, one.pc, ins, name, slot, here, writes)

    def _size(self, operand: Operand) -> int:
        program = self.loaded.program
        if operand.kind == CHANNEL:
            return program.channels[operand.id].slot_bytes
        return program.regions[operand.id].nbytes

    def _order(self, number: int, one: EngineWalk, region: int, writes: bool, runs: Runs) -> None:
        access = Access(number, one.pc, one.clock[number], writes, runs)
        other = self.histories[region].add(access, one.clock)
        if other is None:
            return
        place = location_of(self.loaded, other.engine, other.pc)
        name, engine = self.loaded.program.regions[region].name, self.loaded.engines[other.engine]
        pair = {engine, self.loaded.engines[number]}
        tokens = [
            c.name
            for c in self.loaded.program.channels
            if c.kind == "token" and c.producer in pair and pair & {*c.consumers} - {c.producer}
        ]
        known = f" ({', '.join(map(repr, tokens))} should)" if tokens else ""
        raise broken(
            "C6", self.loaded, number, one.pc,
            f"{'writes' if writes else 'reads'} bytes {access.span[0]}..{access.span[1]} of region "
            f"'{name}' unordered after the {'write' if other.writes else 'read'} of {engine} "
            f"instruction {other.pc}{f' ({place})' if place else ''}; a token from {engine} to "
            f"{self.loaded.engines[number]} must lie between them{known}",
        )  # fmt: skip

    def _follow(self, number: int, one: EngineWalk, region: int, writes: bool) -> None:
        """Whose the bytes of buffers are that share them."""
        others = self.overlaps.get(region)
        if not others:
            return
        if writes:
            self.lost.pop(region, None)
            self.lost.update(dict.fromkeys(others, region))
        elif region in self.lost:
            names = [self.loaded.program.regions[r].name for r in (region, self.lost[region])]
            raise broken(
                "addresses", self.loaded, number, one.pc,
                f"reads region '{names[0]}', whose bytes were given to region '{names[1]}' since",
            )  # fmt: skip


def _shared(loaded: Loaded) -> set[int]:
    """Mutable regions that several engines touch."""
    users: dict[int, set[str]] = {}
    for name, stream in zip(loaded.engines, loaded.instructions, strict=True):
        for ins in stream:
            for operand in ins.operands.values():
                if operand.kind == REGION:
                    users.setdefault(operand.id, set()).add(name)
    roles = [region.role for region in loaded.program.regions]
    return {n for n, names in users.items() if len(names) > 1 and roles[n] not in PACKED_ROLES}


def _overlaps(loaded: Loaded) -> dict[int, list[int]]:
    """Buffers that share bytes with others."""
    local = [(n, r) for n, r in enumerate(loaded.program.regions) if r.owner and r.nbytes]
    return {
        n: [
            m for m, s in local
            if m != n and s.memory == r.memory
            and s.base < r.base + r.nbytes and r.base < s.base + s.nbytes
        ]
        for n, r in local
    }  # fmt: skip
