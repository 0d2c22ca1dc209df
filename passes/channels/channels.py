"""tiled → streamed: what crosses engines becomes a channel, order through hbm a token.

`%b = tile.buffer` written by ld and read by mxu → `stream.channel @b from ld to [mxu]` with acquire
and commit around the writes, wait and release around the reads; a buffer of one engine becomes its
own, `tile.buffer on vpu`. No statement moves.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntAttr, ModuleOp
from xdsl.passes import ModulePass

from ...backend.machine import SMALLEST_ALIGNMENT
from ...dialects.spaces import EngineAttr, space_name
from ...dialects.stream import (
    AwaitOp,
    ChannelOp,
    SignalOp,
)
from ...dialects.tile import nbytes
from ..located import PassError, located
from ..names import Names, symbols
from ..placement import align
from ..symbols import entry_function
from ..touches import Touched, find_touches
from ..verify_streams import verify_streams
from .rings import make_rings, slot_type
from .slots import SlotWriter, erase_with_parts
from .tokens import Token, find_tokens


def insert_tokens(tokens: list[Token], names: Names) -> list[ChannelOp]:
    """Signals and awaits next to their statements; returns the channels they need."""
    channels: list[ChannelOp] = []
    for token in tokens:
        name = names.fresh(f"{token.globals[0]}_ready")
        channels.append(
            ChannelOp.tokens(name, token.producer, [token.consumer], 1 + token.primed, token.primed)
        )
        channels[-1].location = token.steps[0].anchor.location
        for step in token.steps:
            signal = step.verb == "signal"
            op = SignalOp(name, token.producer) if signal else AwaitOp(name, token.consumer)
            op.location = step.anchor.location
            block = step.anchor.parent_block()
            assert block is not None
            match step.place:
                case "before":
                    block.insert_op_before(op, step.anchor)
                case "after":
                    block.insert_op_after(op, step.anchor)
                case "end":
                    last = block.last_op
                    assert last is not None
                    block.insert_op_before(op, last)
    return channels


def stream_function(module: ModuleOp, function: func.FuncOp) -> None:
    """Channels for one function, declared before it. Raises PassError."""
    names = Names(symbols(module))
    channels = insert_tokens(find_tokens(function.body.block), names)
    touches = find_touches(function.body.block)
    for touched in touches.buffers:
        if len(touched.spans) == 1:
            _make_private(touched)
    rewriter = SlotWriter(touches)
    rings = make_rings(touches, names)
    for ring in rings:
        rewriter.ring(ring)
        largest = max(nbytes(slot_type(touched.buffer)) for touched in ring.members)
        first = ring.members[0].buffer
        channel = ChannelOp(
            ring.name,
            ring.producer,
            ring.consumers,
            1,
            align(largest, SMALLEST_ALIGNMENT),
            slot_type(first).memory_space,
        )
        channel.location = first.location
        channels.append(channel)
    rewriter.insert()
    for touched in touches.buffers:
        if len(touched.spans) != 1:
            erase_with_parts(touched.buffer)
    for channel in channels:
        module.body.block.insert_op_before(channel, function)
    marks = verify_streams(module, check_room=False)
    for channel in channels:
        channel.slots = IntAttr(max(channel.slots.data, marks[channel.channel_name]))


def _make_private(touched: Touched) -> None:
    """Give a buffer to the one engine that touches it."""
    (engine,) = touched.spans
    if space_name(touched.buffer.result.type) == "acc":
        raise PassError(
            f"{located(touched.buffer)}: this accumulator is touched by {engine} alone, so its "
            "sums are lost; let the vector unit read it, or drop it",
            touched.buffer,
        )
    touched.buffer.engine = EngineAttr(engine)
    touched.buffer.ring = None


@dataclass(frozen=True)
class ChannelsPass(ModulePass):
    """Turn buffers that cross engines into slots of channels, and order loads behind stores."""

    name = "channels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        stream_function(op, entry_function(op))
