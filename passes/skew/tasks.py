"""A pipeline that goes on from one task to the next: `skew` on two loops at once.

Task j's first trips run beside the last ones of task j - 1, which are as many as there are cuts:

    for j {
      stage 0 of (j, 0); last stages of j - 1        the head: as many trips as there are cuts
      for t { stage 0 of (j, t); stage 1 of (j, t - 1); ... }
    }
    last stages of the last task

A task has at least as many trips as there are cuts; empty ones only pass slots on. What a task
does before its trips is done in front of the first one of its stage, and what it does behind them
right behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, MemRefType
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.locations import locate
from ...dialects.shaped import memref_of
from ...dialects.stream import SlotEndOp, SlotOp
from ...dialects.tile import BufferOp, subview
from .loop_stages import Stages
from .loop_writer import LoopWriter, copy_statements
from .task_stages import TaskStages

TASKS = 2
"""Tasks under way: the one that begins, and the one that ends."""


@dataclass
class _Task:
    """One task while it is written: its number, and what stands for the values of its body."""

    number: SSAValue
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])


class TaskPipeline:
    """Writes the pipeline of a loop over tasks and the loop in it."""

    def __init__(self, stages: Stages, tasks: TaskStages):
        self.stages, self.tasks = stages, tasks
        self.inner, self.outer = stages.body.loop, tasks.loop
        self.last = len(stages.cuts)
        self.before, self.behind = LoopWriter(self.outer), LoopWriter(self.outer)
        self.numbers = [self.before.constant(number) for number in range(self.last + 1)]
        self.two = self.before.constant(TASKS)
        self.kept = {b: self._keep(b) for b in tasks.buffers}
        self.turns = {b: self._turns(b) for b in stages.crossing}
        crossing = {op for cut in stages.cuts for op in (cut, stages.body.pairs[cut])}
        self.crossing = [op for op in stages.body.statements() if op in crossing]
        slots = {op.slot for op in self.crossing if isinstance(op, SlotOp)}
        self.ends = {
            op for op in stages.body.statements() if isinstance(op, SlotEndOp) and op.slot in slots
        }
        self.inside = [
            {
                op
                for op in stages.body.statements()
                if stages.of[op] == stage and op not in crossing and op not in self.ends
            }
            for stage in range(self.last + 1)
        ]

    def _many(self, buffer: BufferOp, count: int) -> SSAValue:
        type_ = memref_of(buffer.result)
        shape = [count, *type_.get_shape()] if count > 1 else type_.get_shape()
        type_ = MemRefType(type_.element_type, shape, memory_space=type_.memory_space)
        many = BufferOp(type_, engine=buffer.engine)
        many.result.name_hint = buffer.result.name_hint
        self.before.add(many)
        return many.result

    def _keep(self, buffer: BufferOp) -> SSAValue:
        """A task's buffer outside of the loops: one, or one for each task under way."""
        return self._many(buffer, TASKS if buffer in self.tasks.shared else 1)

    def _turns(self, buffer: BufferOp) -> SSAValue:
        """For each task under way a buffer for each trip under way, a power of two of them."""
        return self._many(buffer, TASKS << self.stages.crossing[buffer].bit_length())

    def write(self) -> None:
        """Replace the loop over tasks."""
        before, behind = self.before, self.behind
        block = Block(arg_types=[IndexType()])
        counter = block.args[0]
        counter.name_hint = self.tasks.block.args[0].name_hint
        inside = LoopWriter(self.outer)
        self._task(inside, _Task(counter))
        block.add_ops(inside.ops)
        block.add_op(scf.YieldOp())
        for cut in self.stages.cuts:
            for _ in range(self.stages.distance(cut)):
                before.end(before.begin(self.stages.body.pairs[cut]))
        tasks = scf.ForOp(self.outer.lb, self.outer.ub, self.outer.step, (), block)
        locate(tasks, self.outer.location)
        for trip in range(self.last):
            for stage in range(self.last + 1):
                with_slots = self._slots(behind, stage)
                if stage > trip:
                    self._ending(behind, self.outer.ub, stage, trip, with_slots)
                self._end(behind, with_slots)
        for cut in self.stages.cuts:
            for _ in range(self.stages.distance(cut)):
                behind.end(behind.begin(cut))
        parent = self.outer.parent_block()
        assert parent is not None, "the loop stands in a function"
        parent.insert_ops_before([*before.ops, tasks, *behind.ops], self.outer)
        self.outer.detach()
        self.outer.erase()

    def _task(self, w: LoopWriter, task: _Task) -> None:
        """The head of a task beside the end of the one before, and its other trips."""
        trips = self._trips(w, task)
        self._copy(w, self.tasks.before, 0, task, trips)
        for trip in range(self.last):
            for stage in range(self.last + 1):
                if stage == trip and stage:
                    self._copy(w, self.tasks.before, stage, task, trips)
                slots = self._slots(w, stage)
                if stage <= trip:
                    number = self.numbers[trip - stage]
                    some = self._some(w, trips, trip - stage)
                    self._guarded(w, some, self._body(task, stage, number, slots))
                else:
                    self._ending(w, task.number, stage, trip, slots)
                self._end(w, slots)
        self._copy(w, self.tasks.before, self.last, task, trips)
        left = w.binary(arith.SubiOp, trips, self.numbers[self.last])
        left = w.binary(arith.MaxSIOp, left, self.numbers[0])
        rest = Block(arg_types=[IndexType()])
        inside = LoopWriter(self.outer)
        for stage in range(self.last + 1):
            slots = self._slots(inside, stage)
            number = rest.args[0]
            if stage < self.last:
                number = inside.binary(arith.AddiOp, number, self.numbers[self.last - stage])
            # Without a condition around the stage, slots end where they did.
            ends = {op for op in self.ends if op.slot in slots}
            self._body(task, stage, number, slots, ends)(inside)
        rest.add_ops(inside.ops)
        w.loop(self.numbers[0], left, self.numbers[1], rest, self._hint())
        self._copy(w, self.tasks.behind, 0, task, trips)

    def _hint(self) -> str | None:
        return self.inner.body.block.args[0].name_hint

    def _trips(self, w: LoopWriter, task: _Task) -> SSAValue:
        """The trips of a task's inner loop."""
        bound = self.inner.ub
        values = self._base(w, task)
        if isinstance(bound.owner, Operation) and bound.owner.parent_block() is self.tasks.block:
            for op in copy_statements([self.tasks.block], [bound.owner], values):
                w.ops.append(op)
        return values.get(bound, bound)

    def _some(self, w: LoopWriter, trips: SSAValue, number: int) -> SSAValue:
        """1 if a task has a trip of this number, else 0."""
        if number:
            trips = w.binary(arith.SubiOp, trips, self.numbers[number])
        some = w.binary(arith.MinSIOp, trips, self.numbers[1])
        return w.binary(arith.MaxSIOp, some, self.numbers[0]) if number else some

    def _guarded(self, w: LoopWriter, some: SSAValue, write: Callable[[LoopWriter], None]) -> None:
        guarded = Block(arg_types=[IndexType()])
        inside = LoopWriter(self.outer)
        write(inside)
        guarded.add_ops(inside.ops)
        w.loop(self.numbers[0], some, self.numbers[1], guarded)

    def _ending(
        self,
        w: LoopWriter,
        counter: SSAValue,
        stage: int,
        trip: int,
        slots: dict[SSAValue, SSAValue],
    ) -> None:
        """A stage of one of the last trips of the task before `counter`, if there is one, and what
        that task does behind it."""

        def write(inside: LoopWriter) -> None:
            task = _Task(inside.binary(arith.SubiOp, counter, self.numbers[1]))
            trips = self._trips(inside, task)
            last = inside.binary(arith.MaxSIOp, trips, self.numbers[self.last])
            number = inside.binary(arith.SubiOp, last, self.numbers[stage - trip])
            some = inside.binary(arith.SubiOp, trips, number)
            some = inside.binary(arith.MinSIOp, some, self.numbers[1])
            some = inside.binary(arith.MaxSIOp, some, self.numbers[0])
            self._guarded(inside, some, self._body(task, stage, number, slots))
            if trip == stage - 1:
                self._copy(inside, self.tasks.behind, stage, task, trips)

        self._guarded(w, w.binary(arith.MinSIOp, counter, self.numbers[1]), write)

    def _slots(self, w: LoopWriter, stage: int) -> dict[SSAValue, SSAValue]:
        """Begin what crosses in this stage."""
        return {
            op.slot: w.begin(op)
            for op in self.crossing
            if isinstance(op, SlotOp) and self.stages.of[op] == stage
        }

    def _end(self, w: LoopWriter, slots: dict[SSAValue, SSAValue]) -> None:
        for slot in slots.values():
            w.end(slot)

    def _body(
        self,
        task: _Task,
        stage: int,
        number: SSAValue,
        slots: dict[SSAValue, SSAValue],
        ends: Iterable[Operation] = (),
    ) -> Callable[[LoopWriter], None]:
        """Writes the statements of a stage in trip `number` of a task, and some ends of slots."""

        def write(w: LoopWriter) -> None:
            chosen = self.inside[stage] | set(ends)
            values = self._base(w, task, chosen) | slots
            values[self.stages.body.block.args[0]] = number
            for buffer, many in self.turns.items():
                if chosen & self.stages.body.users[buffer.result]:
                    values[buffer.result] = self._turn(w, many, task.number, number)
            blocks = [self.tasks.block, self.stages.body.block]
            w.ops += copy_statements(blocks, chosen, values)

        return write

    def _base(
        self, w: LoopWriter, task: _Task, chosen: Iterable[Operation] = ()
    ) -> dict[SSAValue, SSAValue]:
        """What stands for the values of a task, for the use of some statements."""
        values = dict(task.values)
        values[self.tasks.block.args[0]] = task.number
        used = {operand for op in chosen for inner in op.walk() for operand in inner.operands}
        for buffer, kept in self.kept.items():
            if buffer not in self.tasks.shared:
                values[buffer.result] = kept
            elif buffer.result in used:
                values[buffer.result] = self._turn(w, kept, task.number, None)
        return values

    def _turn(
        self, w: LoopWriter, many: SSAValue, task: SSAValue, trip: SSAValue | None
    ) -> SSAValue:
        """The buffer of a task, and of a trip if it is one of a trip."""
        count, *shape = memref_of(many).get_shape()
        turn = w.binary(arith.RemUIOp, task, self.two)
        if trip is not None:
            each = w.constant(count // TASKS)
            turn = w.binary(arith.MuliOp, turn, each)
            turn = w.binary(arith.AddiOp, turn, w.binary(arith.RemUIOp, trip, each))
        part = subview(many, [turn, *(0 for _ in shape)], [1, *shape], (0,))
        w.add(part)
        part.result.name_hint = many.name_hint
        return part.result

    def _copy(
        self,
        w: LoopWriter,
        statements: dict[Operation, int],
        stage: int,
        task: _Task,
        trips: SSAValue,
    ) -> None:
        """What a task does before or behind its trips in a stage; its slots stay known."""
        chosen = {op for op, of in statements.items() if of == stage}
        if not chosen:
            return
        values = self._base(w, task, chosen)
        w.ops += copy_statements([self.tasks.block], chosen, values)
        for op in chosen:
            if isinstance(op, SlotOp):
                task.values[op.slot] = values[op.slot]
