"""streamed → streamed: a loop marked `tile.skew = k` becomes a pipeline of k + 1 stages.

    { s = mm; p = vec(s); o = mm(p); vec(o) }       k = 1: s | p, o, vec       k = 2: s | p, o | vec

Each stage is a trip behind the one before: the matrix unit makes the next product while the vector
unit uses the last one. Stages are cut at the vector unit's waits for the first k products. Their
rings get an empty slot before the loop, the loop k more trips of `{ stage 0 of t if t < n; stage 1
of t - 1 if 1 <= t <= n; ... }`, and a slot is left over behind it. Conditions are loops of 0 or 1
trips, so that any number of trips, 0 included, is right; no statement changes. A private buffer
that a later stage reads becomes one for each trip under way; slots of other channels never cross.

Where the loop around it is marked `tile.overlap`, the pipeline goes on from one of that loop's
trips to the next (`tasks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntAttr, IntegerAttr, MemRefType, ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ...dialects.locations import locate
from ...dialects.shaped import memref_of
from ...dialects.stream import SlotEndOp, SlotOp
from ...dialects.tile import BufferOp, subview
from ..located import PassError, located
from ..memory import channels_of
from ..verify_streams import verify_streams
from .loop_stages import HINT, Stages, cut_into_stages
from .loop_writer import LoopWriter, copy_statements
from .task_stages import OVERLAP, stage_tasks
from .tasks import TaskPipeline


class _Pipeline:
    """Writes the pipeline of one loop."""

    def __init__(self, stages: Stages):
        self.stages = stages
        self.body = stages.body
        self.loop = stages.body.loop
        self.last = len(stages.cuts)
        self.before, self.inside, self.behind = (LoopWriter(self.loop) for _ in range(3))
        self.numbers = [self.before.constant(number) for number in range(self.last + 1)]
        self.turns = {buffer: self._turns(buffer) for buffer in stages.crossing}
        self.block = Block(arg_types=[IndexType()])
        self.counter = self.block.args[0]
        self.counter.name_hint = self.body.block.args[0].name_hint

    def _turns(self, buffer: BufferOp) -> SSAValue:
        """A buffer for each trip under way, a power of two of them, on a leading axis."""
        type_ = memref_of(buffer.result)
        shape = [1 << self.stages.crossing[buffer].bit_length(), *type_.get_shape()]
        type_ = MemRefType(type_.element_type, shape, memory_space=type_.memory_space)
        many = BufferOp(type_, engine=buffer.engine)
        many.result.name_hint = buffer.result.name_hint
        self.before.add(many)
        return many.result

    def write(self) -> None:
        """Replace the loop."""
        before, inside, behind = self.before, self.inside, self.behind
        for cut in self.stages.cuts:
            for _ in range(self.stages.distance(cut)):
                before.end(before.begin(self.body.pairs[cut]))
                behind.end(behind.begin(cut))
        bounds = [
            before.binary(arith.AddiOp, self.loop.ub, number) if stage else self.loop.ub
            for stage, number in enumerate(self.numbers)
        ]
        for stage, bound in enumerate(bounds):
            self._stage(stage, bound)
        self.block.add_ops([*inside.ops, scf.YieldOp()])
        skewed = scf.ForOp(self.numbers[0], bounds[-1], self.numbers[1], (), self.block)
        locate(skewed, self.loop.location)
        parent = self.loop.parent_block()
        assert parent is not None, "the loop stands in a function"
        parent.insert_ops_before([*before.ops, skewed, *behind.ops], self.loop)
        self.loop.detach()
        self.loop.erase()

    def _stage(self, stage: int, bound: SSAValue) -> None:
        """One stage, `stage` trips behind the first, between begin and end of what crosses."""
        of, inside = self.stages.of, self.inside
        crossing = {op for cut in self.stages.cuts for op in (cut, self.body.pairs[cut])}
        slots: dict[SSAValue, SSAValue] = {}
        for op in self.body.statements():
            if isinstance(op, SlotOp) and op in crossing and of[op] == stage:
                slots[op.slot] = inside.begin(op)
        some = self._trips(stage, bound)
        values = dict(slots)
        old = self.body.block.args[0]
        values[old] = self.counter
        if stage:
            values[old] = inside.binary(arith.SubiOp, self.counter, self.numbers[stage])
        chosen = {
            op
            for op in self.body.statements()
            if of[op] == stage
            and op not in crossing
            and not (isinstance(op, SlotEndOp) and op.slot in slots)
        }
        guarded = Block(arg_types=[IndexType()])
        guarded.add_ops(self._parts(stage, chosen, values))
        guarded.add_ops(copy_statements([self.body.block], chosen, values))
        inside.loop(self.numbers[0], some, self.numbers[1], guarded)
        for slot in slots.values():
            inside.end(slot)

    def _trips(self, stage: int, bound: SSAValue) -> SSAValue:
        """1 if trip `counter - stage` is one of the loop's, else 0."""
        inside, some = self.inside, self.numbers[1]
        if stage < self.last:
            left = inside.binary(arith.SubiOp, bound, self.counter)
            some = inside.binary(arith.MinSIOp, left, some)
        if stage:
            ready = self.counter
            if stage > 1:
                ready = inside.binary(arith.SubiOp, ready, self.numbers[stage - 1])
            some = inside.binary(arith.MinSIOp, ready, some)
        # Only further from the edge than one trip are these negative.
        if stage > 1 or stage < self.last - 1:
            some = inside.binary(arith.MaxSIOp, some, self.numbers[0])
        return some

    def _parts(
        self, stage: int, chosen: set[Operation], values: dict[SSAValue, SSAValue]
    ) -> list[Operation]:
        """The turn of this stage's trip in each buffer that crosses, for the statements' use."""
        emitter = LoopWriter(self.loop)
        for buffer, many in self.turns.items():
            if not chosen & self.body.users[buffer.result]:
                continue
            count, *shape = memref_of(many).get_shape()
            trip = self.counter
            if stage:
                # A multiple of the turns more than counter - stage, so never negative.
                trip = emitter.binary(arith.AddiOp, trip, emitter.constant(-stage % count))
            turn = emitter.binary(arith.RemUIOp, trip, emitter.constant(count))
            part = subview(many, [turn, *(0 for _ in shape)], [1, *shape], (0,))
            emitter.add(part)
            part.result.name_hint = many.name_hint
            values[buffer.result] = part.result
        return emitter.ops


@dataclass(frozen=True)
class SkewPass(ModulePass):
    """Make pipelines of the loops that carry a hint."""

    name = "skew"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        hinted = [o for o in op.walk() if isinstance(o, scf.ForOp) and HINT in o.attributes]
        for loop in reversed(hinted):
            hint = loop.attributes.pop(HINT)
            if not isinstance(hint, IntegerAttr) or hint.value.data < 1:
                raise PassError(
                    f"{located(loop)}: {HINT} is a number of cuts >= 1, not {hint}", loop
                )
            stages = cut_into_stages(loop, hint.value.data)
            tasks = loop.parent_op()
            if isinstance(tasks, scf.ForOp) and tasks.attributes.pop(OVERLAP, None) is not None:
                TaskPipeline(stages, stage_tasks(tasks, stages)).write()
            else:
                _Pipeline(stages).write()
        if hinted:
            marks = verify_streams(op, check_room=False)
            for channel in channels_of(op):
                channel.slots = IntAttr(max(channel.slots.data, marks[channel.channel_name]))
