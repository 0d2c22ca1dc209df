"""The reference engine: one readable step an instruction, plain numpy, `backend.numerics`.

Slow and plain; the compiled engine (`fast`) is tested to give the same bits and the same faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...backend.isa import (
    ALU_FUNCTIONS,
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    COUNTERS,
    NO_REGISTER,
    REGISTERS,
    SYNC_KINDS,
    Ins,
    Operand,
)
from ...backend.numerics import alu
from .access import Access
from .channels import ChannelState
from .faults import (
    AGE_FAULT,
    ALIGNMENT_FAULT,
    BOUNDS_FAULT,
    COMMIT_FAULT,
    DEADLOCK_FAULT,
    EXTENT_FAULT,
    HELD_FAULT,
    POP_FAULT,
    RELEASE_FAULT,
    TABLE_FAULT,
    UNFINISHED_FAULT,
    UNINITIALISED_FAULT,
    FaultPoint,
)
from .loader import Loaded
from .memories import Memories, is_stored
from .orders import MAX_RANDOM_QUANTUM, Order, next_random
from .reference_ops import execute
from .waiting import Blocked, deadlock_note


@dataclass
class EngineState:
    """One engine in the middle of a launch."""

    index: int
    name: str
    pc: int = 0
    halted: bool = False
    registers: list[int] = field(default_factory=lambda: [0] * (REGISTERS + COUNTERS))
    """r0 to r15, then c0 to c7."""
    trips: list[int] = field(default_factory=lambda: [0] * COUNTERS)
    """Trip counts of running loops, by counter."""
    begun: int = 0
    """Begins of the current instruction that are done."""
    executed: int = 0


class ReferenceEngine:
    """Runs the streams of all engines over `Memories`."""

    def __init__(self, loaded: Loaded, memories: Memories, checks: bool = True) -> None:
        self.loaded = loaded
        self.program = loaded.program
        self.memories = memories
        self.checks = checks
        self.engines: list[EngineState] = []
        self.channels: list[ChannelState] = []
        self.words: list[int] = []
        self._scalar: dict[str, Callable[[EngineState, Ins], bool]] = {
            "li": self._li, "alu": self._alu, "ldp": self._ldp, "pop": self._pop,
            "loop": self._loop, "next": self._next, "sync": self._sync, "halt": self._halt,
        }  # fmt: skip

    def run(self, words: npt.NDArray[np.int64], order: Order) -> dict[str, int]:
        """One launch; the instructions executed by each engine. Raises Fault."""
        self.prepare(words.tolist())
        turns = order.sorted(self.loaded.engines)
        state, quantum = order.seed, order.quantum
        while not all(engine.halted for engine in self.engines):
            if state:
                for i in range(len(turns) - 1, 0, -1):
                    state = next_random(state)
                    j = state % (i + 1)
                    turns[i], turns[j] = turns[j], turns[i]
                state = next_random(state)
                quantum = 1 + state % MAX_RANDOM_QUANTUM
            self._round(turns, quantum, order.restart)
        self._finish()
        return {e.name: e.executed for e in self.engines if e.name in self.program.engines}

    def prepare(self, words: Sequence[int]) -> None:
        """The state at the begin of a launch with these words of launch parameters."""
        self.engines = [
            EngineState(i, name, halted=not self.loaded.instructions[i])
            for i, name in enumerate(self.loaded.engines)
        ]
        self.channels = [ChannelState.fresh(c) for c in self.program.channels]
        self.words = [int(w) for w in words]

    def _round(self, turns: list[int], quantum: int, restart: bool) -> None:
        progress = False
        for i in turns:
            engine, left = self.engines[i], quantum
            while left and not engine.halted and self._step(engine):
                left, progress = left - 1, True
            if progress and restart:
                return
        if not progress:
            blocked = [Blocked(e.index, e.pc, e.begun) for e in self.engines if not e.halted]
            self._fault(
                FaultPoint(DEADLOCK_FAULT, -1, -1, note=deadlock_note(self.loaded, blocked))
            )

    def _finish(self) -> None:
        for number, state in enumerate(self.channels):
            left = state.left()
            if left != state.channel.primed:
                self._fault(FaultPoint(UNFINISHED_FAULT, -1, -1, channel=number, x=left,
                                       y=state.channel.primed))  # fmt: skip

    def _fault(self, point: FaultPoint) -> None:
        raise self.loaded.fault(point)

    def _fault_in(self, engine: EngineState, kind: int, operand: int = -1, channel: int = -1,
                  x: int = 0, y: int = 0, z: int = 0) -> None:  # fmt: skip
        around = self.loaded.loop_counters(engine.index, engine.pc)
        counters = tuple(engine.registers[REGISTERS + c] for c in around)
        self._fault(FaultPoint(kind, engine.index, engine.pc, operand, channel, x, y, z, counters))

    def _step(self, engine: EngineState) -> bool:
        """Execute one instruction; False where it is blocked."""
        ins = self.loaded.instructions[engine.index][engine.pc]
        scalar = self._scalar.get(ins.mnemonic)
        if scalar is not None:
            if not scalar(engine, ins):
                return False
        else:
            if not self._begin(engine, ins):
                return False
            execute(self, engine, ins)
            self._end(engine, ins)
            engine.pc += 1
        engine.begun = 0
        engine.executed += 1
        return True

    def _operands(self, ins: Ins) -> list[tuple[int, str, Operand]]:
        names = [spec.name for spec in BY_MNEMONIC[ins.mnemonic].operands]
        return [(i, n, ins.operands[n]) for i, n in enumerate(names) if n in ins.operands]

    def _begin(self, engine: EngineState, ins: Ins) -> bool:
        for i, _, operand in self._operands(ins):
            if operand.begin and not engine.begun >> i & 1:
                if not self._begin_slot(engine, operand.id):
                    return False
                engine.begun |= 1 << i
        return True

    def _begin_slot(self, engine: EngineState, number: int) -> bool:
        state = self.channels[number]
        if state.channel.producer != engine.name:
            if not state.can_wait(engine.name):
                return False
            state.waited[engine.name] += 1
            return True
        if not state.can_acquire():
            return False
        if state.channel.space != "none":
            memory = self.memories.spm if state.channel.space == "spm" else self.memories.acc
            start = state.address(state.acquired)
            end = start + state.channel.slot_bytes
            memory.mark(start, end, written=state.channel.space == "acc")
            if state.channel.space == "acc":
                memory.data[start:end] = 0
        state.acquired += 1
        return True

    def _end(self, engine: EngineState, ins: Ins) -> None:
        for _, _, operand in self._operands(ins):
            if operand.end:
                self.channels[operand.id].end(engine.name)

    def access(
        self,
        engine: EngineState,
        index: int,
        operand: Operand,
        shape: tuple[int, ...],
        mode: str,
        more: int = 0,
    ) -> Access:
        """The bytes of an operand, `more` bytes further than it says.

        Raises Fault for alignment, bounds, age and unwritten bytes.
        """
        view = self.program.views[operand.view]
        memory, data, start = self.memories.spm, self.memories.spm.data, 0
        if operand.kind == CHANNEL:
            state = self.channels[operand.id]
            held = state.held(engine.name)
            if operand.age >= held:
                self._fault_in(engine, AGE_FAULT, index, x=operand.age, y=held)
            memory = self.memories.spm if state.channel.space == "spm" else self.memories.acc
            data, size = memory.data, state.channel.slot_bytes
            start = state.address(state.oldest(engine.name) + operand.age)
        else:
            region = self.program.regions[operand.id]
            size = region.nbytes
            if is_stored(region):
                memory, data = None, self.memories.bytes_of(region)
            else:
                memory = self.memories.memory(region)
                data, start = memory.data, region.base - memory.first
        shift = 0 if operand.reg == NO_REGISTER else engine.registers[operand.reg]
        access = Access(memory, data, (start, start + size), view, shape, shift + more)
        runs = access.runs()
        if not view.order and access.offset % access.item:
            self._fault_in(engine, ALIGNMENT_FAULT, index, x=access.offset, y=access.item)
        if runs:
            low, high = min(a for a, _ in runs), max(b for _, b in runs)
            if low < 0 or high > size:
                self._fault_in(engine, BOUNDS_FAULT, index, x=low, y=high, z=size)
        if memory is not None and self.checks and mode != "write":
            for first, end in runs:
                missing = memory.first_unwritten(start + first, start + end)
                if missing >= 0:
                    self._fault_in(engine, UNINITIALISED_FAULT, index, x=missing - start)
        return access

    def wrote(self, access: Access) -> None:
        """Count the bytes of an access as written."""
        assert access.memory is not None
        for first, end in access.runs():
            access.memory.mark(access.place[0] + first, access.place[0] + end)

    def clip(self, engine: EngineState, shape: tuple[int, ...], bounds: list[int]) -> list[int]:
        """Extents after bound registers; 31 is none."""
        out: list[int] = []
        for extent, register in zip(shape, bounds, strict=True):
            limit = extent if register == NO_REGISTER else engine.registers[register]
            out.append(max(0, min(extent, limit)))
        return out

    def extent_fault(self, engine: EngineState, operand: int, x: int, y: int, z: int) -> None:
        """Axis `z` of an operand has extent `x`, at least `y` is wanted."""
        self._fault_in(engine, EXTENT_FAULT, operand, x=x, y=y, z=z)

    def constant(self, operand: Operand) -> np.float32:
        """The value of a constant operand."""
        assert operand.kind == CONSTANT
        return np.float32(self.program.constants[operand.view])

    def _li(self, engine: EngineState, ins: Ins) -> bool:
        engine.registers[ins.fields["rd"]] = ins.fields["imm"]
        engine.pc += 1
        return True

    def _alu(self, engine: EngineState, ins: Ins) -> bool:
        f = ins.fields
        a = engine.registers[f["ra"]]
        b = f["imm"] if f["rb"] == NO_REGISTER else engine.registers[f["rb"]]
        engine.registers[f["rd"]] = alu(ALU_FUNCTIONS[f["fn"]], a, b)
        engine.pc += 1
        return True

    def _ldp(self, engine: EngineState, ins: Ins) -> bool:
        f = ins.fields
        index = f["word"] + (0 if f["ra"] == NO_REGISTER else engine.registers[f["ra"]])
        if not 0 <= index < len(self.words):
            self._fault_in(engine, TABLE_FAULT, x=index, y=len(self.words) - 1)
        engine.registers[f["rd"]] = self.words[index]
        engine.pc += 1
        return True

    def _pop(self, engine: EngineState, ins: Ins) -> bool:
        number = ins.fields["channel"]
        if not self._begin_slot(engine, number):
            return False
        state = self.channels[number]
        start = state.address(state.oldest(engine.name)) + ins.fields["offset"]
        memory = self.memories.spm if state.channel.space == "spm" else self.memories.acc
        word = int(memory.data[start : start + 4].view(np.int32)[0])
        unwritten = self.checks and memory.first_unwritten(start, start + 4) >= 0
        if unwritten or not 0 <= word <= state.channel.max:
            self._fault_in(engine, POP_FAULT, channel=number, x=-1 if unwritten else word,
                           y=state.channel.max)  # fmt: skip
        engine.registers[ins.fields["rd"]] = word
        state.end(engine.name)
        engine.pc += 1
        return True

    def _loop(self, engine: EngineState, ins: Ins) -> bool:
        f = ins.fields
        count = f["trips"] if f["count"] == NO_REGISTER else engine.registers[f["count"]]
        engine.trips[f["counter"]] = count
        engine.registers[REGISTERS + f["counter"]] = 0
        inside = engine.pc + 1
        after = self.loaded.pairs[engine.index][engine.pc] + 1
        engine.pc = inside if count > 0 else after
        return True

    def _next(self, engine: EngineState, ins: Ins) -> bool:
        counter = ins.fields["counter"]
        engine.registers[REGISTERS + counter] += 1
        again = engine.registers[REGISTERS + counter] < engine.trips[counter]
        start = self.loaded.pairs[engine.index][engine.pc]
        engine.pc = start + 1 if again else engine.pc + 1
        return True

    def _sync(self, engine: EngineState, ins: Ins) -> bool:
        number, kind = ins.fields["channel"], SYNC_KINDS[ins.fields["kind"]]
        state = self.channels[number]
        for _ in range(engine.begun, ins.fields["n"]):
            if kind in ("acquire", "wait"):
                if not self._begin_slot(engine, number):
                    return False
                engine.begun += 1
                continue
            if state.held(engine.name) < 1:
                fault = COMMIT_FAULT if kind == "commit" else RELEASE_FAULT
                self._fault_in(engine, fault, channel=number)
            state.end(engine.name)
        engine.pc += 1
        return True

    def _halt(self, engine: EngineState, ins: Ins) -> bool:
        for number, state in enumerate(self.channels):
            involved = engine.name in (state.channel.producer, *state.channel.consumers)
            held = state.held(engine.name) if involved else 0
            if held:
                self._fault_in(engine, HELD_FAULT, channel=number, x=held)
        engine.halted = True
        return True
