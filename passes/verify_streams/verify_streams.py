"""verify-streams: refuses a streamed or placed program that projection could break.

One walk that enters each loop body once decides, for every trip count, that no engine can block for
ever (rules S1 to S12); accesses to hbm are the race check's (S13). The walk also yields each ring's
high-water mark.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.ir import Block, Operation
from xdsl.passes import ModulePass

from ...dialects import stream
from ...dialects.shaped import is_memref, memref_of
from ...dialects.stream import ChannelOp
from ...dialects.tg import GlobalOp
from ...dialects.tile import (
    BoxOp,
    BufferOp,
    GatherOp,
    TileOp,
    element_of,
    globals_written,
    nbytes,
    parts_of,
)
from ..located import PassError, located
from .ledger import ChannelCounts, LedgerError
from .scope import Broken, Scope, check_tile_op, is_plain

READ_ONLY_ROLES = ("weight", "table", "input")
Seen = tuple[str, int]
"""How a slot is seen: element type and bytes."""


class StreamError(PassError):
    """A streamed program that breaks a rule: op, location, channel, engine, what to do."""


def verify_streams(module: ModuleOp, *, check_room: bool = True) -> dict[str, int]:
    """Check a streamed or placed module and give each channel's high-water mark, at least 1.

    Args:
        module: one function, its channels and globals.
        check_room: whether the declared rings must hold the marks; false before rings are sized.

    Raises:
        StreamError: on the first rule that is broken.
    """
    programs = [op for op in module.ops if isinstance(op, func.FuncOp)]
    if len(programs) != 1:
        raise StreamError(
            f"the module has {len(programs)} functions; this check is for one sequential program, "
            "before project",
            module,
        )
    return _Walk(module, check_room).run(programs[0])


@dataclass
class _Channel:
    """A declared channel and what one walk knows of it."""

    op: ChannelOp
    counts: ChannelCounts
    queued: dict[str, list[Seen]]
    writing: list[Seen] = field(default_factory=list[Seen])
    overflow: Operation | None = None

    @classmethod
    def of(cls, op: ChannelOp) -> "_Channel":
        """Before the launch."""
        primed = op.primed.data if op.primed is not None else 0
        counts = ChannelCounts(
            op.channel_name, op.slots.data, primed, op.producer.data, op.consumer_names
        )
        return cls(op, counts, {engine: [] for engine in op.consumer_names})

    def views(self) -> tuple[object, ...]:
        """How the slots in flight are seen: equal before and after a loop body."""
        return (tuple(self.writing), *(tuple(queue) for queue in self.queued.values()))


class _Walk:
    """One walk over the program, in its order."""

    def __init__(self, module: ModuleOp, check_room: bool) -> None:
        self.check_room = check_room
        declared = [op for op in module.ops if isinstance(op, ChannelOp)]
        self.channels = {op.channel_name: _Channel.of(op) for op in declared}
        self.globals = {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}
        self.scope = Scope({op.channel_name: op for op in declared})

    def run(self, program: func.FuncOp) -> dict[str, int]:
        """Check the program; gives the marks."""
        for op in self.globals.values():
            self.guard(op, lambda op=op: _check_global(op))
        self.block(program.body.block)
        for channel in self.channels.values():
            self.guard(channel.op, channel.counts.check_end)
        if self.check_room:
            for channel in self.channels.values():
                self.guard(channel.overflow or channel.op, lambda c=channel: _check_room(c))
        return {name: max(1, channel.counts.high) for name, channel in self.channels.items()}

    def guard(self, op: Operation, check: Callable[[], None]) -> None:
        """Run a check and say where it failed."""
        try:
            check()
        except (Broken, LedgerError) as error:
            engine = getattr(getattr(op, "engine", None), "data", None)
            on = f" on {engine}" if engine is not None else ""
            raise StreamError(f"{located(op)}{on}: {error}", op) from None

    def block(self, block: Block) -> None:
        """All ops of a block."""
        self.scope.defined.update(block.args)
        for op in block.ops:
            self.guard(op, lambda op=op: self.scope.check_operands(op))
            if isinstance(op, scf.ForOp):
                self.loop(op)
            else:
                self.guard(op, lambda op=op: self.statement(op))
            self.scope.define(op)

    def loop(self, op: scf.ForOp) -> None:
        """A body leaves every channel as it found it."""
        self.guard(op, lambda: self.scope.check_loop(op))
        before = {
            name: (channel.counts.copy(), channel.views())
            for name, channel in self.channels.items()
        }
        self.block(op.body.block)
        self.scope.close(op.body.block)
        for name, channel in self.channels.items():
            counts, views = before[name]
            self.guard(op, lambda c=channel, old=counts, v=views: _check_balance(c, old, v))

    def statement(self, op: Operation) -> None:
        """Any op but a loop."""
        match op:
            case TileOp():
                self.tile(op)
            case BufferOp():
                if op.engine is None:
                    raise Broken("a buffer of no engine; it is `on` one engine, or a slot")
            case stream.AcquireOp() | stream.WaitOp():
                self.begin(op)
            case stream.CommitOp() | stream.ReleaseOp():
                self.end(op)
            case stream.SignalOp() | stream.SendOp():
                self.send(op)
            case stream.AwaitOp():
                channel = self.channel(op.channel_name, "token")
                self.consumer(channel, op.engine.data)
                channel.counts.wait(op.engine.data)
                channel.counts.release(op.engine.data)
            case stream.RecvOp():
                channel = self.channel(op.channel_name, "scalar")
                for engine in channel.op.consumer_names:
                    channel.counts.wait(engine)
                    channel.counts.release(engine)
            case scf.YieldOp() | func.ReturnOp():
                return
            case _:
                if not is_plain(op):
                    raise Broken("not an operation of the streamed level; lower it first")

    def tile(self, op: TileOp) -> None:
        """A tile op: its engine, operands and globals."""
        check_tile_op(self.scope, op)
        names = [op.global_name] if isinstance(op, BoxOp | GatherOp) else []
        if isinstance(op, GatherOp):
            names.append(op.index_name)
        names += [part.global_name for part in parts_of([*op.reads(), *op.writes()])]
        for name in names:
            if name not in self.globals:
                raise Broken(f"names @{name}, which is not declared; declare it with tg.global")
        for name in globals_written(op):
            role = self.globals[name].role.data
            if role in READ_ONLY_ROLES:
                raise Broken(
                    f"writes @{name} of role {role}; only state, scratch and output are written"
                )

    def channel(self, name: str, kind: str) -> _Channel:
        """A declared channel of that kind."""
        found = self.channels.get(name)
        if found is None:
            raise Broken(f"names @{name}, which is not declared; declare it with stream.channel")
        if found.op.kind.data != kind:
            raise Broken(f"@{name} is a channel of kind {found.op.kind.data}; want {kind}")
        return found

    def consumer(self, channel: _Channel, engine: str) -> None:
        """`engine` is a consumer."""
        if engine not in channel.queued:
            raise Broken(
                f"{engine} is no consumer of @{channel.op.channel_name}, which goes to "
                f"{', '.join(channel.queued)}; add it there"
            )

    def producer(self, channel: _Channel, engine: str) -> None:
        """`engine` is the producer."""
        if channel.op.producer.data != engine:
            raise Broken(
                f"@{channel.op.channel_name} is filled by {channel.op.producer.data}, not by "
                f"{engine}; a channel has one producer, give {engine} a channel of its own"
            )

    def begin(self, op: stream.AcquireOp | stream.WaitOp) -> None:
        """Acquire or wait: the slot fits the channel, and is seen as it was written."""
        channel, engine = self.channel(op.channel_name, "slot"), op.engine.data
        type_, name = op.slot.type, op.channel_name
        seen = (str(element_of(op.slot)), nbytes(type_))
        if channel.op.slot_bytes is not None and seen[1] > channel.op.slot_bytes.data:
            raise Broken(
                f"{seen[1]} bytes do not fit a slot of @{name} of {channel.op.slot_bytes.data}; "
                "make the channel's slots larger"
            )
        if type_.memory_space != channel.op.space:
            raise Broken(f"sees {type_.memory_space}, but @{name} lies in {channel.op.space}")
        if isinstance(op, stream.AcquireOp):
            self.producer(channel, engine)
            channel.counts.acquire(op.slot)
            channel.writing.append(seen)
            if channel.overflow is None and channel.counts.high > channel.op.slots.data:
                channel.overflow = op
            return
        self.consumer(channel, engine)
        channel.counts.wait(engine, op.slot)
        written = channel.queued[engine].pop(0)
        if written != seen:
            raise Broken(
                f"sees {seen[1]} bytes of {seen[0]} in a slot of @{name} that was written as "
                f"{written[1]} bytes of {written[0]}; element type and bytes must agree"
            )

    def end(self, op: stream.CommitOp | stream.ReleaseOp) -> None:
        """Commit or release, in FIFO order, in the block of the begin."""
        begin = op.begin
        channel, engine = self.channel(begin.channel_name, "slot"), begin.engine.data
        if begin.parent is not op.parent:
            raise Broken("must stand in the block of its acquire or wait; move it there")
        if isinstance(op, stream.CommitOp):
            channel.counts.commit(op.slot)
            seen = channel.writing.pop(0)
            for queue in channel.queued.values():
                queue.append(seen)
        else:
            channel.counts.release(engine, op.slot)
        self.scope.ended.add(op.slot)

    def send(self, op: stream.SignalOp | stream.SendOp) -> None:
        """A token or a word."""
        kind = "token" if isinstance(op, stream.SignalOp) else "scalar"
        channel, engine = self.channel(op.channel_name, kind), op.engine.data
        self.producer(channel, engine)
        if isinstance(op, stream.SendOp):
            self.scope.check_use(op.source, engine, write=False)
        channel.counts.acquire()
        channel.counts.commit()
        if channel.overflow is None and channel.counts.high > channel.op.slots.data:
            channel.overflow = op


def _check_global(op: GlobalOp) -> None:
    """Bytes that are written hold whole elements: two writers never share one."""
    if not is_memref(op.type) or op.role.data in READ_ONLY_ROLES:
        return
    element = memref_of(op.type).element_type
    if isinstance(element, IntegerType) and element.bitwidth % 8:
        raise Broken(
            f"@{op.global_name} holds {element}: two elements would share a byte, and two writers "
            "with them; pack along the head dimension into i8"
        )


def _check_room(channel: _Channel) -> None:
    """The declared ring holds the high-water mark."""
    slots, high = channel.op.slots.data, channel.counts.high
    if high > slots:
        raise Broken(
            f"ring @{channel.op.channel_name} has {slots} slots, and the program holds {high} at "
            f"once: {channel.op.producer.data} would wait for ever; declare at least {high} "
            "(size-rings does)"
        )


def _check_balance(channel: _Channel, before: ChannelCounts, views: tuple[object, ...]) -> None:
    """One trip leaves counts, held slots and views as they were."""
    name = channel.op.channel_name
    if channel.counts.shape() != before.shape():
        raise Broken(
            f"one trip changes @{name}: {channel.counts.growth(before)}; all must grow alike and "
            "the same slots be held, else trip counts decide whether it blocks"
        )
    if channel.views() != views:
        raise Broken(
            f"one trip changes how the slots of @{name} in flight are seen; write and see them all "
            "as one element type and size"
        )


@dataclass(frozen=True)
class VerifyStreamsPass(ModulePass):
    """Check the rules of the streamed level; changes nothing."""

    name = "verify-streams"

    rings_sized: bool = True
    """Whether the declared rings must hold their high-water marks."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        verify_streams(op, check_room=self.rings_sized)
