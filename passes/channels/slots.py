"""Buffers of a ring to slots: each engine begins, sees and ends its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import memref
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.stream import (
    AcquireOp,
    CommitOp,
    ReleaseOp,
    WaitOp,
)
from ...dialects.tile import ReshapeOp, TileOp
from ..located import PassError, located
from ..touches import Touched, Touches
from .rings import Ring
from .schedule import Hold, RingError, Use, schedule


@dataclass
class _Around:
    """What goes around a statement: begins and parts of slots before it, ends after it."""

    waits: list[Operation] = field(default_factory=list[Operation])
    acquires: list[Operation] = field(default_factory=list[Operation])
    parts: list[tuple[int, Operation]] = field(default_factory=list[tuple[int, Operation]])
    commits: list[Operation] = field(default_factory=list[Operation])
    releases: list[Operation] = field(default_factory=list[Operation])


class SlotWriter:
    """Replaces the buffers of rings by slots."""

    def __init__(self, touches: Touches):
        self.touches = touches
        self.around: dict[Operation, _Around] = {}
        self.parts: dict[tuple[Operation, str], SSAValue] = {}

    def ring(self, ring: Ring) -> None:
        """All slots of one ring, block by block."""
        blocks: dict[Block, list[int]] = {}
        for number, touched in enumerate(ring.members):
            blocks.setdefault(touched.block, []).append(number)
        for block, members in blocks.items():
            uses = [
                Use(n, {e: (s.first, s.last) for e, s in ring.members[n].spans.items()})
                for n in members
            ]
            nested = self._nested(block, blocks)
            try:
                scheduled = schedule(uses, nested, ring.producer, ring.consumers)
            except RingError as error:
                buffer = ring.members[error.member].buffer
                raise PassError(
                    f"{located(buffer)}: ring {ring.name!r} cannot hold this buffer: {error}; "
                    "give it another ring",
                    buffer,
                ) from None
            for number, holds in scheduled:
                self._slot(ring, ring.members[number], holds)

    def _nested(self, block: Block, blocks: dict[Block, list[int]]) -> list[int]:
        """Statements of `block` that hold other blocks with slots of the ring."""
        found: set[int] = set()
        for other in blocks:
            at = other.parent_op() if other is not block else None
            while at is not None and at.parent_block() is not block:
                at = at.parent_op()
            if at is not None:
                found.add(self.touches.positions[at])
        return sorted(found)

    def _around(self, block: Block, position: int) -> _Around:
        return self.around.setdefault(self.touches.statements[block][position], _Around())

    def _slot(self, ring: Ring, touched: Touched, holds: dict[str, Hold]) -> None:
        """Begin and end of one slot for every engine, and the engine's own view of it."""
        buffer, block = touched.buffer, touched.block
        for engine, hold in holds.items():
            kind = AcquireOp if engine == ring.producer else WaitOp
            begin = kind(ring.name, engine, buffer.result.type)
            begin.slot.name_hint = buffer.result.name_hint
            end = (CommitOp if engine == ring.producer else ReleaseOp)(begin.slot)
            begin.location = end.location = buffer.location
            before, after = self._around(block, hold.begin), self._around(block, hold.end)
            (before.acquires if engine == ring.producer else before.waits).append(begin)
            (after.commits if engine == ring.producer else after.releases).append(end)
            self.parts[buffer, engine] = begin.slot
            self._replace(buffer.result, engine, touched, hold)

    def _replace(self, value: SSAValue, engine: str, touched: Touched, hold: Hold) -> None:
        """Let the tile ops of one engine use its slot, through parts, instead of the buffer."""
        for use in list(value.uses):
            op = use.operation
            if isinstance(op, memref.SubviewOp | ReshapeOp):
                self._replace(op.result, engine, touched, hold)
            elif isinstance(op, TileOp) and op.engine is not None and op.engine.data == engine:
                op.operands[use.index] = self._part(value, engine, touched, hold)

    def _part(self, value: SSAValue, engine: str, touched: Touched, hold: Hold) -> SSAValue:
        """The engine's own copy of a part of the buffer."""
        op = value.owner
        assert isinstance(op, Operation)
        known = self.parts.get((op, engine))
        if known is not None:
            return known
        assert isinstance(op, memref.SubviewOp | ReshapeOp)
        source = self._part(op.source, engine, touched, hold)
        copy = op.clone({op.source: source})
        copy.location = op.location
        copy.results[0].name_hint = value.name_hint
        block = op.parent_block()
        position = self.touches.positions[op]
        assert block is not None
        if block is touched.block and position < hold.begin:
            self._around(block, hold.begin).parts.append((position, copy))
        else:
            block.insert_op_before(copy, op)
        self.parts[op, engine] = copy.results[0]
        return copy.results[0]

    def insert(self) -> None:
        """Put what was collected around the statements."""
        for statement, around in self.around.items():
            block = statement.parent_block()
            assert block is not None
            parts = [op for _, op in sorted(around.parts, key=lambda entry: entry[0])]
            block.insert_ops_before([*around.waits, *around.acquires, *parts], statement)
            block.insert_ops_after([*around.commits, *around.releases], statement)


def erase_with_parts(op: Operation) -> None:
    """Erase a buffer, or a part of one, and the parts of it; no tile op may use them any more."""
    for use in list(op.results[0].uses):
        erase_with_parts(use.operation)
    op.detach()
    op.erase()
