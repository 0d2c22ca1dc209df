"""Writing loops on s: ops appended to a list, index arithmetic, slots begun and ended, copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free

from ...dialects.locations import locate
from ...dialects.stream import AcquireOp, CommitOp, ReleaseOp, SlotOp, WaitOp
from ...dialects.tile import BufferOp


class LoopWriter:
    """Appends ops to a list, at the location of the loop."""

    def __init__(self, loop: scf.ForOp):
        self.location = loop.location
        self.ops: list[Operation] = []

    def add(self, op: Operation) -> Operation:
        """Append an op."""
        op.location = self.location
        self.ops.append(op)
        return op

    def constant(self, number: int) -> SSAValue:
        """An index constant."""
        return self.add(arith.ConstantOp.from_int_and_width(number, IndexType())).results[0]

    def binary(self, kind: type[Operation], a: SSAValue, b: SSAValue) -> SSAValue:
        """An index operation."""
        return self.add(kind.create(operands=[a, b], result_types=[IndexType()])).results[0]

    def begin(self, like: SlotOp) -> SSAValue:
        """Acquire, or wait for, a slot like another one."""
        kind = AcquireOp if isinstance(like, AcquireOp) else WaitOp
        return self.add(kind(like.channel_name, like.engine, like.slot.type)).results[0]

    def end(self, slot: SSAValue) -> None:
        """Commit or release a slot."""
        self.add(CommitOp(slot) if isinstance(slot.owner, AcquireOp) else ReleaseOp(slot))

    def loop(
        self, first: SSAValue, count: SSAValue, step: SSAValue, body: Block, name: str | None = None
    ) -> None:
        """A loop over a body that lacks nothing but its end."""
        body.add_op(scf.YieldOp())
        body.args[0].name_hint = name
        loop = self.add(scf.ForOp(first, count, step, (), body))
        locate(loop, self.location)


def copy_statements(
    blocks: Sequence[Block], chosen: Iterable[Operation], values: dict[SSAValue, SSAValue]
) -> list[Operation]:
    """Copies of statements of some blocks, outermost first, and of what they compute from there.

    `values` says what stands for values that are not copied; copies are added to it.
    """
    needed: set[Operation] = set()
    todo = list(chosen)
    while todo:
        op = todo.pop()
        if op in needed:
            continue
        needed.add(op)
        for inner in op.walk():
            for operand in inner.operands:
                owner = operand.owner
                if operand in values or not isinstance(owner, Operation):
                    continue
                if owner.parent_block() in blocks and (
                    isinstance(owner, BufferOp) or is_side_effect_free(owner)
                ):
                    todo.append(owner)
    copies: list[Operation] = []
    for block in blocks:
        for op in block.ops:
            if op in needed:
                copy = op.clone(values)
                for old, new in zip(op.walk(), copy.walk(), strict=True):
                    new.location = old.location
                copies.append(copy)
    return copies
