"""Where a load must wait for a store to the same global: an analysis, used by `channels`.

What one engine wrote to a global, another may read only behind a token: `stream.signal` after the
store, `stream.await` before the load. Between them at most one token is under way, and every loop
body signals as often as it awaits. A body that first loads and then stores leaves the token of its
last trip under way; its first trip takes one that was signalled before the loop, or primed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation

from ...dialects.tile import TileOp, globals_read, globals_written
from ..located import PassError, engine_of, located
from .independent import Iterations

Access = Literal["load", "store"]


@dataclass(frozen=True)
class Step:
    """A token op to insert.

    Attributes:
        verb: signal or await.
        anchor: the statement it stands next to; None: `block` has no statement to stand at.
        place: before or after the anchor, or at the end of the anchor's block.
    """

    verb: Literal["signal", "await"]
    anchor: Operation
    place: Literal["before", "after", "end"]


@dataclass
class Token:
    """A token from who writes to one who reads, for globals that need the same steps."""

    globals: list[str]
    producer: str
    consumer: str
    primed: int
    steps: list[Step]


@dataclass
class _Statement:
    """An op of a block that loads or stores the global: a tile op, or a loop with such inside."""

    op: Operation
    first: Access
    last: Access
    body: list[_Statement] = field(default_factory=list["_Statement"])
    carries: bool = False
    """Whether a trip may load what the trip before stored, so that a token goes from trip to trip.
    """

    @property
    def has_both(self) -> bool:
        """Whether steps may be needed inside."""
        kinds = {self.first, self.last}
        return len(kinds) == 2 or any(s.has_both or s.first not in kinds for s in self.body)


def find_tokens(function: Block) -> list[Token]:
    """The tokens that the program needs: for globals both stored and loaded, merged where equal."""
    loads: dict[str, list[TileOp]] = {}
    stores: dict[str, list[TileOp]] = {}
    for op in function.walk():
        if isinstance(op, TileOp):
            for name in globals_read(op):
                loads.setdefault(name, []).append(op)
            for name in globals_written(op):
                stores.setdefault(name, []).append(op)
    tokens: list[Token] = []
    iterations = Iterations(function)
    for name, writes in stores.items():
        readers = _by_engine(loads.get(name, []))
        queues = [engine for engine in readers if engine.startswith("ld")]
        if len(queues) > 1:
            raise PassError(
                f"{located(loads[name][-1])}: @{name} is stored and loaded by "
                f"{', '.join(sorted(queues))}; "
                "loads of a mutable global belong on one queue: let assign-engines choose it",
                loads[name][-1],
            )
        for producer, written in _by_engine(writes).items():
            for consumer, read in readers.items():
                if consumer != producer:
                    ends = _Ends(name, producer, consumer)
                    _merge(tokens, _token(function, iterations, ends, written, read))
    return tokens


@dataclass(frozen=True)
class _Ends:
    """What a token orders: a global, who writes it, who reads it."""

    name: str
    producer: str
    consumer: str


def _by_engine(ops: list[TileOp]) -> dict[str, list[TileOp]]:
    """Ops by the engine that executes them."""
    found: dict[str, list[TileOp]] = {}
    for op in ops:
        found.setdefault(engine_of(op, "assign-engines"), []).append(op)
    return found


def _merge(tokens: list[Token], token: Token) -> None:
    """Append a token, or its global to one with the same steps at adjacent statements."""
    if not token.steps:
        return
    for known in tokens:
        same = (known.producer, known.consumer, known.primed, len(known.steps)) == (
            token.producer, token.consumer, token.primed, len(token.steps),
        )  # fmt: skip
        joined = [_join(a, b) for a, b in zip(known.steps, token.steps, strict=False)]
        if same and None not in joined:
            known.globals += token.globals
            known.steps = [step for step in joined if step is not None]
            return
    tokens.append(token)


def _join(a: Step, b: Step) -> Step | None:
    """One step for two: the later signal, the earlier await. None if other work lies between."""
    if (a.verb, a.place) != (b.verb, b.place):
        return None
    if a.anchor is b.anchor:
        return a
    if a.anchor.regions or b.anchor.regions:
        return None
    if _reaches(a.anchor, b.anchor):
        return b if a.verb == "signal" else a
    if _reaches(b.anchor, a.anchor):
        return a if a.verb == "signal" else b
    return None


def _reaches(first: Operation, second: Operation) -> bool:
    """Whether only loads, stores and arithmetic lie between two ops of a block, in this order."""
    at = first.next_op
    while at is not None and at is not second:
        if at.regions or (isinstance(at, TileOp) and at.KIND not in ("ld", "st")):
            return False
        at = at.next_op
    return at is second


def _token(
    function: Block, iterations: Iterations, ends: _Ends, stores: list[TileOp], loads: list[TileOp]
) -> Token:
    """The token of one global; without steps if no load can come after a store."""
    kinds = dict[TileOp, Access]()
    kinds.update((op, "store") for op in stores)
    kinds.update((op, "load") for op in loads)
    statements = _statements(function, kinds, iterations, ends.name)
    plans = [_Walk(primed).plan(statements) for primed in (0, 1)]
    primed = 0 if len(plans[0]) <= len(plans[1]) else 1
    return Token([ends.name], ends.producer, ends.consumer, primed, plans[primed])


def _statements(
    function: Block, kinds: dict[TileOp, Access], iterations: Iterations, name: str
) -> list[_Statement]:
    """The statements of the function that touch the global, nested as the loops are."""
    inside: dict[Block, dict[Operation, None]] = {}
    for op in kinds:
        at: Operation | None = op
        while at is not None and (block := at.parent_block()) is not None:
            known = inside.setdefault(block, {})
            if at in known:
                break
            known[at] = None
            if block is function:
                break
            at = block.parent_op()

    def build(block: Block) -> Iterator[_Statement]:
        wanted = inside.get(block, {})
        for op in block.ops:
            if op not in wanted:
                continue
            if isinstance(op, TileOp):
                yield _Statement(op, kinds[op], kinds[op])
                continue
            assert isinstance(op, scf.ForOp), "loops are the only ops with a body at this level"
            body = list(build(op.body.block))
            statement = _Statement(op, body[0].first, body[-1].last, body)
            if statement.first == "load" and statement.last == "store":
                leaves = _leaves(statement)
                statement.carries = not iterations.are_independent(op, leaves, name)
            yield statement

    return list(build(function))


def _leaves(statement: _Statement) -> list[TileOp]:
    """The loads and stores of a statement."""
    if isinstance(statement.op, TileOp):
        return [statement.op]
    return [op for inner in statement.body for op in _leaves(inner)]


class _Walk:
    """One walk over the statements, with the tokens under way and the unsignalled store."""

    def __init__(self, primed: int):
        self.primed = primed
        self.steps: list[Step] = []

    def plan(self, statements: list[_Statement]) -> list[Step]:
        """The steps of the function, which ends with as many tokens under way as it began."""
        self._block(statements, self.primed)
        return self.steps

    def _add(self, verb: Literal["signal", "await"], op: Operation,
             place: Literal["before", "after", "end"], count: int = 1) -> None:  # fmt: skip
        self.steps += [Step(verb, op, place)] * count

    def _block(self, statements: list[_Statement], carried: int) -> None:
        """A block that begins and ends with `carried` (0 or 1) tokens under way."""
        flying, dirty = carried, None
        for statement in statements:
            op = statement.op
            carries = statement.carries
            if statement.first == "load":
                if dirty is not None:
                    self._add("signal", dirty, "after")
                    flying, dirty = flying + 1, None
                elif carries and not flying:
                    self._add("signal", op, "before")
                    flying = 1
            closed = statement.has_both or statement.first == "load"
            if closed and flying > carries:
                self._add("await", op, "before", flying - carries)
                flying = int(carries)
            if statement.body and statement.has_both:
                self._block(statement.body, int(carries))
            if statement.last == "store" and not carries:
                dirty = op
            elif dirty is not None:
                dirty = None if _surely_runs(op) or statement.first == "load" else op
        last = statements[-1].op
        if dirty is not None and carried:
            self._add("signal", dirty, "after")
            flying += 1
        elif not flying and carried:
            self._add("signal", last, "end")
            flying = 1
        if flying > carried:
            self._add("await", last, "end", flying - carried)


def _surely_runs(op: Operation) -> bool:
    """Whether an op is a loop of a constant number of trips, at least one."""
    if not isinstance(op, scf.ForOp) or not isinstance(op.ub.owner, arith.ConstantOp):
        return False
    count = op.ub.owner.value
    return isinstance(count, IntegerAttr) and count.value.data > 0
