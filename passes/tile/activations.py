"""Activations as sequences of vec: each takes x and writes `to`, which may serve as its scratch."""

from collections.abc import Callable
from math import pi, sqrt

from xdsl.ir import SSAValue

from .emitter import Emitter, Index

Emit = Callable[[Emitter, SSAValue, SSAValue, Index], None]


def silu(e: Emitter, x: SSAValue, to: SSAValue, rows: Index) -> None:
    """x * sigmoid(x), one pass."""
    e.vec("sigmoid", x, op=("mul", x), to=to, rows=rows)


def relu(e: Emitter, x: SSAValue, to: SSAValue, rows: Index) -> None:
    """max(x, 0), one pass."""
    e.vec("id", x, op=("max", 0.0), to=to, rows=rows)


def gelu_erf(e: Emitter, x: SSAValue, to: SSAValue, rows: Index) -> None:
    """x / 2 * (1 + erf(x / sqrt 2)), two passes (Hendrycks and Gimpel 2016)."""
    e.vec("erf", x, 1 / sqrt(2), op=("add", 1.0), to=to, rows=rows)
    e.vec("id", to, x, op=("mul", 0.5), to=to, rows=rows)


def gelu_tanh(e: Emitter, x: SSAValue, to: SSAValue, rows: Index) -> None:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), four passes."""
    e.vec("id", x, x, to=to, rows=rows)
    e.vec("id", to, 0.044715, 1.0, op=("mul", x), to=to, rows=rows)
    e.vec("tanh", to, sqrt(2 / pi), op=("add", 1.0), to=to, rows=rows)
    e.vec("id", to, x, op=("mul", 0.5), to=to, rows=rows)


ACTIVATIONS: dict[str, tuple[Emit, int]] = {
    "silu": (silu, 1),
    "relu": (relu, 1),
    "gelu_erf": (gelu_erf, 2),
    "gelu_tanh": (gelu_tanh, 4),
}
"""By the name that tg.unary uses: how to write it, and its passes over the data."""
