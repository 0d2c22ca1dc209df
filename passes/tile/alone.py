"""Which kernels are one op by itself."""

from collections.abc import Sequence

from xdsl.ir import Operation

from ...dialects.tg import (
    BinaryOp,
    FusedOp,
    LayerNormOp,
    OneCacheOp,
    OutputOp,
    RmsNormOp,
    SoftmaxOp,
    TakeOp,
    UnaryOp,
    WeightOp,
    YieldOp,
)

ROW_OPS = (RmsNormOp, LayerNormOp, SoftmaxOp, UnaryOp, BinaryOp, TakeOp)
"""Ops on rows that can be a kernel."""


def ops_of(kernel: FusedOp) -> Sequence[Operation]:
    """The ops of a kernel, without those that read parameters and hand on results."""
    return [op for op in kernel.body.block.ops if not isinstance(op, WeightOp | YieldOp)]


def single_op(kernel: FusedOp) -> Operation | None:
    """The op that a kernel consists of, beside the output that it may become: one on rows, or a
    step of an attention. None for a kernel of another kind."""
    ops = [op for op in ops_of(kernel) if not isinstance(op, OutputOp)]
    if len(ops) != 1 or (isinstance(ops[0], RmsNormOp) and ops[0].heads is not None):
        return None
    return ops[0] if isinstance(ops[0], (*ROW_OPS, OneCacheOp)) else None
