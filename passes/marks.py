"""The high-water mark of every channel of a streamed program: slots that one sequential run needs."""

from collections.abc import Mapping, Sequence

from xdsl.ir import Block, Operation

from ..dialects.stream import (
    AcquireOp,
    AwaitOp,
    ChannelOp,
    CommitOp,
    RecvOp,
    ReleaseOp,
    SendOp,
    SignalOp,
    WaitOp,
)
from .located import PassError, located
from .stream_ledger import ChannelCounts, LedgerError


def high_water_marks(function: Block, channels: Sequence[ChannelOp]) -> dict[str, int]:
    """Slots by channel name, at least 1. Every loop body is entered once, as the ledger explains.

    Raises PassError where the channel ops do not pair.
    """
    counts = {
        c.channel_name: ChannelCounts(
            c.channel_name,
            c.slots.data,
            c.primed.data if c.primed is not None else 0,
            c.producer.data,
            c.consumer_names,
        )
        for c in channels
    }
    for op in function.walk():
        try:
            _count(op, counts)
        except LedgerError as error:
            raise PassError(f"{located(op)}: {error}") from None
    return {name: max(1, c.high) for name, c in counts.items()}


def _count(op: Operation, counts: Mapping[str, ChannelCounts]) -> None:
    """Add one op to the counts."""
    match op:
        case AcquireOp():
            counts[op.channel_name].acquire(op.slot)
        case CommitOp():
            counts[op.begin.channel_name].commit(op.slot)
        case WaitOp():
            counts[op.channel_name].wait(op.engine.data, op.slot)
        case ReleaseOp():
            counts[op.begin.channel_name].release(op.begin.engine.data, op.slot)
        case SignalOp() | SendOp():
            counts[op.channel_name].acquire()
            counts[op.channel_name].commit()
        case AwaitOp():
            counts[op.channel_name].wait(op.engine.data)
            counts[op.channel_name].release(op.engine.data)
        case RecvOp():
            for engine in counts[op.channel_name].consumers:
                counts[op.channel_name].wait(engine)
                counts[op.channel_name].release(engine)
        case _:
            return
