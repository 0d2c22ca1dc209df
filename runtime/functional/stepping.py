"""A launch one instruction at a time: the reference engine, stopped between any two."""

from __future__ import annotations

from collections.abc import Sequence

from .faults import DEADLOCK_FAULT, FaultPoint
from .orders import Order, next_random
from .reference import ReferenceEngine
from .waiting import Blocked, deadlock_note, waited_for


class SteppingEngine(ReferenceEngine):
    """Engines that go on when they are told to. `start` comes first."""

    order: Order
    turn: int = -1
    """The engine that went on last, -1 before the first."""

    def start(self, words: Sequence[int], order: Order) -> None:
        """Put all engines at their first instruction."""
        self.prepare(words)
        self.order, self.turn, self.random = order, -1, order.seed

    @property
    def finished(self) -> bool:
        """Whether every engine has halted."""
        return all(engine.halted for engine in self.engines)

    def step(self, index: int) -> bool:
        """One instruction of an engine; False where it is blocked, or halted. Raises Fault."""
        engine = self.engines[index]
        if engine.halted or not self._step(engine):
            return False
        self.turn = index
        return True

    def advance(self) -> int:
        """One instruction of the engine whose turn it is; its index.

        Raises Fault where no engine can go on.
        """
        for index in self._turns():
            if self.step(index):
                return index
        blocked = [Blocked(e.index, e.pc, e.begun) for e in self.engines if not e.halted]
        note = deadlock_note(self.loaded, blocked)
        raise self.loaded.fault(FaultPoint(DEADLOCK_FAULT, -1, -1, note=note))

    def finish(self) -> None:
        """What is checked behind the last instruction. Raises Fault."""
        self._finish()

    def next_engine(self) -> int:
        """The engine that `advance` would try first and that is not blocked; -1 for none."""
        return next((i for i in self._sorted() if self.can_step(i)), -1)

    def can_step(self, index: int) -> bool:
        """Whether an engine is neither halted nor blocked."""
        return not self.engines[index].halted and self.waits_for(index) is None

    def waits_for(self, index: int) -> tuple[int, str] | None:
        """The channel, and the step of it, at which an engine is blocked; None if it is not."""
        engine = self.engines[index]
        if engine.halted:
            return None
        ins = self.loaded.instructions[index][engine.pc]
        number, step = waited_for(self.loaded, Blocked(index, engine.pc, engine.begun))
        if number < 0 or (ins.mnemonic == "sync" and step in ("commit", "release")):
            return None
        state = self.channels[number]
        free = state.can_acquire() if step == "acquire" else state.can_wait(engine.name)
        return None if free else (number, step)

    def _turns(self) -> list[int]:
        turns = self._sorted()
        if self.random:
            for i in range(len(turns) - 1, 0, -1):
                self.random = next_random(self.random)
                j = self.random % (i + 1)
                turns[i], turns[j] = turns[j], turns[i]
        return turns

    def _sorted(self) -> list[int]:
        """Engines by the order's ranks; where a turn lasts, from the one that has it."""
        turns = self.order.sorted(self.loaded.engines)
        if not self.order.restart and self.turn in turns:
            at = turns.index(self.turn)
            turns = turns[at:] + turns[:at]
        return turns
