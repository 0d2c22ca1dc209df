"""A projected function → code: ops become instructions, channel ops parts of their neighbours.

A begin (acquire, wait) goes into the next instruction if that has an operand in the slot, an end
(commit, release) into the one before; where there is none, at a loop's edge, a `sync` stands for
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xdsl.dialects import arith, func, memref, scf
from xdsl.ir import Block, Operation, SSAValue

from ...backend.isa import BY_MNEMONIC, SYNC_KINDS, View
from ...backend.machine import Machine
from ...dialects.stream import (
    AcquireOp,
    AwaitOp,
    RecvOp,
    SendOp,
    SignalOp,
    SlotEndOp,
    SlotOp,
)
from ...dialects.tg import GetOp, GlobalOp
from ...dialects.tile import (
    BoxOp,
    BufferOp,
    GatherOp,
    MatmulOp,
    PartOp,
    QuantiseOp,
    ReshapeOp,
    SelectOp,
    TileOp,
    TopkOp,
    TransposeOp,
    VecOp,
    element_of,
)
from ..located import PassError, located
from . import compute, move
from .code import Code, Instruction, Loop, Place
from .index import IndexValues
from .places import Places, element_format
from .scalars import Scalars, Scope, Sum

MAX_AGE = 7
"""Oldest-first number of a held slot that an operand can name."""


@dataclass
class _Block:
    """A block while it is lowered.

    Attributes:
        pending: begins that wait for their instruction.
        last: instruction that the next end may go into.
    """

    scope: Scope
    code: Code = field(default_factory=list[Instruction | Loop])
    pending: list[SlotOp] = field(default_factory=list[SlotOp])
    last: Instruction | None = None


class Lowering:
    """Lowers the function of one engine; `scalars` holds what its sums are made of."""

    def __init__(
        self,
        machine: Machine,
        parameters: Mapping[str, int],
        globals: Mapping[str, GlobalOp],
        regions: Mapping[BufferOp, str],
    ):
        self.machine = machine
        self.globals = globals
        self.scalars = Scalars()
        self.values = IndexValues(self.scalars, parameters)
        self.places = Places(self.values, regions, globals)
        self.held: dict[str, list[SSAValue]] = {}
        self.pops = 0

    def function(self, function: func.FuncOp) -> Code:
        """The code of the function's body. Raises PassError."""
        return self._block(function.body.block, self.scalars.root)

    def _block(self, block: Block, scope: Scope) -> Code:
        state = _Block(scope)
        for op in block.ops:
            self._op(op, state)
        self._flush(state)
        return state.code

    def _op(self, op: Operation, state: _Block) -> None:
        match op:
            case TileOp():
                self._emit(self._instruction(op), state)
            case SlotOp():
                self.held.setdefault(op.channel_name, []).append(op.slot)
                state.pending.append(op)
            case SlotEndOp():
                self._end(op, state)
            case SignalOp():
                self._flush(state)
                self._sync(state, op, op.channel_name, "acquire")
                self._sync(state, op, op.channel_name, "commit")
            case AwaitOp():
                self._flush(state)
                self._sync(state, op, op.channel_name, "wait")
                self._sync(state, op, op.channel_name, "release")
            case RecvOp():
                self._pop(op, state)
            case SendOp():
                self._send(op, state)
            case scf.ForOp():
                self._loop(op, state)
            case BufferOp() | memref.SubviewOp() | ReshapeOp() | PartOp():
                pass
            case GetOp() | arith.ConstantOp():
                pass
            case scf.YieldOp() | func.ReturnOp():
                pass
            case _:
                # Index arithmetic is computed where it is used; what is not index arithmetic is
                # refused here, used or not.
                for result in op.results:
                    self.values.of(result)
                if not op.results:
                    raise PassError(f"{located(op)}: no engine executes this op", op)

    def _loop(self, op: scf.ForOp, state: _Block) -> None:
        self._flush(state)
        lower, step = self.values.of(op.lb), self.values.of(op.step)
        if lower != Sum(0) or step != Sum(1) or op.iter_args:
            raise PassError(
                f"{located(op)}: loops run from 0 by 1 and carry no values at this level", op
            )
        scope = Scope(state.scope.depth + 1)
        if scope.depth > self.machine.counters:
            raise PassError(
                f"{located(op)}: {scope.depth} loops are nested, {self.machine.name} counts "
                f"{self.machine.counters}",
                op,
            )
        self.values.counter(op.body.block, scope)
        before = {channel: list(slots) for channel, slots in self.held.items() if slots}
        body = self._block(op.body.block, scope)
        if before != {channel: slots for channel, slots in self.held.items() if slots}:
            raise PassError(f"{located(op)}: the body must leave every channel as it found it", op)
        state.code.append(Loop(scope, self.values.of(op.ub), op, body))
        state.last = None

    def _instruction(self, op: TileOp) -> Instruction:
        match op:
            case BoxOp():
                return move.move(op, self.places, self.globals)
            case GatherOp():
                return move.gather(op, self.places, self.globals)
            case MatmulOp():
                return compute.matmul(op, self.places)
            case VecOp():
                return compute.vector(op, self.places)
            case SelectOp():
                return compute.select(op, self.places)
            case _:
                assert isinstance(op, TopkOp | TransposeOp | QuantiseOp), "no other op of `tile`"
                return compute.plain(op, self.places)

    def _emit(self, instruction: Instruction, state: _Block) -> None:
        """Append an instruction of a tile op, with the begins and ages of its slots."""
        places = operands(instruction)
        last = {begin.channel_name: begin for begin in state.pending}
        folded: list[SlotOp] = []
        for begin in last.values():
            first = next((place for place in places if place.slot is begin.slot), None)
            if first is not None:
                first.begin = True
                folded.append(begin)
        state.pending = [begin for begin in state.pending if begin not in folded]
        self._flush(state)
        for place in places:
            if place.slot is not None:
                place.age = self._age(instruction, place, place.slot)
        state.code.append(instruction)
        state.last = instruction

    def _age(self, instruction: Instruction, place: Place, slot: SSAValue) -> int:
        age = self.held[place.name].index(slot)
        if age > MAX_AGE:
            raise PassError(
                f"{located(instruction.source)}: {age} slots of @{place.name} are older than the "
                f"one it uses, an operand names the {MAX_AGE + 1} oldest: hold fewer at once",
                instruction.source,
            )
        return age

    def _end(self, op: SlotEndOp, state: _Block) -> None:
        channel = op.begin.channel_name
        if op.begin in state.pending:
            self._flush(state)
        held = self.held[channel]
        if held[0] is not op.slot:
            raise PassError(
                f"{located(op)}: @{channel} is first in, first out; end older slots first", op
            )
        held.pop(0)
        if state.last is not None and not state.pending:
            same = [place for place in operands(state.last) if place.name == channel]
            if not any(place.end for place in same):
                for place in same:
                    if place.slot is op.slot and place.age == 0:
                        place.end = True
                        return
        self._sync(state, op, channel, "commit" if isinstance(op.begin, AcquireOp) else "release")

    def _flush(self, state: _Block) -> None:
        """Emit pending begins as syncs."""
        pending, state.pending = state.pending, []
        for begin in pending:
            verb = "acquire" if isinstance(begin, AcquireOp) else "wait"
            self._sync(state, begin, begin.channel_name, verb)
        if pending:
            state.last = None

    def _sync(self, state: _Block, op: Operation, channel: str, verb: str) -> None:
        """Append a sync, or one more step to the sync before."""
        kind = SYNC_KINDS.index(verb)
        last = state.code[-1] if state.code else None
        if (
            isinstance(last, Instruction)
            and last.mnemonic == "sync"
            and (last.channel, last.fields["kind"]) == (channel, kind)
        ):
            last.fields["n"] += 1
            return
        state.code.append(Instruction("sync", op, fields={"kind": kind, "n": 1}, channel=channel))

    def _pop(self, op: RecvOp, state: _Block) -> None:
        self._flush(state)
        result = self.scalars.pop(op.channel_name, self.pops, state.scope)
        self.pops += 1
        self.values.define(op.result, result)
        instruction = Instruction(
            "pop", op, fields={"offset": 0}, channel=op.channel_name, result=result
        )
        state.code.append(instruction)
        state.last = None

    def _send(self, op: SendOp, state: _Block) -> None:
        """One i32 moves as bits, through the transposing port, into the channel's next slot."""
        self._flush(state)
        view = View(element_format(element_of(op.source), op), (1, 1), (4, 4))
        part = self.places.part(op.source)
        part = replace(
            part, offset=self.places.shifted(part.offset, op.offsets, part.strides), strides=()
        )
        source = self.places.place(part, view)
        if source.slot is not None:
            source.age = self.held[source.name].index(source.slot)
        target = Place("channel", op.channel_name, view, begin=True, end=True)
        state.code.append(Instruction("vtr", op, {"dst": target, "a": source}))
        state.last = None


def operands(instruction: Instruction) -> list[Place]:
    """Operands in the order of the instruction table."""
    names = [spec.name for spec in BY_MNEMONIC[instruction.mnemonic].operands]
    return [instruction.operands[name] for name in names if name in instruction.operands]
