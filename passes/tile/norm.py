"""Norms on the vector unit: RMSNorm, y = x * rsqrt(mean(x^2) + eps) * gamma (Zhang and Sennrich
2019), and LayerNorm, which subtracts the mean first and adds beta (Ba, Kiros and Hinton 2016)."""

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
    e: Emitter,
    norm: Norm,
    layer: Sequence[Index],
    x: SSAValue,
    to: SSAValue,
    rows: Index,
    squares: SSAValue | None = None,
) -> None:
    """Norm the last axis of x, [rows, columns] or [rows, heads, columns], into `to`.

    `squares`: the sum of squares of each row, [rows, 1], where what made the rows left it.
    """
    *lines, columns = tile.shape_of(x)
    shape = (*(1 for _ in lines), columns)
    gamma = e.parameter(norm.gamma, layer if norm.layered else (), shape, "gamma")
    scale = e.buffer((*lines, 1), Float32Type(), "scale")
    if squares is None:
        e.vec("id", x, reduce=("sumsq", scale), rows=rows)
        squares = scale
    e.vec("rsqrt", squares, 1.0 / columns, norm.eps, to=scale, rows=rows)
    e.vec("id", x, scale, op=("mul", gamma), to=to, rows=rows)


@dataclass(frozen=True)
class LayerNorm:
    """The parameters @gamma and @beta, one value a column, and epsilon."""

    gamma: str
    beta: str
    layered: tuple[bool, bool]
    """@gamma and @beta have a leading axis of layers."""
    eps: float


def load_gamma_beta(
    e: Emitter, norm: LayerNorm, layer: Sequence[Index], columns: int
) -> tuple[SSAValue, SSAValue]:
    """Both parameters, each one row for all."""
    gamma, beta = (
        e.buffer((1, columns), Float32Type(), name, "vector") for name in ("gamma", "beta")
    )
    for name, layered, slot in zip(
        (norm.gamma, norm.beta), norm.layered, (gamma, beta), strict=True
    ):
        leading = list(layer) if layered else []
        e.load(name, [*leading, 0], [*(1 for _ in leading), columns], slot)
    return gamma, beta


def emit_layer_norm(
    e: Emitter,
    eps: float,
    parameters: tuple[SSAValue, SSAValue],
    x: SSAValue,
    to: SSAValue,
    rows: Index,
) -> None:
    """Norm the rows of x, [rows, columns], into `to`: four passes, through float32 rows."""
    lines, columns = tile.shape_of(x)
    gamma, beta = parameters
    mean = e.buffer((lines, 1), Float32Type(), "mean")
    scale = e.buffer((lines, 1), Float32Type(), "scale")
    centred = e.buffer((lines, columns), Float32Type(), "centred")
    e.vec("id", x, reduce=("sum", mean), rows=rows)
    e.vec("id", mean, -1.0 / columns, to=mean, rows=rows)
    e.vec("id", x, op=("add", mean), to=centred, reduce=("sumsq", scale), rows=rows)
    e.vec("rsqrt", scale, 1.0 / columns, eps, to=scale, rows=rows)
    e.vec("id", centred, scale, op=("mul", gamma), to=centred, rows=rows)
    e.vec("id", centred, op=("add", beta), to=to, rows=rows)
