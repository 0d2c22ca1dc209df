"""placed → projected: one function into one per engine, `func.func @decode` → `@ld`, `@mxu`, ...

Each holds its engine's ops, in order, with the loops around them and the index arithmetic they
need. Loops without own ops are gone. The engines that appear are those that have ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ..dialects.stream import ChannelOp, RecvOp, SendOp, SlotEndOp, SlotOp, TokenOp
from ..dialects.tile import BufferOp, TileOp
from .channels import engine_key
from .located import engine_of


def engines_of(op: Operation, consumers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """Engines that execute an op; None for one that stands wherever its result is used."""
    match op:
        case SlotEndOp():
            return (op.begin.engine.data,)
        case RecvOp():
            return consumers[op.channel_name]
        case SlotOp() | TokenOp() | SendOp():
            return (op.engine.data,)
        case TileOp():
            return (engine_of(op, "assign-engines"),)
        case BufferOp():
            return (engine_of(op, "channels"),)
        case _:
            return None


def project_function(function: func.FuncOp, own: set[Operation], engine: str) -> func.FuncOp:
    """A copy of the function, named after the engine, with its own ops and what they need."""
    block = Block()
    _copy(function.body.block, block, {}, _needed(own))
    result = func.FuncOp(engine, ((), ()), Region(block))
    result.location = function.location
    return result


def _needed(own: set[Operation]) -> set[Operation]:
    """Own ops, the loops around them, and what any of these compute from."""
    kept: set[Operation] = set()
    todo = list(own)
    while todo:
        op = todo.pop()
        if op in kept:
            continue
        kept.add(op)
        todo += [v.owner for v in op.operands if isinstance(v.owner, Operation)]
        for value in op.operands:
            if isinstance(value.owner, Block) and (loop := value.owner.parent_op()) is not None:
                todo.append(loop)
        parent = op.parent_op()
        if isinstance(parent, scf.ForOp):
            todo.append(parent)
    return kept


def _copy(
    source: Block, target: Block, values: dict[SSAValue, SSAValue], kept: set[Operation]
) -> None:
    """Append copies of the ops of `source` that are kept, or end a block."""
    for op in source.ops:
        if isinstance(op, scf.ForOp):
            if op in kept:
                target.add_op(_copy_loop(op, values, kept))
        elif op in kept or isinstance(op, scf.YieldOp | func.ReturnOp):
            copy = op.clone(values)
            copy.location = op.location
            target.add_op(copy)


def _copy_loop(
    loop: scf.ForOp, values: dict[SSAValue, SSAValue], kept: set[Operation]
) -> scf.ForOp:
    body = Block(arg_types=[loop.body.block.args[0].type])
    body.args[0].name_hint = loop.body.block.args[0].name_hint
    values[loop.body.block.args[0]] = body.args[0]
    _copy(loop.body.block, body, values, kept)
    lb, ub, step = (values.get(v, v) for v in (loop.lb, loop.ub, loop.step))
    copy = scf.ForOp(lb, ub, step, (), body)
    copy.attributes.update(loop.attributes)
    copy.location = loop.location
    return copy


@dataclass(frozen=True)
class ProjectPass(ModulePass):
    """One function per engine, each the sequential program without the ops of the others."""

    name = "project"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        consumers = {c.channel_name: c.consumer_names for c in op.ops if isinstance(c, ChannelOp)}
        for function in [f for f in op.ops if isinstance(f, func.FuncOp)]:
            users: dict[str, set[Operation]] = {}
            for inner in function.walk():
                for engine in engines_of(inner, consumers) or ():
                    users.setdefault(engine, set()).add(inner)
            for engine in sorted(users, key=engine_key):
                projected = project_function(function, users[engine], engine)
                op.body.block.insert_op_before(projected, function)
            function.detach()
            function.erase()
