"""Steps of the vector unit on one chunk of a row: float32 arrays, in place in `t`."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from ...backend.isa.rows_compute import F_FUNCTIONS, OPS, REDUCTIONS
from . import kernel_elementary as e
from .kernel_jit import compiled

PARTIALS = 16
f32 = np.float32

NEG, ABS, EXP, LOG = (F_FUNCTIONS.index(f) for f in ("neg", "abs", "exp", "log"))
RECIPROCAL, RSQRT, TANH, ERF = (
    F_FUNCTIONS.index(f) for f in ("reciprocal", "rsqrt", "tanh", "erf")
)
SIGMOID, ROUND, FLOOR = (F_FUNCTIONS.index(f) for f in ("sigmoid", "round", "floor"))
ADD, SUB, MUL, MAX = (OPS.index(op) for op in ("add", "sub", "mul", "max"))
MIN, LT, LE, EQ = (OPS.index(op) for op in ("min", "lt", "le", "eq"))
SUM, SUMSQ, MAXIMUM, MINIMUM, ABSMAX = (
    REDUCTIONS.index(r) for r in ("sum", "sumsq", "max", "min", "absmax")
)


@compiled
def maximum(a, b):
    """The larger; NaN wins; of equal numbers the second."""
    return a if (a > b or a != a) else b


@compiled
def minimum(a, b):
    """The smaller; NaN wins; of equal numbers the second."""
    return a if (a < b or a != a) else b


@compiled
def apply_function(f, t, n):
    """t = f(t)."""
    if f == NEG:
        for i in range(n):
            t[i] = -t[i]
    elif f == ABS:
        for i in range(n):
            t[i] = e.absolute(t[i])
    elif f == EXP:
        for i in range(n):
            t[i] = e.exp(t[i])
    elif f == LOG:
        for i in range(n):
            t[i] = e.log(t[i])
    elif f == RECIPROCAL:
        for i in range(n):
            t[i] = e.reciprocal(t[i])
    elif f == RSQRT:
        for i in range(n):
            t[i] = e.rsqrt(t[i])
    elif f == TANH:
        for i in range(n):
            t[i] = e.tanh(t[i])
    elif f == ERF:
        for i in range(n):
            t[i] = e.erf(t[i])
    elif f == SIGMOID:
        for i in range(n):
            t[i] = e.sigmoid(t[i])
    elif f == ROUND:
        for i in range(n):
            t[i] = np.rint(t[i])
    elif f == FLOOR:
        for i in range(n):
            t[i] = np.floor(t[i])


@compiled
def apply_operation(op, t, d, n):
    """t = t op d."""
    if op == ADD:
        for i in range(n):
            t[i] = t[i] + d[i]
    elif op == SUB:
        for i in range(n):
            t[i] = t[i] - d[i]
    elif op == MUL:
        for i in range(n):
            t[i] = t[i] * d[i]
    elif op == MAX:
        for i in range(n):
            t[i] = maximum(t[i], d[i])
    elif op == MIN:
        for i in range(n):
            t[i] = minimum(t[i], d[i])
    elif op == LT:
        for i in range(n):
            t[i] = f32(1) if t[i] < d[i] else f32(0)
    elif op == LE:
        for i in range(n):
            t[i] = f32(1) if t[i] <= d[i] else f32(0)
    elif op == EQ:
        for i in range(n):
            t[i] = f32(1) if t[i] == d[i] else f32(0)


@compiled
def start_reduction(rop, p):
    """The 16 partials at their identity."""
    identity = f32(0)
    if rop == MAXIMUM:
        identity = f32(-np.inf)
    elif rop == MINIMUM:
        identity = f32(np.inf)
    for j in range(PARTIALS):
        p[j] = identity


@compiled
def reduce_chunk(rop, p, t, n):
    """Take n columns, the first of which is a multiple of 16, into the partials."""
    whole = n // PARTIALS
    if rop == SUM:
        for i in range(whole):
            for j in range(PARTIALS):
                p[j] = p[j] + t[i * PARTIALS + j]
        for i in range(whole * PARTIALS, n):
            p[i - whole * PARTIALS] = p[i - whole * PARTIALS] + t[i]
    elif rop == SUMSQ:
        for i in range(whole):
            for j in range(PARTIALS):
                p[j] = p[j] + t[i * PARTIALS + j] * t[i * PARTIALS + j]
        for i in range(whole * PARTIALS, n):
            p[i - whole * PARTIALS] = p[i - whole * PARTIALS] + t[i] * t[i]
    elif rop == MAXIMUM:
        for i in range(whole):
            for j in range(PARTIALS):
                p[j] = maximum(p[j], t[i * PARTIALS + j])
        for i in range(whole * PARTIALS, n):
            p[i - whole * PARTIALS] = maximum(p[i - whole * PARTIALS], t[i])
    elif rop == MINIMUM:
        for i in range(whole):
            for j in range(PARTIALS):
                p[j] = minimum(p[j], t[i * PARTIALS + j])
        for i in range(whole * PARTIALS, n):
            p[i - whole * PARTIALS] = minimum(p[i - whole * PARTIALS], t[i])
    else:
        for i in range(whole):
            for j in range(PARTIALS):
                p[j] = maximum(p[j], e.absolute(t[i * PARTIALS + j]))
        for i in range(whole * PARTIALS, n):
            p[i - whole * PARTIALS] = maximum(p[i - whole * PARTIALS], e.absolute(t[i]))


@compiled
def finish_reduction(rop, p):
    """The partials combined: j with j + 8, + 4, + 2, + 1."""
    half = PARTIALS // 2
    while half:
        for j in range(half):
            if rop == SUM or rop == SUMSQ:
                p[j] = p[j] + p[j + half]
            elif rop == MINIMUM:
                p[j] = minimum(p[j], p[j + half])
            else:
                p[j] = maximum(p[j], p[j + half])
        half //= 2
    return p[0]


@compiled
def mask_chunk(t, first, n, low, high, fill):
    """Columns first .. first + n - 1 outside low <= c < high become `fill`."""
    start = min(max(low - first, 0), n)
    stop = min(max(high - first, 0), n)
    for i in range(start):
        t[i] = fill
    for i in range(max(stop, start), n):
        t[i] = fill
