"""The timing emulator as plain events: slow, and written to be read beside docs/timing.md."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...backend.errors import TilewrightError
from ...backend.isa.field import NO_REGISTER
from ...backend.isa.program import Program, engine_kind
from ...backend.isa.rows_scalar import ALU_FUNCTIONS
from ...backend.isa.table import DEFAULT_OPCODES
from ...backend.machine import Machine
from ...backend.timing import ARBITRATION_BYTES, bytes_in_flight, cycles_to_ps, transfer_ps
from ..functional.loader import Loaded, load
from ..functional.parameters import Parameters, launch_words
from .result import Charge, TimingResult
from .state import Channel, Engine, Request
from .work import Step, Transfer, Work, work_of

SERVICE, DONE, ENGINE = 0, 1, 2
"""Order of events of one time; engines follow in the machine's order."""
COUNTERS = 16
"""Register number of the first loop counter."""


class TimingError(TilewrightError):
    """A program that cannot be timed: it blocks for ever, or needs values."""


class Events:
    """One launch of a program, event by event."""

    def __init__(self, loaded: Loaded, machine: Machine, words: Sequence[int]) -> None:
        self.machine, self.program, self.words = machine, loaded.program, words
        self.engines = [
            Engine(
                index,
                name,
                [work_of(loaded.program, machine, name, ins) for ins in loaded.instructions[index]],
                loaded.pairs[index],
                loaded.program.locations.get(name, []),
            )
            for index, name in enumerate(loaded.engines)
        ]
        numbers = {name: index for index, name in enumerate(loaded.engines)}
        self.channels = [
            Channel(
                c.slots,
                c.primed,
                c.primed,
                {numbers[e]: 0 for e in c.consumers},
                {numbers[e]: 0 for e in c.consumers},
            )
            for c in loaded.program.channels
        ]
        self.scalar_ps = cycles_to_ps(machine, machine.scalar_cycles)
        self.fill_ps = cycles_to_ps(machine, machine.matrix_fill)
        self.heap: list[tuple[int, int, int, Callable[..., None], Any]] = []
        self.sequence = 0
        self.now = 0
        self.last = 0
        """The latest time at which anything happened."""
        self.requests: dict[int, deque[Request]] = {}
        self.serving = False
        self.served_last = -1
        self.bytes = {"ld": 0, "st": 0}
        self.burst_bytes = 0
        self.memory_ps = 0

    def run(self) -> TimingResult:
        """All events. Raises TimingError where engines block for ever."""
        for engine in self.engines:
            engine.halted = not engine.stream
            self._at(0, ENGINE + engine.index, self._run_engine, engine)
        while self.heap:
            self.now, _, _, action, argument = heapq.heappop(self.heap)
            self.last = max(self.last, self.now)
            action(argument)
        stuck = [e for e in self.engines if not e.halted]
        if stuck:
            where = "; ".join(
                f"{e.name} at instruction {e.pc} ({e.blocked[1] if e.blocked else 'running'})"
                for e in stuck
            )
            raise TimingError(f"the program blocks for ever: {where}")
        for engine in self.engines:
            if self.last > engine.time:
                engine.charges[Charge("done", "")] = self.last - engine.time
        return TimingResult(
            picoseconds=self.last,
            engines={e.name: e.charges for e in self.engines},
            instructions={e.name: e.executed for e in self.engines},
            read_bytes=self.bytes["ld"],
            written_bytes=self.bytes["st"],
            burst_bytes=self.burst_bytes,
            memory_picoseconds=self.memory_ps,
        )

    def _at(self, time: int, order: int, action: Callable[..., None], argument: Any) -> None:
        self.sequence += 1
        heapq.heappush(self.heap, (time, order, self.sequence, action, argument))

    # Engines

    def _run_engine(self, engine: Engine) -> None:
        """Go on with a stream until it blocks, or until its time lies ahead of the others'."""
        if engine.issued is not None:
            request, engine.issued = engine.issued, None
            self._arrive(request)
        while not engine.halted:
            work = engine.stream[engine.pc]
            meets_others = work.begins or work.ends or work.transfer is not None
            if meets_others and engine.time > self.now:
                self._at(engine.time, ENGINE + engine.index, self._run_engine, engine)
                return
            if not self._begin(engine, work):
                return
            if work.transfer is not None:
                if not self._issue(engine, work, work.transfer(engine.registers)):
                    return
                self._at(engine.time, ENGINE + engine.index, self._run_engine, engine)
                return
            self._execute(engine, work)
        self.last = max(self.last, engine.time, engine.work_done)

    def _block(self, engine: Engine, cause: str) -> None:
        if engine.blocked is None:
            engine.blocked = self.now, cause

    def _unblock(self, engine: Engine) -> None:
        if engine.blocked is not None:
            since, cause = engine.blocked
            engine.charge(cause, self.now - since)
            engine.blocked, engine.time = None, self.now

    def _begin(self, engine: Engine, work: Work) -> bool:
        """Take the begins that are left; False where one blocks."""
        while engine.begun < len(work.begins):
            number, producer = work.begins[engine.begun]
            channel = self.channels[number]
            if not channel.possible(engine.index, producer):
                name = self.program.channels[number].name
                self._block(engine, f"{'room' if producer else 'wait'} @{name}")
                channel.waiting.append(engine)
                return False
            self._unblock(engine)
            channel.begin(engine.index, producer)
            engine.begun += 1
        return True

    def _execute(self, engine: Engine, work: Work) -> None:
        """An instruction without a transfer, whose begins are done."""
        spent = 0
        if work.picoseconds is not None:
            spent = work.picoseconds(engine.registers)
        elif work.ins.mnemonic in ("li", "alu"):
            spent = self.scalar_ps
        elif work.ins.mnemonic in ("ldp", "pop"):
            spent = 2 * self.scalar_ps
        engine.charge(work.kind, spent)
        engine.time += spent
        if work.kind == "matmul":
            engine.work_done = engine.time + (self.fill_ps if spent else 0)
        elif spent and work.kind == "vector":
            engine.work_done = engine.time
        if work.ends:
            self._end_later(engine, work)
        self._step(engine, work)

    def _end_later(self, engine: Engine, work: Work) -> None:
        """Ends of work on chip, or of a sync behind whatever the engine still has to do."""
        if engine.outstanding:
            engine.outstanding.append(Request(engine, work.ends, Transfer(0, 0, 0), 0))
            return
        result = max(engine.time, engine.work_done)
        for step in work.ends:
            waits_for_result = work.kind == "matmul" and step[1]
            time = result if waits_for_result or work.ins.mnemonic == "sync" else engine.time
            self._at(time, ENGINE + engine.index, self._end, (engine, step))

    def _end(self, argument: tuple[Engine, Step]) -> None:
        engine, (number, producer) = argument
        channel = self.channels[number]
        channel.end(engine.index, producer)
        waiting, channel.waiting = channel.waiting, []
        for other in waiting:
            work = other.stream[other.pc]
            if channel.possible(other.index, work.begins[other.begun][1]):
                self._at(self.now, ENGINE + other.index, self._run_engine, other)
            else:
                channel.waiting.append(other)

    def _step(self, engine: Engine, work: Work) -> None:
        """Registers and the next instruction."""
        fields, registers = work.ins.fields, engine.registers
        following = engine.pc + 1
        match work.ins.mnemonic:
            case "li":
                registers[fields["rd"]] = fields["imm"]
            case "alu":
                b = fields["imm"] if fields["rb"] == NO_REGISTER else registers[fields["rb"]]
                registers[fields["rd"]] = alu(
                    ALU_FUNCTIONS[fields["fn"]], registers[fields["ra"]], b
                )
            case "ldp":
                base = 0 if fields["ra"] == NO_REGISTER else registers[fields["ra"]]
                registers[fields["rd"]] = int(self.words[base + fields["word"]])
            case "pop":
                name = self.program.channels[fields["channel"]].name
                raise TimingError(
                    f"{engine.name} at instruction {engine.pc}: pops a word of @{name}, which only "
                    "a run with values knows"
                )
            case "loop":
                known = fields["count"] != NO_REGISTER
                count = registers[fields["count"]] if known else fields["trips"]
                engine.trips[fields["counter"]] = count
                registers[COUNTERS + fields["counter"]] = 0
                if count <= 0:
                    following = engine.pairs[engine.pc] + 1
            case "next":
                counter = COUNTERS + fields["counter"]
                registers[counter] += 1
                if registers[counter] < engine.trips[fields["counter"]]:
                    following = engine.pairs[engine.pc] + 1
            case "halt":
                engine.halted = True
                following = engine.pc
            case _:
                pass
        engine.pc = following
        engine.begun = 0
        engine.executed += 1

    # Main memory

    def _issue(self, engine: Engine, work: Work, transfer: Transfer) -> bool:
        """Issue a move; False while the queue's bytes in flight are at their bound."""
        engine.largest = max(engine.largest, transfer.burst_bytes)
        bound = bytes_in_flight(self.machine, engine.largest)
        if engine.in_flight and engine.in_flight + transfer.burst_bytes > bound:
            self._block(engine, "memory")
            return False
        self._unblock(engine)
        spent = self.machine.dma_issue_ps * transfer.descriptors
        engine.charge("issue", spent)
        engine.time += spent
        engine.in_flight += transfer.burst_bytes
        engine.issued = Request(engine, work.ends, transfer, transfer.burst_bytes)
        self.bytes[engine_kind(engine.name)] += transfer.nbytes
        self.burst_bytes += transfer.burst_bytes
        self._step(engine, work)
        return True

    def _arrive(self, request: Request) -> None:
        engine = request.engine
        engine.outstanding.append(request)
        if request.left:
            self.requests.setdefault(engine.index, deque()).append(request)
            self._serve()
        elif engine.outstanding[0] is request:
            self._retire(engine)

    def _serve(self) -> None:
        """Start on the next chunk, if main memory is free and anything waits."""
        waiting = sorted(index for index, queue in self.requests.items() if queue)
        if self.serving or not waiting:
            return
        index = next((i for i in waiting if i > self.served_last), waiting[0])
        request = self.requests[index][0]
        chunk = min(request.left, ARBITRATION_BYTES)
        request.left -= chunk
        self.serving, self.served_last = True, index
        spent = transfer_ps(self.machine, chunk)
        self.memory_ps += spent
        self._at(self.now + spent, SERVICE, self._served, request)

    def _served(self, request: Request) -> None:
        self.serving = False
        if not request.left:
            self.requests[request.engine.index].popleft()
            self._at(self.now + self.machine.hbm_latency_ps, DONE, self._done, request)
        self._serve()

    def _done(self, request: Request) -> None:
        engine = request.engine
        engine.in_flight -= request.transfer.burst_bytes
        assert engine.outstanding[0] is request, "moves of a queue are done in order"
        self._retire(engine)
        if engine.blocked is not None and engine.blocked[1] == "memory":
            self._at(self.now, ENGINE + engine.index, self._run_engine, engine)

    def _retire(self, engine: Engine) -> None:
        """End the oldest move, and marks behind it."""
        first = True
        while engine.outstanding and (first or not engine.outstanding[0].transfer.burst_bytes):
            request = engine.outstanding.popleft()
            for step in request.ends:
                self._end((engine, step))
            first = False
        engine.work_done = max(engine.work_done, self.now)


def alu(function: str, a: int, b: int) -> int:
    """Integer arithmetic of the scalar unit, on 64 bits."""
    match function:
        case "add":
            value = a + b
        case "sub":
            value = a - b
        case "mul":
            value = a * b
        case "min":
            value = min(a, b)
        case "max":
            value = max(a, b)
        case "shl":
            value = a << (b & 63)
        case "shr":
            value = a >> (b & 63)
        case _:
            value = a & b
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def time_program(
    program: Program,
    machine: Machine,
    parameters: Parameters,
    opcodes: Mapping[str, int] = DEFAULT_OPCODES,
) -> TimingResult:
    """Time one launch. Raises TimingError where it blocks for ever or its control needs values,
    Fault for parameters that are missing, unknown or out of range."""
    loaded = load(program, machine, opcodes)
    words = launch_words(program, parameters)
    return Events(loaded, machine, [int(word) for word in words]).run()
