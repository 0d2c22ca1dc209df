"""tiled → streamed: what crosses engines becomes a channel, order through hbm a token.

`%b = tile.buffer` written by ld and read by mxu → `stream.channel @b from ld to [mxu]` with acquire
and commit around the writes, wait and release around the reads; a buffer of one engine becomes its
own, `tile.buffer on vpu`. No statement moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func, memref
from xdsl.dialects.builtin import IntAttr, MemRefType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ..backend.machine import SMALLEST_ALIGNMENT
from ..dialects.spaces import EngineAttr, space_name
from ..dialects.stream import (
    AcquireOp,
    AwaitOp,
    ChannelOp,
    CommitOp,
    ReleaseOp,
    SignalOp,
    WaitOp,
)
from ..dialects.tile import BufferOp, ReshapeOp, TileOp, nbytes
from .located import PassError, located
from .names import Names, symbols
from .placement import align
from .rings import Hold, RingError, Use, schedule
from .symbols import entry_function
from .tokens import Token, find_tokens
from .touches import Touched, Touches, find_touches
from .verify_streams import verify_streams

ENGINE_ORDER = ("ld", "st", "mxu", "vpu")


@dataclass
class Ring:
    """Buffers that share one channel."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    members: list[Touched] = field(default_factory=list[Touched])


def engine_key(engine: str) -> tuple[int, str]:
    """Engines in the machine's order."""
    return ENGINE_ORDER.index(engine.rstrip("0123456789")), engine


def roles(touched: Touched) -> tuple[str, tuple[str, ...]]:
    """Producer and consumers of a buffer that several engines touch. Raises PassError."""
    op = touched.buffer
    if len(touched.writers) != 1:
        what = "nobody writes" if not touched.writers else f"{' and '.join(touched.writers)} write"
        raise PassError(
            f"{located(op)}: {what} this buffer of {', '.join(touched.spans)}; a buffer that "
            "crosses engines has one writer: give each writer its own"
        )
    (producer,) = touched.writers
    others = sorted(set(touched.spans) - {producer}, key=engine_key)
    for engine in others:
        if touched.spans[engine].first <= touched.spans[producer].last:
            raise PassError(
                f"{located(touched.readers[engine])}: {engine} reads a buffer that {producer} "
                "still touches later or in the same loop "
                f"({located(touched.writers[producer])}); declare the buffer inside the loop, or "
                "copy it"
            )
    return producer, tuple(others)


def make_rings(touches: Touches, names: Names) -> list[Ring]:
    """One ring for each ring name, one for each other buffer that crosses engines."""
    rings: dict[str, Ring] = {}
    out: list[Ring] = []
    for touched in touches.buffers:
        if len(touched.spans) < 2:
            continue
        producer, consumers = roles(touched)
        wish = touched.buffer.ring
        ring = rings.get(wish.data) if wish is not None else None
        if ring is None:
            hint = wish.data if wish is not None else touched.buffer.result.name_hint or "slot"
            ring = Ring(names.fresh(hint), producer, consumers)
            out.append(ring)
            if wish is not None:
                rings[wish.data] = ring
        _check_member(ring, touched, producer, consumers)
        ring.members.append(touched)
    return out


def _check_member(ring: Ring, touched: Touched, producer: str, consumers: tuple[str, ...]) -> None:
    for known in ring.members[:1]:
        space = _type(known.buffer).memory_space
        if (ring.producer, ring.consumers, space) != (
            producer, consumers, _type(touched.buffer).memory_space,
        ):  # fmt: skip
            raise PassError(
                f"{located(touched.buffer)}: a slot from {producer} to {list(consumers)} does "
                f"not go with ring {ring.name!r}, from {ring.producer} to {list(ring.consumers)} "
                f"({located(known.buffer)}); give it another ring"
            )


def _type(buffer: BufferOp) -> MemRefType[Attribute]:
    return buffer.result.type


@dataclass
class _Around:
    """What goes around a statement: begins and parts of slots before it, ends after it."""

    waits: list[Operation] = field(default_factory=list[Operation])
    acquires: list[Operation] = field(default_factory=list[Operation])
    parts: list[tuple[int, Operation]] = field(default_factory=list[tuple[int, Operation]])
    commits: list[Operation] = field(default_factory=list[Operation])
    releases: list[Operation] = field(default_factory=list[Operation])


class _Rewriter:
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
                    "give it another ring"
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
    rewriter = _Rewriter(touches)
    rings = make_rings(touches, names)
    for ring in rings:
        rewriter.ring(ring)
        largest = max(nbytes(_type(touched.buffer)) for touched in ring.members)
        first = ring.members[0].buffer
        channel = ChannelOp(
            ring.name,
            ring.producer,
            ring.consumers,
            1,
            align(largest, SMALLEST_ALIGNMENT),
            _type(first).memory_space,
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
            "sums are lost; let the vector unit read it, or drop it"
        )
    touched.buffer.engine = EngineAttr(engine)
    touched.buffer.ring = None


@dataclass(frozen=True)
class ChannelsPass(ModulePass):
    """Turn buffers that cross engines into slots of channels, and order loads behind stores."""

    name = "channels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        stream_function(op, entry_function(op))
