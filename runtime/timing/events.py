"""The timing emulator as plain events: slow, and written to be read beside docs/timing.md."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

from ...backend.isa import ALU_FUNCTIONS, NO_REGISTER, REGISTERS
from ...backend.numerics import alu
from ...backend.timing import ARBITRATION_BYTES, bytes_in_flight, transfer_ps
from .decoded import Decoded, Step, Timed
from .result import Tally, blocked_cause
from .state import Channel, Engine, Entry
from .trace_record import Recorder

HAPPENS, DECIDES = 0, 1
"""Order of events of one time: main memory chooses when all else has happened."""


class Events:
    """One launch, event by event."""

    def __init__(self, launch: Decoded, recorder: Recorder | None = None) -> None:
        self.launch, self.machine, self.recorder = launch, launch.machine, recorder
        self.engines = [
            Engine(index, name, launch.streams[index], launch.loaded.pairs[index])
            for index, name in enumerate(launch.engines)
        ]
        numbers = {name: index for index, name in enumerate(launch.engines)}
        self.channels = [
            Channel(
                c.slots,
                acquired=c.primed,
                committed=c.primed,
                waited={numbers[e]: 0 for e in c.consumers},
                released={numbers[e]: 0 for e in c.consumers},
            )
            for c in launch.program.channels
        ]
        self.layer_engine = launch.engines.index("mxu") if launch.layers >= 0 else -1
        self.heap: list[tuple[int, int, int, Callable[..., None], Any]] = []
        self.sequence = 0
        self.now = 0
        self.handed: dict[int, deque[Entry]] = {e.index: deque() for e in self.engines}
        """Moves that stand before main memory, by queue."""
        self.serving = False
        self.served_last = -1
        self.tally = Tally.empty(len(self.engines))

    def run(self) -> Tally:
        """All events. Raises TimingError where engines block for ever."""
        for engine in self.engines:
            engine.halted = not engine.stream
            if not engine.halted:
                self._at(0, HAPPENS, self._go_on, engine)
        while self.heap:
            self.now, _, _, action, argument = heapq.heappop(self.heap)
            action(argument)
        stuck = [(e.index, e.pc, e.begun) for e in self.engines if not e.halted]
        if stuck:
            raise self.launch.blocks_for_ever(stuck)
        self.tally.halted = [engine.time for engine in self.engines]
        self.tally.picoseconds = max((max(e.time, e.done) for e in self.engines), default=0)
        return self.tally

    def _at(self, time: int, order: int, action: Callable[..., None], argument: Any) -> None:
        self.sequence += 1
        heapq.heappush(self.heap, (time, order, self.sequence, action, argument))

    # Engines

    def _go_on(self, engine: Engine) -> None:
        """Go on with a stream until it blocks or its time lies ahead of now."""
        while not engine.halted:
            if engine.time > self.now:
                self._at(engine.time, HAPPENS, self._go_on, engine)
                return
            if engine.executing is not None:
                entry, engine.executing = engine.executing, None
                self._finish(entry)
            timed = engine.stream[engine.pc]
            if not self._begin(engine, timed):
                return
            extents = timed.rule.extents(engine.registers)
            cost = timed.rule.at(extents)
            if timed.moves and not self._below_bound(engine, cost.burst_bytes):
                return
            self.tally.executed[engine.index, engine.pc, extents] += 1
            if self.recorder:
                self.recorder.executed(engine, timed, extents, cost)
            entry = Entry(engine, timed.ends, cost, cost.burst_bytes)
            if cost.burst_bytes:
                engine.flight.append(entry)
                engine.in_flight += cost.burst_bytes
            engine.time += cost.busy_ps
            engine.executing = entry
            self._next(engine, timed)
        entry, engine.executing = engine.executing, None
        assert entry is not None, "halt was executed"
        self._finish(entry)

    def _begin(self, engine: Engine, timed: Timed) -> bool:
        """Take the begins that are left; False where one blocks."""
        while engine.begun < len(timed.begins):
            step = timed.begins[engine.begun]
            channel = self.channels[step.channel]
            if not channel.possible(engine.index, step.producer):
                self._block(engine)
                channel.blocked.append(engine)
                return False
            waited = self._unblock(engine)
            if waited:
                # A sync of n is one place to wait at.
                place = 0 if timed.ins.mnemonic == "sync" else engine.begun
                self.tally.waited[engine.index, engine.pc, place] += waited
                if self.recorder:
                    self.recorder.blocked(engine, blocked_cause(self.launch, step), waited)
            channel.begin(engine.index, step.producer)
            if self.recorder:
                self.recorder.level(step.channel, channel, self.now)
            engine.begun += 1
        return True

    def _below_bound(self, engine: Engine, bursts: int) -> bool:
        """Whether a move may be issued; False where the queue's bursts in flight forbid it."""
        engine.largest = max(engine.largest, bursts)
        bound = bytes_in_flight(self.machine, engine.largest)
        while engine.flight and bursts and engine.in_flight + bursts > bound:
            if not 0 <= engine.flight[0].done <= self.now:
                self._block(engine)
                engine.at_bound = True
                return False
            engine.freed = engine.flight.popleft()
            engine.in_flight -= engine.freed.cost.burst_bytes
        waited = self._unblock(engine)
        engine.at_bound = False
        if waited:
            assert engine.freed is not None
            held = min(waited, engine.freed.held)
            self.tally.contention[engine.index, engine.pc] += held
            self.tally.memory[engine.index, engine.pc] += waited - held
            if self.recorder:
                self.recorder.blocked(engine, "memory", waited - held)
                self.recorder.blocked(engine, "contention", held)
        return True

    def _block(self, engine: Engine) -> None:
        if engine.blocked_since < 0:
            engine.blocked_since = self.now

    def _unblock(self, engine: Engine) -> int:
        """The time that the engine was blocked."""
        since, engine.blocked_since = engine.blocked_since, -1
        engine.time = self.now
        return self.now - since if since >= 0 else 0

    def _finish(self, entry: Entry) -> None:
        """The end of an instruction: main memory gets it, or its times are known."""
        engine = entry.engine
        engine.outstanding.append(entry)
        if entry.left:
            entry.handed = self.now
            self.handed[engine.index].append(entry)
            self._at(self.now, DECIDES, self._decide, None)
        else:
            entry.read, entry.done = self.now, self.now + entry.cost.late_ps
            self._settle(engine)

    def _settle(self, engine: Engine) -> None:
        """Give times to the ends of all entries that have no unknown time before them."""
        while engine.outstanding and engine.outstanding[0].read >= 0:
            entry = engine.outstanding.popleft()
            engine.read = max(engine.read, entry.read)
            engine.done = entry.done = max(engine.done, entry.done)
            for step in entry.ends:
                time = engine.done if step.producer else engine.read
                self._at(time, HAPPENS, self._end, (engine, step))
            if entry.cost.burst_bytes:
                self._at(entry.done, HAPPENS, self._arrived, engine)

    def _end(self, argument: tuple[Engine, Step]) -> None:
        engine, step = argument
        channel = self.channels[step.channel]
        channel.end(engine.index, step.producer)
        if self.recorder:
            self.recorder.level(step.channel, channel, self.now)
        blocked, channel.blocked = channel.blocked, []
        for other in blocked:
            self._go_on(other)

    def _arrived(self, engine: Engine) -> None:
        if engine.at_bound:
            self._go_on(engine)

    def _next(self, engine: Engine, timed: Timed) -> None:
        """Registers and the next instruction."""
        fields, registers = timed.ins.fields, engine.registers
        following = engine.pc + 1
        match timed.ins.mnemonic:
            case "li":
                registers[fields["rd"]] = fields["imm"]
            case "alu":
                b = fields["imm"] if fields["rb"] == NO_REGISTER else registers[fields["rb"]]
                function = ALU_FUNCTIONS[fields["fn"]]
                registers[fields["rd"]] = alu(function, registers[fields["ra"]], b)
            case "ldp":
                base = 0 if fields["ra"] == NO_REGISTER else registers[fields["ra"]]
                registers[fields["rd"]] = self.launch.word(engine.index, engine.pc,
                                                           base + fields["word"])  # fmt: skip
            case "pop":
                words = self.launch.popped[engine.index]
                if engine.popped >= len(words):
                    raise self.launch.no_word(engine.index, engine.pc)
                registers[fields["rd"]] = words[engine.popped]
                engine.popped += 1
            case "loop":
                known = fields["count"] != NO_REGISTER
                count = registers[fields["count"]] if known else fields["trips"]
                engine.trips[fields["counter"]] = count
                registers[REGISTERS + fields["counter"]] = 0
                if count <= 0:
                    following = engine.pairs[engine.pc] + 1
                else:
                    self._mark(engine, engine.pc)
            case "next":
                counter = REGISTERS + fields["counter"]
                registers[counter] += 1
                self._mark(engine, engine.pairs[engine.pc])
                if registers[counter] < engine.trips[fields["counter"]]:
                    following = engine.pairs[engine.pc] + 1
            case "halt":
                engine.halted = True
                following = engine.pc
            case _:
                pass
        engine.pc = following
        engine.begun = 0

    def _mark(self, engine: Engine, loop: int) -> None:
        if engine.index == self.layer_engine and loop == self.launch.layers:
            self.tally.layers.append(engine.time)

    # Main memory

    def _decide(self, _: None) -> None:
        """Begin a chunk, if main memory is free and anything stands before it."""
        waiting = [index for index in sorted(self.handed) if self.handed[index]]
        if self.serving or not waiting:
            return
        index = next((i for i in waiting if i > self.served_last), waiting[0])
        chunk = min(self.handed[index][0].left, ARBITRATION_BYTES)
        spent = transfer_ps(self.machine, chunk)
        self.serving, self.served_last = True, index
        self._at(self.now + spent, HAPPENS, self._served, (self.now, index, chunk))

    def _served(self, argument: tuple[int, int, int]) -> None:
        began, index, chunk = argument
        self.serving = False
        self.tally.served[index] += self.now - began
        if self.recorder:
            self.recorder.served(index, began, self.now, chunk)
        for other, queue in self.handed.items():
            if other != index and queue and queue[0].handed < self.now:
                held = self.now - max(began, queue[0].handed)
                queue[0].held += held
                self.tally.held_up[other] += held
        entry = self.handed[index][0]
        entry.left -= chunk
        if not entry.left:
            self.handed[index].popleft()
            entry.read, entry.done = self.now, self.now + entry.cost.latency_ps
            self._settle(entry.engine)
        self._at(self.now, DECIDES, self._decide, None)


def run_events(launch: Decoded, recorder: Recorder | None = None) -> Tally:
    """One launch, told to a recorder. Raises TimingError where engines block for ever or a word is
    not known."""
    return Events(launch, recorder).run()
