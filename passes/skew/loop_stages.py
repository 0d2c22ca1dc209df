"""The stages of a loop body for a software pipeline: which statement belongs to which. An analysis.

A *cut* is the vector unit's wait for a product that the matrix unit makes in the same trip. What is
computed from the product belongs to a later stage than the product; k cuts make stages 0 to k.
Statements that share a slot, or something that one of them writes, stay in order: the writer's
stage is never the later one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.stream import AcquireOp, RecvOp, SendOp, SlotEndOp, SlotOp, TokenOp, WaitOp
from ...dialects.tile import BufferOp, TileOp, globals_read, globals_written, root
from ..located import PassError, located
from ..touches import statement_of

HINT = "tile.skew"

Shared = SSAValue | str
"""What statements share: a slot, a private buffer, or the name of a global that is stored."""


@dataclass
class Body:
    """The statements of a loop body and what ties them together."""

    loop: scf.ForOp
    pairs: dict[WaitOp, AcquireOp] = field(default_factory=dict[WaitOp, AcquireOp])
    """The acquire of each wait."""
    users: dict[Shared, set[Operation]] = field(default_factory=dict[Shared, set[Operation]])
    """Statements by what they use."""
    used: dict[Operation, set[Shared]] = field(default_factory=dict[Operation, set[Shared]])
    writers: dict[Shared, set[Operation]] = field(default_factory=dict[Shared, set[Operation]])
    """Those of the users that write; slots are held, not written."""

    @property
    def block(self) -> Block:
        """The body."""
        return self.loop.body.block

    def statements(self) -> list[Operation]:
        """What is done in the body, without index arithmetic, parts of buffers and buffers."""
        kinds = (TileOp, SlotOp, SlotEndOp, scf.ForOp)
        return [op for op in self.block.ops if isinstance(op, kinds)]

    def slot(self, value: Shared) -> SlotOp | None:
        """The acquire or wait of a slot that is held within the body."""
        begin = value.owner if isinstance(value, SSAValue) else None
        return begin if isinstance(begin, SlotOp) and begin in self.used else None


@dataclass(frozen=True)
class Stages:
    """A body cut into stages.

    Attributes:
        of: the stage of each statement.
        cuts: waits for the products that cross stages, in the order of the body.
        crossing: private buffers of the body that a later stage reads, and how many stages later.
    """

    body: Body
    of: dict[Operation, int]
    cuts: list[WaitOp]
    crossing: dict[BufferOp, int]

    def distance(self, cut: WaitOp) -> int:
        """Stages from the product to its use."""
        return self.of[cut] - self.of[self.body.pairs[cut]]


def read_body(loop: scf.ForOp) -> Body:
    """Find what ties the statements of a body together. Raises PassError for tokens and scalars."""
    body = Body(loop)
    acquires: dict[str, list[AcquireOp]] = {}
    waits: dict[tuple[str, str], int] = {}
    loads, stores = set[str](), set[str]()
    for op in body.block.walk():
        if isinstance(op, TokenOp | RecvOp | SendOp):
            raise PassError(f"{located(op)}: a loop with tokens or scalars cannot be skewed", op)
        if isinstance(op, TileOp):
            loads |= set(globals_read(op))
            stores |= set(globals_written(op))
            for value in op.reads():
                _use(body, op, root(value))
            for value in (*map(root, op.writes()), *globals_written(op)):
                _use(body, op, value)
                body.writers.setdefault(value, set()).add(statement_of(op, body.block))
        elif isinstance(op, SlotOp) and op.parent_block() is body.block:
            _use(body, op, op.slot)
            if isinstance(op, AcquireOp):
                acquires.setdefault(op.channel_name, []).append(op)
            elif isinstance(op, WaitOp):
                key = (op.channel_name, op.engine.data)
                number = waits[key] = waits.get(key, -1) + 1
                if number >= len(acquires.get(op.channel_name, ())):
                    raise PassError(
                        f"{located(op)}: this slot was not acquired in the same trip", op
                    )
                body.pairs[op] = acquires[op.channel_name][number]
        elif isinstance(op, SlotEndOp) and op.parent_block() is body.block:
            _use(body, op, op.slot)
    if loads & stores:
        raise PassError(
            f"{located(loop)}: @{min(loads & stores)} is loaded and stored in this loop", loop
        )
    return body


def _use(body: Body, op: Operation, value: Shared) -> None:
    statement = statement_of(op, body.block)
    body.users.setdefault(value, set()).add(statement)
    body.used.setdefault(statement, set()).add(value)


def cut_into_stages(loop: scf.ForOp, cuts: int) -> Stages:
    """Cut a loop body at its first products. Raises PassError where no pipeline is right."""
    body = read_body(loop)
    products = [
        wait
        for wait, acquire in body.pairs.items()
        if (acquire.engine.kind, wait.engine.kind) == ("mxu", "vpu")
    ]
    if len(products) < cuts:
        raise PassError(
            f"{located(loop)}: {HINT} = {cuts} wants as many products of mxu that vpu uses, this "
            f"loop has {len(products)}; lower {HINT}",
            loop,
        )
    chosen = products[:cuts]
    of = dict.fromkeys(body.statements(), 0)
    for stage, cut in enumerate(chosen, 1):
        of.update(dict.fromkeys(_behind(body, cut, chosen), stage))
    stages = Stages(body, of, chosen, _crossing(body, of))
    for cut in chosen:
        _check_cut(stages, cut)
    return stages


def _behind(body: Body, cut: WaitOp, cuts: list[WaitOp]) -> set[Operation]:
    """Statements that use what is computed from the product at a cut, and their slots' makers."""
    found: set[Operation] = set()
    todo = list(body.users[cut.slot])
    while todo:
        op = todo.pop()
        if op in found:
            continue
        found.add(op)
        for value in body.used[op]:
            begin = body.slot(value)
            if begin is not None or op in body.writers.get(value, ()):
                todo += body.users[value]
            if isinstance(begin, AcquireOp):
                todo += [wait for wait, acquire in body.pairs.items() if acquire is begin]
            elif isinstance(begin, WaitOp) and begin not in cuts:
                todo.append(body.pairs[begin])
    return found


def _crossing(body: Body, of: dict[Operation, int]) -> dict[BufferOp, int]:
    """Buffers that a later stage reads than writes. Raises PassError if not the body's own."""
    found: dict[BufferOp, int] = {}
    for value, writers in body.writers.items():
        first = min(of[op] for op in writers)
        late = max(body.users[value], key=lambda op: of[op])
        if of[late] == first or body.slot(value) is not None:
            continue
        buffer = value.owner if isinstance(value, SSAValue) else None
        if not isinstance(buffer, BufferOp) or buffer.parent_block() is not body.block:
            name = value if isinstance(value, str) else f"%{value.name_hint or 'value'}"
            raise PassError(
                f"{located(late)}: {name} would be read when the next trip has written it again; "
                f"lower {HINT}, or declare the buffer inside the loop",
                late,
            )
        for use in buffer.result.uses:
            if not isinstance(use.operation, TileOp):
                raise PassError(
                    f"{located(use.operation)}: a part of %{buffer.result.name_hint or 'buffer'} "
                    f"would cross trips; lower {HINT}, or use the whole buffer",
                    use.operation,
                )
        found[buffer] = of[late] - first
    return found


def _check_cut(stages: Stages, cut: WaitOp) -> None:
    """The product comes before its use, and is the only one of its ring in the loop."""
    if stages.distance(cut) < 1:
        raise PassError(
            f"{located(cut)}: the product needs what the vector unit makes of the one before; "
            f"lower {HINT}",
            cut,
        )
    pair = (cut, stages.body.pairs[cut])
    for op in stages.body.block.walk():
        if isinstance(op, SlotOp) and op.channel_name == cut.channel_name and op not in pair:
            raise PassError(
                f"{located(op)}: a second slot, of @{cut.channel_name}, would cross; lower {HINT}",
                op,
            )
