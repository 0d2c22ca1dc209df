"""Arithmetic of the machine, defined to the bit in plain numpy and Python."""

from .elementary import ELEMENTARY, erf, exp, log, reciprocal, rsqrt, sigmoid, tanh
from .matrix import Operand, matmul, sequential_sum
from .scalar import alu
from .vector import (
    FUNCTIONS,
    OPERATIONS,
    REDUCTIONS,
    Band,
    maximum,
    minimum,
    narrow,
    reduce,
    vec,
    widen,
)

__all__ = [
    "ELEMENTARY",
    "FUNCTIONS",
    "OPERATIONS",
    "REDUCTIONS",
    "Band",
    "Operand",
    "alu",
    "erf",
    "exp",
    "log",
    "matmul",
    "maximum",
    "minimum",
    "narrow",
    "reciprocal",
    "reduce",
    "rsqrt",
    "sequential_sum",
    "sigmoid",
    "tanh",
    "vec",
    "widen",
]
