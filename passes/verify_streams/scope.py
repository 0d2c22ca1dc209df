"""What is in force at a point of a streamed program: values defined, slots ended, counts known.

Helpers of `verify-streams`; each `check_*` raises a Broken with the rule and what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects import memref, scf
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import stream
from ...dialects.stream import ChannelOp
from ...dialects.tile import BufferOp, PartOp, ReshapeOp, TileOp, root


class Broken(Exception):
    """A rule that an op breaks, without the op."""


def engines_of(op: Operation, channels: Mapping[str, ChannelOp]) -> frozenset[str]:
    """The engines that execute an op; empty for index arithmetic and parts, which all may do."""
    match op:
        case stream.CommitOp() | stream.ReleaseOp():
            return frozenset((op.begin.engine.data,))
        case stream.RecvOp():
            channel = channels.get(op.channel_name)
            return frozenset(channel.consumer_names if channel is not None else ())
        case _:
            engine = getattr(op, "engine", None)
            return frozenset() if engine is None else frozenset((engine.data,))


def engines_below(op: Operation, channels: Mapping[str, ChannelOp]) -> frozenset[str]:
    """The engines that execute an op in the body of a loop."""
    return frozenset[str]().union(
        *(engines_of(inner, channels) for inner in op.walk() if inner is not op)
    )


@dataclass
class Scope:
    """The state of one walk.

    Attributes:
        channels: declared channels by name.
        defined: values that may be used here.
        ended: slots whose commit or release came before.
        known: for values derived from a `recv`, the engines that have them.
    """

    channels: Mapping[str, ChannelOp]
    defined: set[SSAValue] = field(default_factory=set[SSAValue])
    ended: set[SSAValue] = field(default_factory=set[SSAValue])
    known: dict[SSAValue, frozenset[str]] = field(default_factory=dict[SSAValue, frozenset[str]])

    def check_operands(self, op: Operation) -> None:
        """Operands are defined before, and known to every engine of the op."""
        engines = engines_of(op, self.channels)
        for value in op.operands:
            name = value.name_hint or "value"
            if value not in self.defined:
                raise Broken(
                    f"uses %{name} before it is defined, or outside the loop that defines it; "
                    "move the definition up"
                )
            if value in self.known and not engines <= self.known[value]:
                missing = ", ".join(sorted(engines - self.known[value]))
                raise Broken(
                    f"%{name} comes from a channel that {missing} does not receive; add it to the "
                    "channel's consumers"
                )

    def define(self, op: Operation) -> None:
        """Results of an op that was walked past, and who knows them."""
        self.defined.update(op.results)
        if isinstance(op, stream.RecvOp):
            self.known[op.result] = engines_of(op, self.channels)
            return
        if engines_of(op, self.channels):
            return
        limits = [self.known[value] for value in op.operands if value in self.known]
        if limits:
            both = frozenset[str].intersection(*limits)
            self.known.update((result, both) for result in op.results)

    def check_loop(self, op: scf.ForOp) -> None:
        """A loop counts from 0 by 1, carries nothing, and all its engines know its count."""
        if op.iter_args:
            raise Broken("carries values between trips; keep them in a buffer declared outside")
        if constant(op.lb) != 0 or constant(op.step) != 1:
            raise Broken("a loop of this level runs from 0 by 1; scale the counter inside")
        if op.ub in self.known:
            missing = engines_below(op, self.channels) - self.known[op.ub]
            if missing:
                raise Broken(
                    f"{', '.join(sorted(missing))} has operations in the loop but does not receive "
                    "its count; add it to the channel's consumers"
                )

    def close(self, block: Block) -> None:
        """Forget what was defined in a loop's body."""
        for op in block.ops:
            self.defined.difference_update(op.results)
        self.defined.difference_update(block.args)

    def check_use(self, value: SSAValue, engine: str, *, write: bool) -> None:
        """A slot or buffer is used by its own engine, while it is held; consumers only read."""
        base = root(value)
        owner = base.owner
        if isinstance(owner, BufferOp):
            belongs = owner.engine.data if owner.engine is not None else None
            if belongs != engine:
                raise Broken(
                    f"%{base.name_hint or 'buffer'} is a buffer of {belongs or 'no engine'}, used "
                    f"on {engine}; what crosses engines goes through a channel"
                )
            return
        if isinstance(owner, PartOp):
            return
        if not isinstance(owner, stream.AcquireOp | stream.WaitOp):
            raise Broken("an operand is neither a slot, a buffer or a global, nor part of one")
        where = f"slot %{base.name_hint or 'slot'} of @{owner.channel_name}"
        if owner.engine.data != engine:
            raise Broken(
                f"{where} is held by {owner.engine.data}, used on {engine}; {engine} must wait for "
                "it itself"
            )
        if base in self.ended:
            verb = "commit" if isinstance(owner, stream.AcquireOp) else "release"
            raise Broken(f"{where} is used after its {verb}; move the {verb} behind the last use")
        if write and isinstance(owner, stream.WaitOp):
            raise Broken(
                f"{where} is written by a consumer; other consumers may still read it: write to a "
                "buffer or to a channel of your own"
            )


def check_tile_op(scope: Scope, op: TileOp) -> None:
    """A tile op has an engine, and its operands are that engine's."""
    if op.engine is None:
        raise Broken(f"has no engine; assign-engines gives it one of kind {op.KIND}")
    for value in op.reads():
        scope.check_use(value, op.engine.data, write=False)
    for value in op.writes():
        scope.check_use(value, op.engine.data, write=True)


def constant(value: SSAValue) -> int | None:
    """The number of an arith.constant, else None."""
    owner = value.owner
    number = getattr(getattr(owner, "value", None), "value", None)
    if not isinstance(owner, Operation) or owner.name != "arith.constant":
        return None
    return getattr(number, "data", None)


def is_plain(op: Operation) -> bool:
    """Whether an op belongs to no engine by nature: index arithmetic, parameters, parts."""
    return isinstance(op, memref.SubviewOp | ReshapeOp | PartOp) or (
        not op.regions and all(isinstance(r.type, IndexType) for r in op.results)
    )
