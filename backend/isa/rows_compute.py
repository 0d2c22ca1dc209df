"""Rows of the matrix unit and the vector unit."""

from __future__ import annotations

from .field import FUNCTION_LOW, NO_REGISTER, Field
from .row import Instruction, OperandSpec, bounds, function
from .view import ELEMENT_BYTES, VIEW_FORMATS

F_FUNCTIONS = (
    "identity", "neg", "abs", "exp", "log", "reciprocal", "rsqrt", "tanh", "erf", "sigmoid",
    "round", "floor",
)  # fmt: skip
OPS = ("none", "add", "sub", "mul", "max", "min", "lt", "le", "eq")
REDUCTIONS = ("none", "sum", "sumsq", "max", "min", "absmax")

_FLOATS = ("f32", "bf16", "f16")
_ELEMENTS = tuple(ELEMENT_BYTES)
_ANY_FORMAT = VIEW_FORMATS


def _source(name: str, doc: str, optional: bool = False) -> OperandSpec:
    return OperandSpec(name, "read", doc, optional, True, _ANY_FORMAT, (1, 3), ("spm", "acc"))


def _target(name: str, doc: str, formats: tuple[str, ...], optional: bool = False) -> OperandSpec:
    return OperandSpec(name, "write", doc, optional, False, formats, (1, 3), ("spm",))


_RCB = (("rows", "the first axis"), ("mid", "axis 1 of rank 3"), ("cols", "the last axis"))
_DURATION = (
    "`vector_startup + max(passes, ceil(bytes / vector_port_bytes))` cycles; 0 where no element is "
    "within the bounds. passes: of all lanes, `rows x ceil(columns / lanes)` for long rows, while "
    "short rows go side by side"
)

_VEC_FIELDS = (
    *function(
        ("f", 4, "function applied to a * b + c", F_FUNCTIONS),
        ("op", 4, "combines with d; none exactly where d is absent", OPS),
        ("rop", 3, "reduction over the last axis; none exactly where red is absent", REDUCTIONS),
        ("step", 1, "1: the band's limits move by one column a row"),
        ("axis", 2, "axis that counts the band's rows", ("axis0", "axis1")),
    ),
    *bounds(FUNCTION_LOW + 14, *_RCB),
    Field("lo", FUNCTION_LOW + 29, 5, "optional", "first kept column", default=NO_REGISTER),
    Field("hi", FUNCTION_LOW + 34, 5, "optional", "one past the last kept column",
          default=NO_REGISTER),
    Field("fill", FUNCTION_LOW + 39, 10, "constant", "value of columns outside the band",
          default=0),
)  # fmt: skip

COMPUTE_INSTRUCTIONS: tuple[Instruction, ...] = (
    Instruction(
        mnemonic="mm",
        summary="Matrix product added to an accumulator.",
        engines=("mxu",),
        operands=(
            OperandSpec(
                "acc", "update", "[M, N]", formats=("f32", "i32"), ranks=(2, 2), spaces=("acc",)
            ),
            OperandSpec("a", "read", "[M, K]", formats=(*_FLOATS, "i8"), ranks=(2, 2)),
            OperandSpec(
                "b", "read", "[K, N], or [N, K] where transposed", formats=_ANY_FORMAT, ranks=(2, 2)
            ),
        ),
        fields=(
            *bounds(FUNCTION_LOW, ("m", "M, the rows"), ("n", "N, the columns"), ("k", "K")),
            Field("transposed", FUNCTION_LOW + 15, 1, "flag", "a dense b is [N, K]", default=0),
        ),
        meaning="""\
M and N are the extents of `acc`, K is the last extent of `a`; each is clipped by its bound. B is
`b`, or its transpose where `b` has order `nk` or the flag is set. For every m < M, n < N by
themselves, with `acc` a float32 and every sum and product rounded to float32 by itself (no fused
multiply-add):

* b without block scales (f32, f16, bf16, i8): for k = 0 .. K - 1 ascending,
  `acc = acc + a[m,k] * B[k,n]`.
* b with block scales: K is cut into blocks of Kb values (the format's). For each block ascending:
  `S = 0`; for the block's k < K ascending `S = S + a[m,k] * (code[k,n] - zero)`;
  then `acc = acc + S * scale`. If the format has minima, after that:
  `X = 0`; for the block's k < K ascending `X = X + a[m,k]`; then `acc = acc + X * minimum`.
  `code - zero` is an exact integer as a float32; scale and minimum are widened exactly.

`a` of bf16 or f16 is widened exactly. Where `acc` is i32, `a` and `b` are i8 and
`acc = acc + a[m,k] * B[k,n]` in 32-bit two's complement. A bound of 0 leaves `acc` as it is. A
scale per output column (i8 per channel) is not applied here.""",
        limits=(
            "`acc` is i32 exactly where `a` and `b` are both i8.",
            "A packed `b` starts on a block border of K; extents of `b` are at least K and N.",
            "`transposed` is 0 where `b` has order `kn`; with order `nk` it changes nothing.",
        ),
        duration="the least over the divisors g of `arrays` of "
        "`ceil(k / array_rows) x ceil(ceil(n / array_columns) / g)` sub-tiles of "
        "`max(ceil(m x g / arrays) x phases, ceil(array_rows / weight_rows))` cycles, m, n and k "
        "within the bounds; the result is there `matrix_fill` cycles later",
    ),
    Instruction(
        mnemonic="vec",
        summary="v = f(a * b + c) op d, masked by a band, then stored and/or reduced along rows.",
        engines=("vpu",),
        operands=(
            _target("dst", "receives v", _ELEMENTS, optional=True),
            _target(
                "red", "receives one value a row; its last extent is 1", _ELEMENTS, optional=True
            ),
            _source("a", "first factor"),
            _source("b", "second factor", optional=True),
            _source("c", "summand", optional=True),
            _source("d", "second argument of op", optional=True),
        ),
        fields=_VEC_FIELDS,
        meaning="""\
The value's shape is that of `dst`, or without `dst` that of `a`, clipped by `rows`, `mid`, `cols`.
For every index: `t = a`; with `b`, `t = t * b`; with `c`, `t = t + c`; `v = f(t)`; with `d`,
`v = v op d` (`lt`, `le`, `eq` give 1.0 or 0.0). Each step rounds to float32 by itself; an absent
operand's step is left out, not done with 1 or 0. Sources are widened exactly to float32 (i32 is
rounded); a packed source, `nk` or `kn`, is dequantised: `(code - zero) * scale`, rounded, then
`+ minimum`, rounded.

**Band.** With r the index on axis `axis` and c the index on the last axis, the column is kept where
`lo + step * r <= c < hi + step * r`; an absent register is no limit. Elsewhere v becomes constant
`fill`, whatever it was. Limits are compared as 64-bit integers.

**Reduction** over the kept and filled columns of each row, before the store's rounding; overwrites
`red`. `sum`: 16 partials, each from +0; column j is added to partial j mod 16, j ascending; then
`p[j] = p[j] + p[j + 8]` for j < 8, then + 4, + 2, + 1; the result is p[0]. `sumsq`: the same over
v * v, rounded. `max`, `min`: the same, from -inf and +inf, with max and min (chapter 8)
in place of +, the partial on the left; `absmax`: max of |v| from +0. A row without columns gives
the start value.

**Store** of v to `dst` and of the reduction to `red` as chapter 8 says.""",
        limits=(
            "At least one of `dst` and `red` is given; `rop` is none exactly without `red`, "
            "`op` exactly without `d`.",
            "All views have one rank (1 to 3) and the value's shape, but `red`, whose last extent "
            "is 1; an operand broadcasts by stride 0.",
            "`rows` only with rank 2 or 3, `mid` and `axis1` only with rank 3; a packed source has "
            "rank 2. Without `dst`, `a` is no constant.",
            "`dst` and `red` do not broadcast. `dst` may be the same view of the same place as a "
            "source; otherwise the bytes of `dst` and `red` overlap no source.",
        ),
        duration=_DURATION,
    ),
    Instruction(
        mnemonic="vsel",
        summary="Select between two values by a mask.",
        engines=("vpu",),
        operands=(
            _target("dst", "result", _ELEMENTS),
            _source("mask", "not 0: take a"),
            _source("a", "taken where the mask is set"),
            _source("b", "taken elsewhere"),
        ),
        fields=bounds(FUNCTION_LOW, *_RCB),
        meaning="""\
For every index of `dst`'s shape, clipped by the bounds: `dst = a` where `mask` is neither +0 nor -0
(NaN counts as set), else `dst = b`. Sources are read and the result is stored as in `vec`.""",
        limits=("Views as in `vec`.",),
        duration=_DURATION,
    ),
    Instruction(
        mnemonic="vquant",
        summary="Quantise blocks of the last axis to int8 codes with a scale of their own.",
        engines=("vpu",),
        operands=(
            _target("codes", "[..., C] codes", ("i8",)),
            _target("scales", "[..., C / block]", _FLOATS),
            _source("a", "[..., C] values"),
        ),
        fields=bounds(FUNCTION_LOW, *_RCB),
        meaning="""\
The block is the last extent of `codes` over the last extent of `scales`. For each block, over its
columns inside the bounds: `m = max |a|` (NaN if any is NaN); `s = m / 127` rounded to float32;
`q = 1 / s` rounded, or +0 where s = 0; `code = round(a * q)` with a * q rounded to float32, ties to
even, clamped to -127 .. 127, NaN to 0. `scales` receives s (stored as chapter 8 says; the
codes come from the float32 s). A block with no column inside the bounds is not written.""",
        limits=(
            "The last extent of `codes` is a multiple of the last extent of `scales`.",
            "`codes`, `scales` and `a` have one rank and equal extents but for the last of scales.",
        ),
        duration=_DURATION,
    ),
    Instruction(
        mnemonic="vtopk",
        summary="Largest value of each row and its column (argmax).",
        engines=("vpu",),
        operands=(
            _target("values", "[..., 1]", _FLOATS),
            _target("indices", "[..., 1]", ("i32",)),
            _source("a", "[..., C]"),
        ),
        fields=bounds(FUNCTION_LOW, *_RCB),
        meaning="""\
For each row inside the bounds: `values` receives the largest of the row's columns, `indices` its
column number; among equals (+0 equals -0) the lowest column wins, and the stored value is that
column's. A NaN is larger than every number; the first NaN wins. A row without columns gives
-inf and -1.""",
        limits=("The last extent of `values` and of `indices` is 1 (k = 1).",),
        duration=_DURATION,
    ),
    Instruction(
        mnemonic="vtr",
        summary="Transpose a matrix of 8, 16 or 32-bit elements.",
        engines=("vpu",),
        operands=(
            OperandSpec("dst", "write", "[C, R]", ranks=(2, 2), formats=_ELEMENTS),
            OperandSpec("a", "read", "[R, C]", ranks=(2, 2), formats=_ELEMENTS),
        ),
        fields=bounds(FUNCTION_LOW, ("rows", "R"), ("cols", "C")),
        meaning="""\
R and C are the extents of `a`, clipped by the bounds. For r < R, c < C: `dst[c, r] = a[r, c]` as
bits.""",
        limits=("Formats are equal; `dst` is at least C by R; bytes do not overlap.",),
        duration=_DURATION,
    ),
)
