"""erase-channels: a streamed program -> the tiled program with the same bits. A test oracle.

    %w0 = stream.acquire @w on ld : T      ->    %w0 = tile.buffer ring "w" : T
    tile.load @g[..] [..] to %w0 on ld     ->    tile.load @g[..] [..] to %w0
    stream.commit %w0                      ->
    %w = stream.wait @w on mxu : T         ->    (%w is %w0)

It undoes `assign-engines` and `channels`. A wait is matched with its acquire by counting in program
order, which says which buffer it is only while no slot crosses a loop's edge: a skewed program, and
one whose counts come from scalar channels, has no tiled form and is refused.
"""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ..dialects import stream
from ..dialects.tile import BufferOp, ReshapeOp, TileOp
from .located import PassError, located


class _Queues:
    """Buffers in flight: per channel what is acquired, per consumer what it may still wait for."""

    def __init__(self) -> None:
        self.consumers: dict[str, tuple[str, ...]] = {}
        self.queued: dict[tuple[str, str], list[SSAValue]] = {}

    def declare(self, op: stream.ChannelOp) -> None:
        """A channel without slots in flight."""
        self.consumers[op.channel_name] = op.consumer_names
        for engine in op.consumer_names:
            self.queued[op.channel_name, engine] = []

    def put(self, name: str, buffer: SSAValue) -> None:
        """A buffer that every consumer will see."""
        for engine in self.consumers[name]:
            self.queued[name, engine].append(buffer)

    def in_flight(self) -> list[str]:
        """Channels with a buffer that some consumer has not seen."""
        return sorted({name for (name, _), queue in self.queued.items() if queue})


def erase_channels(module: ModuleOp) -> None:
    """Make a streamed or placed module tiled, in place.

    Raises:
        PassError: a scalar channel, or a slot that crosses a loop's edge.
    """
    queues = _Queues()
    for op in list(module.ops):
        if isinstance(op, stream.ChannelOp):
            if op.kind.data == "scalar":
                raise PassError(
                    f"{located(op)}: @{op.channel_name} carries counts made by the program, which "
                    "the tiled level cannot say; run it as it is",
                    op,
                )
            queues.declare(op)
            op.detach()
            op.erase()
    for op in list(module.ops):
        for region in op.regions:
            for block in region.blocks:
                _erase_block(block, queues)


def _erase_block(block: Block, queues: _Queues) -> None:
    """Erase the channels of a block and of all below it."""
    for op in list(block.ops):
        if isinstance(op, scf.ForOp):
            _check_edge(op, queues)
            _erase_block(op.body.block, queues)
            _check_edge(op, queues)
        else:
            _erase_op(op, queues)


def _check_edge(op: Operation, queues: _Queues) -> None:
    """Only slots that the loop's body does not wait for may be in flight at its edge."""
    waited = {inner.channel_name for inner in op.walk() if isinstance(inner, stream.WaitOp)}
    crossing = [name for name in queues.in_flight() if name in waited]
    if crossing:
        raise PassError(
            f"{located(op)}: a slot of @{crossing[0]} crosses from trip to trip (skew); no buffer "
            "of the tiled level stands for it: run the skewed program as it is",
            op,
        )


def _erase_op(op: Operation, queues: _Queues) -> None:
    match op:
        case stream.AcquireOp():
            buffer = BufferOp(op.slot.type, ring=op.channel_name)
            _replace(op, buffer, op.slot, buffer.result)
            queues.put(op.channel_name, buffer.result)
        case stream.WaitOp():
            queue = queues.queued[op.channel_name, op.engine.data]
            if not queue:
                raise PassError(
                    f"{located(op)}: nothing is committed to @{op.channel_name} before this wait; "
                    "verify-streams says why",
                    op,
                )
            buffer = queue.pop(0)
            if buffer.type == op.slot.type:
                op.slot.replace_all_uses_with(buffer)
            else:
                view = ReshapeOp(buffer, op.slot.type)
                _replace(op, view, op.slot, view.result)
                return
            _remove(op)
        case stream.CommitOp() | stream.ReleaseOp() | stream.SignalOp() | stream.AwaitOp():
            _remove(op)
        case BufferOp() | TileOp():
            op.engine = None
            if isinstance(op, BufferOp):
                op.at = None
        case _:
            return


def _replace(old: Operation, new: Operation, before: SSAValue, after: SSAValue) -> None:
    block = old.parent_block()
    assert block is not None, "an op of a block"
    new.location = old.location
    after.name_hint = before.name_hint
    block.insert_op_before(new, old)
    before.replace_all_uses_with(after)
    _remove(old)


def _remove(op: Operation) -> None:
    op.detach()
    op.erase()


@dataclass(frozen=True)
class EraseChannelsPass(ModulePass):
    """Turn a streamed program back into the tiled one, to compare the two."""

    name = "erase-channels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        erase_channels(op)
