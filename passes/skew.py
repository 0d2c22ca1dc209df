"""streamed → streamed: a loop marked `tile.skew = k` makes a product k trips before it is used.

`{ s(t); use s(t) }` → k empty slots of @s, then k more trips of `{ s(t) if t < n; use s(t - k) if
t >= k }`, then k slots left over. The matrix unit works on the next product while the vector unit
uses the last one. Conditions are loops of 0 or 1 trips, so that any number of trips, 0 included,
is right; no statement changes, and slots of other channels never cross.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntAttr, IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import is_side_effect_free

from ..dialects.stream import (
    AcquireOp,
    CommitOp,
    RecvOp,
    ReleaseOp,
    SendOp,
    SlotEndOp,
    SlotOp,
    TokenOp,
    WaitOp,
)
from ..dialects.tile import BufferOp, TileOp, root
from .located import PassError, located
from .memory import channels_of
from .touches import statement_of
from .verify_streams import verify_streams

HINT = "tile.skew"


@dataclass
class _Body:
    """The statements of a loop body and what ties them together."""

    loop: scf.ForOp
    pairs: dict[SlotOp, SlotOp] = field(default_factory=dict[SlotOp, SlotOp])
    """The acquire of each wait."""
    touching: dict[SSAValue, set[Operation]] = field(default_factory=dict[SSAValue, set[Operation]])
    """Statements by the slot or private buffer they use."""
    roots: dict[Operation, set[SSAValue]] = field(default_factory=dict[Operation, set[SSAValue]])
    """Slots and private buffers by the statement that uses them."""

    @property
    def block(self) -> Block:
        """The body."""
        return self.loop.body.block

    def statements(self) -> list[Operation]:
        """What is done in the body, without index arithmetic, parts of buffers and buffers."""
        kinds = (TileOp, SlotOp, SlotEndOp, scf.ForOp)
        return [op for op in self.block.ops if isinstance(op, kinds)]


def read_body(loop: scf.ForOp) -> _Body:
    """Find what ties the statements of a body together. Raises PassError for tokens and scalars."""
    body = _Body(loop)
    acquires: dict[str, list[SlotOp]] = {}
    waits: dict[tuple[str, str], int] = {}
    loads, stores = set[str](), set[str]()
    for op in loop.body.block.walk():
        if isinstance(op, TokenOp | RecvOp | SendOp):
            raise PassError(f"{located(op)}: a loop with tokens or scalars cannot be skewed")
        if isinstance(op, TileOp):
            loads |= set(op.global_reads())
            stores |= set(op.global_writes())
            for value in (*op.reads(), *op.writes()):
                _tie(body, op, root(value))
        elif isinstance(op, SlotOp) and op.parent_block() is loop.body.block:
            _tie(body, op, op.slot)
            if isinstance(op, AcquireOp):
                acquires.setdefault(op.channel_name, []).append(op)
            else:
                key = (op.channel_name, op.engine.data)
                number = waits[key] = waits.get(key, -1) + 1
                if number >= len(acquires.get(op.channel_name, ())):
                    raise PassError(f"{located(op)}: this slot was not acquired in the same trip")
                body.pairs[op] = acquires[op.channel_name][number]
        elif isinstance(op, SlotEndOp) and op.parent_block() is loop.body.block:
            _tie(body, op, op.slot)
    if loads & stores:
        raise PassError(
            f"{located(loop)}: @{min(loads & stores)} is loaded and stored in this loop"
        )
    return body


def _tie(body: _Body, op: Operation, value: SSAValue) -> None:
    """Note that the statement with `op` uses something that this loop writes."""
    statement = statement_of(op, body.block)
    begin = value.owner
    if isinstance(begin, WaitOp) and begin.parent_block() is not body.block:
        return  # Held around the loop and only read.
    body.touching.setdefault(value, set()).add(statement)
    body.roots.setdefault(statement, set()).add(value)


def cut_of(body: _Body) -> WaitOp:
    """The wait of the vector unit for the first product that the matrix unit makes in the body."""
    for wait, acquire in body.pairs.items():
        if isinstance(wait, WaitOp) and (acquire.engine.kind, wait.engine.kind) == ("mxu", "vpu"):
            return wait
    raise PassError(
        f"{located(body.loop)}: no product of mxu is used by vpu in this loop; drop {HINT}"
    )


def first_stage(body: _Body, cut: WaitOp) -> set[Operation]:
    """Statements that the product at the cut needs. Raises PassError if it needs its own use."""
    found: set[Operation] = set()
    todo: list[Operation] = list(body.touching[body.pairs[cut].slot])
    while todo:
        op = todo.pop()
        if op in found:
            continue
        found.add(op)
        for value in body.roots.get(op, ()):
            todo += body.touching[value]
            begin = value.owner
            if isinstance(begin, WaitOp):
                todo += body.touching[body.pairs[begin].slot]
    if cut in found:
        raise PassError(
            f"{located(cut)}: the product needs what the vector unit makes of the one before; drop "
            f"{HINT}"
        )
    for wait, acquire in body.pairs.items():
        if wait is not cut and (wait in found) != (acquire in found):
            raise PassError(
                f"{located(wait)}: a second slot, of @{wait.channel_name}, would cross; drop {HINT}"
            )
    return found


def _copy(
    body: _Body, stage: set[Operation], values: dict[SSAValue, SSAValue], target: Block
) -> None:
    """Append copies of the statements of a stage, and of what they compute from."""
    needed: set[Operation] = set()
    todo = list(stage)
    while todo:
        op = todo.pop()
        if op in needed:
            continue
        needed.add(op)
        for inner in op.walk():
            for operand in inner.operands:
                owner = operand.owner
                if isinstance(owner, Operation) and owner.parent_block() is body.block:
                    if isinstance(owner, BufferOp) or is_side_effect_free(owner):
                        todo.append(owner)
    for op in body.block.ops:
        if op in needed:
            copy = op.clone(values)
            for old, new in zip(op.walk(), copy.walk(), strict=True):
                new.location = old.location
            target.add_op(copy)


class _Emitter:
    """Appends ops to a block, at the location of the loop."""

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


def skew_loop(loop: scf.ForOp, distance: int) -> None:
    """Replace a loop by its skewed form. Raises PassError where that would change the program."""
    body = read_body(loop)
    cut = cut_of(body)
    product = body.pairs[cut]
    early = first_stage(body, cut)
    ends = {op.begin: op for op in body.block.ops if isinstance(op, SlotEndOp)}
    apart = {product, cut, ends[product], ends[cut]}
    late = {op for op in body.statements() if op not in early}
    before, inside, behind = _Emitter(loop), _Emitter(loop), _Emitter(loop)
    zero, one = before.constant(0), before.constant(1)
    count = before.constant(distance)
    for _ in range(distance):
        bubble = AcquireOp(product.channel_name, product.engine, product.slot.type)
        before.add(bubble)
        before.add(CommitOp(bubble.slot))
    trips = before.binary(arith.AddiOp, loop.ub, count)
    block = Block(arg_types=[IndexType()])
    block.args[0].name_hint = loop.body.block.args[0].name_hint
    counter = block.args[0]

    def once(left: SSAValue, stage: set[Operation], values: dict[SSAValue, SSAValue]) -> None:
        """The stage, if `left` is positive."""
        some = inside.binary(arith.MaxSIOp, left, zero)
        some = inside.binary(arith.MinSIOp, some, one)
        guarded = Block(arg_types=[IndexType()])
        _copy(body, stage - apart, values, guarded)
        guarded.add_op(scf.YieldOp())
        inside.add(scf.ForOp(zero, some, one, (), guarded))

    slot = AcquireOp(product.channel_name, product.engine, product.slot.type)
    inside.add(slot)
    old = loop.body.block.args[0]
    left = inside.binary(arith.SubiOp, loop.ub, counter)
    once(left, early, {old: counter, product.slot: slot.slot})
    inside.add(CommitOp(slot.slot))
    back = inside.binary(arith.SubiOp, counter, count)
    ready = inside.binary(arith.AddiOp, back, one)
    used = WaitOp(cut.channel_name, cut.engine, cut.slot.type)
    inside.add(used)
    once(ready, late, {old: back, cut.slot: used.slot})
    inside.add(ReleaseOp(used.slot))
    block.add_ops([*inside.ops, scf.YieldOp()])
    skewed = scf.ForOp(zero, trips, one, (), block)
    skewed.location = loop.location
    for _ in range(distance):
        rest = WaitOp(cut.channel_name, cut.engine, cut.slot.type)
        behind.add(rest)
        behind.add(ReleaseOp(rest.slot))
    parent = loop.parent_block()
    assert parent is not None
    parent.insert_ops_before([*before.ops, skewed, *behind.ops], loop)
    loop.detach()
    loop.erase()


@dataclass(frozen=True)
class SkewPass(ModulePass):
    """Skew the loops that carry a hint."""

    name = "skew"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        hinted = [o for o in op.walk() if isinstance(o, scf.ForOp) and HINT in o.attributes]
        for loop in hinted:
            hint = loop.attributes.pop(HINT)
            if not isinstance(hint, IntegerAttr) or hint.value.data < 1:
                raise PassError(f"{located(loop)}: {HINT} is a number of trips >= 1, not {hint}")
            skew_loop(loop, hint.value.data)
        if hinted:
            marks = verify_streams(op, check_room=False)
            for channel in channels_of(op):
                channel.slots = IntAttr(max(channel.slots.data, marks[channel.channel_name]))
