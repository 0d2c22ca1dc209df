"""What lies in scratchpad and accumulators: rings and private buffers of a streamed program, as
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation

from ..dialects.spaces import SPM, space_name
from ..dialects.stream import ChannelOp
from ..dialects.tile import BufferOp, nbytes
from .located import PassError, located
from .placement import Life
from .symbols import entry_function
from .touches import Touched, find_touches

SPACES = ("spm", "acc")
SCALAR_BYTES = 8
"""Bytes of one slot of a channel of scalars."""


@dataclass(frozen=True)
class Resident:
    """A ring or a private buffer, with its life."""

    op: ChannelOp | BufferOp
    space: str
    life: Life


def channels_of(module: ModuleOp) -> list[ChannelOp]:
    """The channels of a module, in order of declaration."""
    return [op for op in module.ops if isinstance(op, ChannelOp)]


def ring_bytes(channel: ChannelOp) -> int:
    """Bytes of a ring; 0 for tokens."""
    match channel.kind.data:
        case "slot":
            assert channel.slot_bytes is not None
            return channel.slots.data * channel.slot_bytes.data
        case "scalar":
            return channel.slots.data * SCALAR_BYTES
        case _:
            return 0


def ring_space(channel: ChannelOp) -> str:
    """`spm` or `acc`; "" for tokens."""
    match channel.kind.data:
        case "slot":
            return "spm" if channel.space == SPM else "acc"
        case "scalar":
            return "spm"
        case _:
            return ""


def residents(module: ModuleOp) -> list[Resident]:
    """All rings and private buffers of the module. PassError for a buffer without an engine."""
    function = entry_function(module)
    spans = _spans(function)
    end = spans[function][1]
    found = [
        Resident(c, ring_space(c), Life(f"@{c.channel_name}", ring_bytes(c), 0, end, ""))
        for c in channels_of(module)
        if ring_space(c)
    ]
    touches = find_touches(function.body.block)
    found += [_buffer(touched, spans, touches.statements) for touched in touches.buffers]
    return found


def _buffer(
    touched: Touched,
    spans: dict[Operation, tuple[int, int]],
    statements: dict[Block, list[Operation]],
) -> Resident:
    buffer = touched.buffer
    if buffer.engine is None:
        raise PassError(
            f"{located(buffer)}: this buffer has no engine; channels comes first", buffer
        )
    block = statements[touched.block]
    first, last = spans[buffer]
    if touched.spans:
        first = min(spans[block[span.first]][0] for span in touched.spans.values())
        last = max(spans[block[span.last]][1] for span in touched.spans.values())
    name = buffer.result.name_hint or "buffer"
    life = Life(f"%{name}", nbytes(buffer.result.type), first, last, buffer.engine.data)
    return Resident(buffer, space_name(buffer.result.type), life)


def _spans(function: func.FuncOp) -> dict[Operation, tuple[int, int]]:
    """First and last position of every op, those of its body included."""
    spans: dict[Operation, tuple[int, int]] = {}

    def visit(op: Operation, at: int) -> int:
        start = at
        for inner in _inner(op):
            at = visit(inner, at + 1)
        spans[op] = start, at
        return at

    visit(function, 0)
    return spans


def _inner(op: Operation) -> Iterator[Operation]:
    for region in op.regions:
        for block in region.blocks:
            yield from block.ops
