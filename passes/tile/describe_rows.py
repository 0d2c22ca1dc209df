"""Kernels of one op: tg.fused with a norm, a softmax, an elementwise op or a step of attention ->
its description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.ir import Operation, SSAValue

from ...dialects.shaped import tensor_of
from ...dialects.tg import (
    BinaryOp,
    FusedOp,
    LayerNormOp,
    MixOp,
    OutputOp,
    RmsNormOp,
    ScoresOp,
    SoftmaxOp,
    TakeOp,
    UnaryOp,
    WeightOp,
)
from ..located import PassError, located
from .alone import ROW_OPS, single_op
from .norm import LayerNorm, Norm
from .regions import counted_by
from .rowwise import Combine, Function, RowOp, RowWise, Softmax
from .steps import Mix, Scores, SeenSoftmax

if TYPE_CHECKING:
    from .kernels import Surroundings


def describe_alone(
    kernel: FusedOp, around: Surroundings
) -> RowWise | Scores | SeenSoftmax | Mix | None:
    """The description of a kernel of one op; None for a kernel of another kind."""
    match single_op(kernel):
        case None:
            return None
        case (ScoresOp() | MixOp()) as op:
            return _describe_step(kernel, op, around)
        case SoftmaxOp() as op if op.seen is not None:
            return _describe_seen_softmax(kernel, op, around)
        case op:
            return _describe_row_wise(kernel, op, around)


def parameter(value: SSAValue) -> WeightOp:
    """The op that reads a parameter. Raises PassError for another value."""
    if not isinstance(value.owner, WeightOp):
        op = value.owner if isinstance(value.owner, Operation) else None
        raise PassError(f"{located(op)}: found where a kernel reads a parameter", op)
    return value.owner


def describe_norm(op: RmsNormOp) -> Norm:
    """A norm's parameter and epsilon."""
    gamma = parameter(op.gamma)
    return Norm(gamma.global_name, gamma.layer is not None, op.eps.value.data)


def output_of(kernel: FusedOp, around: Surroundings) -> str:
    """The region or the output that a kernel of one result writes."""
    ops = list(kernel.body.block.ops)
    for op in ops:
        if isinstance(op, OutputOp):
            return op.global_name
    return around.regions.names[kernel.parts[0]]


def _describe_row_wise(kernel: FusedOp, op: Operation, around: Surroundings) -> RowWise:
    """One op on rows."""
    assert isinstance(op, ROW_OPS)
    source, output = around.region(op.x), output_of(kernel, around)
    return RowWise(
        source=source,
        element=around.element(source),
        columns=tensor_of(op.x).get_shape()[1],
        index=op.index_name if isinstance(op, TakeOp) else None,
        count=counted_by(op.result),
        op=_row_op(op, around),
        output=output,
        result=around.element(output),
    )


def _row_op(op: Operation, around: Surroundings) -> RowOp:
    match op:
        case RmsNormOp():
            return describe_norm(op)
        case LayerNormOp():
            gamma, beta = parameter(op.gamma), parameter(op.beta)
            layered = (gamma.layer is not None, beta.layer is not None)
            return LayerNorm(gamma.global_name, beta.global_name, layered, op.eps.value.data)
        case SoftmaxOp():
            return Softmax(1 if op.heads is None else op.heads.data)
        case UnaryOp():
            return Function(op.f.data)
        case BinaryOp(y=y) if isinstance(y.owner, WeightOp):
            name = y.owner.global_name
            layered = y.owner.layer is not None
            return Combine(op.op.data, "vector", name, around.element(name), layered)
        case BinaryOp():
            name = around.region(op.y)
            return Combine(op.op.data, "tensor", name, around.element(name))
        case _:
            return None


def _describe_step(kernel: FusedOp, op: ScoresOp | MixOp, around: Surroundings) -> Scores | Mix:
    """Scores, or values mixed."""
    x = op.q if isinstance(op, ScoresOp) else op.p
    source, output = around.region(x), output_of(kernel, around)
    around.require_operand(source, op)
    heads, kv_heads = op.heads.data, op.kv_heads.data
    *_, positions, head = around.globals[op.cache_name].shape
    layered, cache = op.layer is not None, around.element(op.cache_name)
    shared = (
        source,
        around.element(source),
        output,
        around.element(output),
        around.batch,
        heads,
        kv_heads,
        head,
        positions,
    )
    if isinstance(op, ScoresOp):
        scale = op.scale.value.data
        return Scores(*shared, keys=op.cache_name, layered=layered, cache=cache, scale=scale)
    return Mix(*shared, values=op.cache_name, layered=layered, cache=cache)


def _describe_seen_softmax(kernel: FusedOp, op: SoftmaxOp, around: Surroundings) -> SeenSoftmax:
    """Softmax over the positions that a row sees."""
    assert op.heads is not None, "verified"
    assert op.seen is not None, "the caller asked"
    source, output = around.region(op.x), output_of(kernel, around)
    if any(isinstance(o, OutputOp) for o in kernel.body.block.ops):
        raise PassError(
            f"{located(op)}: columns that no row sees are not written, so it is no output", op
        )
    columns = tensor_of(op.x).get_shape()[1]
    heads = op.heads.data
    return SeenSoftmax(
        source,
        around.element(source),
        output,
        around.element(output),
        around.batch,
        heads,
        heads,
        head=0,
        positions=columns // heads,
        causal=op.seen.data == "causal",
    )
