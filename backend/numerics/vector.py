"""What the vector unit computes, to the bit: v = f(a*b + c) op d, a band mask, one reduction.

Each of *, +, f and op rounds to float32 by itself. An operand that is missing is skipped, not
replaced by 1 or 0. Reductions run over the last axis with 16 partials: partial j takes the columns
j mod 16 in ascending order, then p[j] with p[j+8], p[j+4], p[j+2], p[j+1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .elementary import ELEMENTARY

F32Array = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
Function = Callable[[F32Array], F32Array]
Combine = Callable[[F32Array, F32Array], F32Array]

PARTIALS = 16
f32 = np.float32


def maximum(a: F32Array, b: F32Array) -> F32Array:
    """The larger; a NaN of either wins; of two equal numbers (+0 and -0 too) the second."""
    return np.where((a > b) | (a != a), a, b)


def minimum(a: F32Array, b: F32Array) -> F32Array:
    """The smaller; a NaN of either wins; of two equal numbers (+0 and -0 too) the second."""
    return np.where((a < b) | (a != a), a, b)


def _absolute(x: F32Array) -> F32Array:
    return (x.view(np.int32) & np.int32(0x7FFFFFFF)).view(np.float32)


def _identity(x: F32Array) -> F32Array:
    return x


FUNCTIONS: dict[str, Function] = {
    "identity": _identity,
    "neg": lambda x: np.negative(x),
    "abs": _absolute,
    "exp": ELEMENTARY["exp"],
    "log": ELEMENTARY["log"],
    "reciprocal": ELEMENTARY["reciprocal"],
    "rsqrt": ELEMENTARY["rsqrt"],
    "tanh": ELEMENTARY["tanh"],
    "erf": ELEMENTARY["erf"],
    "sigmoid": ELEMENTARY["sigmoid"],
    "round": lambda x: np.rint(x),
    "floor": lambda x: np.floor(x),
}
"""f of one float32 argument; round goes to the nearest even integer."""

OPERATIONS: dict[str, Combine] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "max": maximum,
    "min": minimum,
    "lt": lambda x, y: (x < y).astype(np.float32),
    "le": lambda x, y: (x <= y).astype(np.float32),
    "eq": lambda x, y: (x == y).astype(np.float32),
}
"""v op d; the comparisons give 1.0 or 0.0 (0.0 when either is NaN)."""

REDUCTIONS: dict[str, tuple[float, Function, Combine]] = {
    "sum": (0.0, _identity, OPERATIONS["add"]),
    "sumsq": (0.0, lambda x: x * x, OPERATIONS["add"]),
    "max": (-np.inf, _identity, maximum),
    "min": (np.inf, _identity, minimum),
    "absmax": (0.0, _absolute, maximum),
}
"""Identity, what is done to an element first, and how two are combined."""


@dataclass(frozen=True)
class Band:
    """Keep column c of row r iff lo + step*r <= c < hi + step*r; the others become `fill`."""

    lo: int | None
    """First column kept in row 0; None: no lower limit."""
    hi: int | None
    """First column no longer kept in row 0; None: no upper limit."""
    step: int
    """Columns by which both limits move from a row to the next: 0 or 1."""
    axis: int
    """The axis whose index is the row r; not the last."""
    fill: float

    def keep(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """True where an element of that shape is kept."""
        column = np.arange(shape[-1], dtype=np.int64)
        along = [1] * len(shape)
        along[self.axis] = -1
        shift = (np.arange(shape[self.axis], dtype=np.int64) * self.step).reshape(along)
        kept = np.ones(shape, np.bool_)
        if self.lo is not None:
            kept &= self.lo + shift <= column
        if self.hi is not None:
            kept &= column < self.hi + shift
        return kept


def vec(
    f: str,
    a: Array,
    b: Array | None = None,
    c: Array | None = None,
    op: str | None = None,
    d: Array | None = None,
    band: Band | None = None,
    rop: str | None = None,
) -> tuple[F32Array, F32Array | None]:
    """The value before the store's rounding, and the reduction over its last axis (size 1), if any.

    Operands are float32 (`widen` gives that), of equal rank, broadcast along axes of size 1.
    Raises KeyError for an unknown name.
    """
    with np.errstate(all="ignore"):
        v = _f32(a)
        if b is not None:
            v = v * _f32(b)
        if c is not None:
            v = v + _f32(c)
        v = FUNCTIONS[f](v)
        if op is not None and d is not None:
            v = OPERATIONS[op](v, _f32(d))
        if band is not None:
            v = np.where(band.keep(v.shape), v, f32(band.fill))
        return v, None if rop is None else reduce(rop, v)


def _f32(x: Array) -> F32Array:
    return np.asarray(x, dtype=np.float32)


def reduce(rop: str, v: F32Array) -> F32Array:
    """One number for each row of the last axis, which stays with size 1."""
    start, prepare, combine = REDUCTIONS[rop]
    partial = np.full((*v.shape[:-1], PARTIALS), f32(start))
    with np.errstate(all="ignore"):
        for first in range(0, v.shape[-1], PARTIALS):
            piece = prepare(v[..., first : first + PARTIALS])
            width = piece.shape[-1]
            partial[..., :width] = combine(partial[..., :width], piece)
        half = PARTIALS // 2
        while half:
            partial = combine(partial[..., :half], partial[..., half:])
            half //= 2
    return partial


def widen(raw: Array, format: str) -> F32Array:
    """Stored elements as float32: f32, bf16 and f16 exactly, i32 rounded to nearest, i8, u8.

    `raw` holds the bits as float32, uint16 (bf16, f16), int32, int8 or uint8.
    Raises ValueError for a format that is no plain element.
    """
    if format == "bf16":
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if format == "f16":
        return raw.view(np.float16).astype(np.float32)
    if format in ("f32", "i32", "i8", "u8"):
        return raw.astype(np.float32)
    raise ValueError(f"a vector operand of format {format}; wanted f32, bf16, f16, i32, i8 or u8")


def narrow(v: F32Array, format: str) -> Array:
    """float32 as stored bits: nearest even for bf16 and f16; integers also saturate, NaN is 0.

    The result is float32, uint16 (bf16, f16), int32, int8 or uint8. Raises ValueError otherwise.
    """
    if format == "f32":
        return v
    if format == "bf16":
        bits = v.view(np.uint32)
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> 16
        return np.where(v != v, np.uint32(0x7FC0), rounded).astype(np.uint16)
    if format == "f16":
        with np.errstate(all="ignore"):
            half = v.astype(np.float16).view(np.uint16)
        return np.where(v != v, np.uint16(0x7E00), half)
    if format in INTEGERS:
        low, high, dtype = INTEGERS[format]
        with np.errstate(all="ignore"):
            whole = np.rint(v).astype(np.float64)
            return np.where(v != v, 0.0, np.clip(whole, low, high)).astype(dtype)
    raise ValueError(f"a vector result of format {format}; wanted f32, bf16, f16, i32, i8 or u8")


INTEGERS: dict[str, tuple[int, int, type[np.integer[Any]]]] = {
    "i32": (-(2**31), 2**31 - 1, np.int32),
    "i8": (-128, 127, np.int8),
    "u8": (0, 255, np.uint8),
}
"""Integer elements a value may be stored as: smallest, largest, dtype."""
