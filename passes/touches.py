"""Who touches each buffer, and where: positions of statements in the buffer's own block. An
analysis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.ir import Block, Operation

from ..dialects.tile import BufferOp, TileOp, root
from .located import engine_of


@dataclass
class Span:
    """First and last statement of the buffer's block that hold a touch of one engine."""

    first: int
    last: int


@dataclass
class Touched:
    """A buffer and its touches.

    Attributes:
        buffer: the buffer.
        spans: by engine, in order of their first touch in the program.
        writers: engines that write, with the first op that does.
    """

    buffer: BufferOp
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    writers: dict[str, Operation] = field(default_factory=dict[str, Operation])
    readers: dict[str, Operation] = field(default_factory=dict[str, Operation])

    @property
    def block(self) -> Block:
        """The buffer's block."""
        block = self.buffer.parent_block()
        assert block is not None
        return block


@dataclass
class Touches:
    """All buffers of a function, the ops of every block, and the position of each in its block."""

    buffers: list[Touched]
    positions: dict[Operation, int]
    statements: dict[Block, list[Operation]]


def statement_of(op: Operation, block: Block) -> Operation:
    """The op of `block` that is or holds `op`."""
    at = op
    while at.parent_block() is not block:
        parent = at.parent_op()
        assert parent is not None, "a value is used where its block is not open"
        at = parent
    return at


def blocks_of(block: Block) -> Iterator[Block]:
    """A block and all that are nested in it, outermost first."""
    yield block
    for op in block.ops:
        for region in op.regions:
            for inner in region.blocks:
                yield from blocks_of(inner)


def find_touches(function: Block) -> Touches:
    """The touches of every buffer below `function`."""
    positions: dict[Operation, int] = {}
    statements = {block: list(block.ops) for block in blocks_of(function)}
    for ops in statements.values():
        positions.update((op, number) for number, op in enumerate(ops))
    found: dict[Operation, Touched] = {}
    for op in function.walk():
        if isinstance(op, BufferOp):
            found[op] = Touched(op)
        if not isinstance(op, TileOp):
            continue
        engine = engine_of(op, "assign-engines")
        for value, writes in [(v, False) for v in op.reads()] + [(v, True) for v in op.writes()]:
            buffer = root(value).owner
            if not isinstance(buffer, BufferOp):
                continue
            touched = found[buffer]
            at = positions[statement_of(op, touched.block)]
            span = touched.spans.setdefault(engine, Span(at, at))
            span.last = at
            (touched.writers if writes else touched.readers).setdefault(engine, op)
    return Touches(list(found.values()), positions, statements)
