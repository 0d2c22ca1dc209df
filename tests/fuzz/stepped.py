"""A third timing model, written from docs/timing.md alone: it steps through time cycle by cycle.

Only for machines all of whose durations are whole cycles. It shares no code with the emulator but
the decoder of instruction words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from stepped_durations import MOVES, SCALARS, Durations, Step

from tilewright.backend.isa.codec import Ins, decode, loop_pairs
from tilewright.backend.isa.program import Program
from tilewright.backend.isa.table import BY_MNEMONIC
from tilewright.backend.machine import Machine

CHUNK = 16_384
ALU: dict[str, Callable[[int, int], int]] = {
    "add": int.__add__, "sub": int.__sub__, "mul": int.__mul__, "min": min, "max": max,
    "shl": int.__lshift__, "shr": int.__rshift__, "and": int.__and__,
}  # fmt: skip
NEVER = 10**9


@dataclass
class Move:
    """A move with bytes in main memory, or (without) an end that stands behind one."""

    ends: list[Step]
    bursts: int = 0
    left: int = 0
    latency: int = 0
    handed: int = NEVER
    read: int = NEVER
    done: int = NEVER
    held: int = 0


@dataclass
class Engine:
    name: str
    stream: list[Ins]
    pairs: dict[int, int]
    pc: int = 0
    registers: list[int] = field(default_factory=lambda: [0] * 24)
    trips: list[int] = field(default_factory=lambda: [0] * 8)
    taken: int = 0
    since_bound: int = -1
    until: int = 0
    kinds: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """What the engine is busy with until `until`: (cause, last cycle)."""
    finishing: Move | None = None
    read: int = 0
    done: int = 0
    queue: list[Move] = field(default_factory=list[Move])
    flight: list[Move] = field(default_factory=list[Move])
    largest: int = 0
    halted: int = -1
    popped: int = 0
    charges: Counter[str] = field(default_factory=lambda: Counter[str]())
    executed: int = 0
    pending: Move | None = None
    """The move that the queue's bound holds back."""


class Stepped(Durations):
    """One launch; all times in cycles."""

    def __init__(
        self, program: Program, machine: Machine, words: list[int], popped: dict[str, list[int]]
    ) -> None:
        super().__init__(program, machine)
        self.words, self.popped = words, popped
        self.engines = [
            Engine(name, stream, loop_pairs(stream))
            for name in machine.engines()
            if name in program.engines
            for stream in [decode(program.engines[name])]
        ]
        self.acquired = [c.primed for c in program.channels]
        self.committed = [[0] * c.primed for c in program.channels]
        """When each slot is committed."""
        self.waited = [dict.fromkeys(c.consumers, 0) for c in program.channels]
        self.released: list[dict[str, list[int]]] = [
            {name: [] for name in c.consumers} for c in program.channels
        ]
        self.served_last = -1
        self.serving: tuple[int, int] | None = None
        """Engine number and the cycle at which its chunk ends."""
        self.now = 0
        self.served: Counter[str] = Counter()
        self.held_up: Counter[str] = Counter()

    def run(self, limit: int = 200_000) -> int:
        """The launch's time in cycles."""
        for self.now in range(limit):
            if self.serving and self.serving[1] == self.now:
                self._chunk_ends()
            while any([self._step(engine) for engine in self.engines]):
                pass
            self._choose()
            if all(e.halted >= 0 for e in self.engines) and not any(e.queue for e in self.engines):
                total = max(max(e.halted, e.done) for e in self.engines)
                for engine in self.engines:
                    engine.charges["done"] += total - engine.halted
                return total
            self._charge_cycle()
        raise AssertionError("the limit of cycles is too small")

    def _charge_cycle(self) -> None:
        """What everybody does during the cycle that begins now."""
        for number, engine in enumerate(self.engines):
            if engine.halted < 0:
                engine.charges[self._cause(engine)] += 1
            first = next((m for m in engine.queue if m.left), None)
            if self.serving and self.serving[0] == number:
                self.served[engine.name] += 1
            elif self.serving and first is not None and first.handed <= self.now:
                first.held += 1
                self.held_up[engine.name] += 1

    def _cause(self, engine: Engine) -> str:
        if engine.until > self.now:
            return next(kind for kind, last in engine.kinds if self.now < last)
        if engine.pending is not None:
            return "bound"
        number, producer = self.begins(engine)[engine.taken]
        return f"{'room' if producer else 'wait'} @{self.program.channels[number].name}"

    # Engines

    def _step(self, engine: Engine) -> bool:
        """Do what the engine can do now; whether it did something."""
        if engine.halted >= 0 or engine.until > self.now:
            return False
        if engine.finishing is not None:
            move, engine.finishing = engine.finishing, None
            if move.left:
                move.handed = self.now
            engine.queue.append(move)
            self._settle(engine)
            if engine.pc == len(engine.stream):
                engine.halted = self.now
            return True
        begins = self.begins(engine)
        if engine.taken < len(begins):
            number, producer = begins[engine.taken]
            if self._allowed(engine, number, producer) > self.now:
                return False
            if producer:
                self.acquired[number] += 1
            else:
                self.waited[number][engine.name] += 1
            engine.taken += 1
            return True
        return self._execute(engine)

    def _allowed(self, engine: Engine, number: int, producer: bool) -> int:
        """When the next acquire or wait is possible, as far as that is known."""
        if not producer:
            n = self.waited[number][engine.name]
            return self.committed[number][n] if n < len(self.committed[number]) else NEVER
        n = self.acquired[number] - self.program.channels[number].slots
        if n < 0:
            return 0
        return max(
            times[n] if n < len(times) else NEVER for times in self.released[number].values()
        )

    def _execute(self, engine: Engine) -> bool:
        ins = engine.stream[engine.pc]
        move = engine.pending
        if move is None:
            move = Move(self.ends(engine))
        late = 0
        if ins.mnemonic in SCALARS:
            kinds = [("scalar", SCALARS[ins.mnemonic] * self.machine.scalar_cycles)]
        elif ins.mnemonic == "mm":
            busy = self.matmul(engine, ins)
            kinds, late = [("matmul", busy)], self.machine.matrix_fill if busy else 0
        elif ins.mnemonic in MOVES:
            issue, moving, move.bursts, move.latency = self.moved(engine, ins)
            kinds = [("issue", issue), ("move", moving)]
            move.left = move.bursts
            if move.bursts and self._held_back(engine, move):
                return False
        else:
            kinds = [("vector", self.vector(engine, ins))]
        engine.pending, engine.since_bound = None, -1
        engine.kinds, time = [], self.now
        for kind, cycles in kinds:
            time += cycles
            engine.kinds.append((kind, time))
        engine.until = time
        if not move.left:
            move.read, move.done = time, time + late
        else:
            engine.flight.append(move)
        engine.finishing = move
        engine.executed += 1
        self._next(engine, ins)
        return True

    def _held_back(self, engine: Engine, move: Move) -> bool:
        """The bound of a queue; when it lets go, what it cost."""
        engine.largest = max(engine.largest, move.bursts)
        latency = self.machine.hbm_latency_ps * self.machine.hbm_bytes_per_second
        bound = ceil(latency / 10**12) + 2 * engine.largest
        flight = [m for m in engine.flight if m.done > self.now]
        if flight and sum(m.bursts for m in flight) + move.bursts > bound:
            if engine.pending is None:
                engine.pending, engine.since_bound = move, self.now
            return True
        if engine.pending is not None:
            waited = self.now - engine.since_bound
            gone = [m for m in engine.flight if m.done <= self.now]
            left = sum(m.bursts for m in engine.flight)
            last = gone[0]
            for last in gone:  # the first that, gone, lets the move pass
                left -= last.bursts
                if not left or left + move.bursts <= bound:
                    break
            held = min(waited, last.held)
            engine.charges["contention"] += held
            engine.charges["memory"] += waited - held
            engine.charges["bound"] -= waited
        engine.flight = flight
        return False

    def _settle(self, engine: Engine) -> None:
        """Times for all whose times are known, in order."""
        while engine.queue and engine.queue[0].read < NEVER:
            move = engine.queue.pop(0)
            engine.read = max(engine.read, move.read)
            engine.done = move.done = max(engine.done, move.done)
            for number, producer in move.ends:
                if producer:
                    self.committed[number].append(engine.done)
                else:
                    self.released[number][engine.name].append(engine.read)

    def _next(self, engine: Engine, ins: Ins) -> None:
        f, r = ins.fields, engine.registers
        engine.taken = 0
        engine.pc += 1
        match ins.mnemonic:
            case "li":
                r[f["rd"]] = f["imm"]
            case "alu":
                names = next(x for x in BY_MNEMONIC["alu"].fields if x.name == "fn").values
                b = f["imm"] if f["rb"] == 31 else r[f["rb"]]
                value = ALU[names[f["fn"]]](r[f["ra"]], b)
                r[f["rd"]] = (value + 2**63) % 2**64 - 2**63
            case "ldp":
                r[f["rd"]] = self.words[f["word"] + (0 if f["ra"] == 31 else r[f["ra"]])]
            case "pop":
                r[f["rd"]] = self.popped[engine.name][engine.popped]
                engine.popped += 1
            case "loop":
                engine.trips[f["counter"]] = f["trips"] if f["count"] == 31 else r[f["count"]]
                r[16 + f["counter"]] = 0
                if engine.trips[f["counter"]] <= 0:
                    engine.pc = engine.pairs[engine.pc - 1] + 1
            case "next":
                r[16 + f["counter"]] += 1
                if r[16 + f["counter"]] < engine.trips[f["counter"]]:
                    engine.pc = engine.pairs[engine.pc - 1] + 1
            case _:
                pass

    # Main memory

    def _choose(self) -> None:
        if self.serving is not None:
            return
        count = len(self.engines)
        for k in range(1, count + 1):
            number = (self.served_last + k) % count
            move = next((m for m in self.engines[number].queue if m.left), None)
            if move is not None and move.handed <= self.now:
                chunk = min(move.left, CHUNK)
                spent = self.whole(chunk * 10**12 / self.machine.hbm_bytes_per_second)
                self.serving, self.served_last = (number, self.now + spent), number
                return

    def _chunk_ends(self) -> None:
        assert self.serving is not None
        engine, self.serving = self.engines[self.serving[0]], None
        move = next(m for m in engine.queue if m.left)
        move.left -= min(move.left, CHUNK)
        if not move.left:
            move.read, move.done = self.now, self.now + move.latency
            self._settle(engine)
