"""RMSNorm on the vector unit: y = x * rsqrt(mean(x^2) + eps) * gamma (Zhang and Sennrich 2019)."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from ...dialects import tile
from .emitter import Emitter, Index


@dataclass(frozen=True)
class Norm:
    """The parameter @gamma, one value a column, and epsilon."""

    gamma: str
    layered: bool
    """@gamma has a leading axis of layers."""
    eps: float


def emit_norm(
    e: Emitter, norm: Norm, layer: Sequence[Index], x: SSAValue, to: SSAValue, rows: Index
) -> None:
    """Norm the last axis of x, [rows, columns] or [rows, heads, columns], into `to`."""
    *lines, columns = tile.shape_of(x)
    gamma = e.buffer((*(1 for _ in lines), columns), Float32Type(), "gamma", "vector")
    leading = list(layer) if norm.layered else []
    e.load(norm.gamma, [*leading, 0], [*(1 for _ in leading), columns], gamma)
    scale = e.buffer((*lines, 1), Float32Type(), "scale")
    e.vec("id", x, reduce=("sumsq", scale), rows=rows)
    e.vec("rsqrt", scale, 1.0 / columns, norm.eps, to=scale, rows=rows)
    e.vec("id", x, scale, op=("mul", gamma), to=to, rows=rows)
