"""The elementary functions of `backend.numerics.elementary`, one float32 at a time.

The same operations in the same order, so the same bits; int32 steps are cast back because numba
widens them. Loops over arrays of these become vectors.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from ...backend.numerics import elementary as e
from .kernel_base import bits_of, float_of
from .kernel_jit import inlined

i32, f32 = np.int32, np.float32
ONE, TWO, HALF, ZERO = f32(1), f32(2), f32(0.5), f32(0)
EXPONENT_BIAS, SHIFT, ONE_STEP = i32(127), i32(23), i32(1)
INFINITY, NAN, MAGIC, MAGIC_BITS = e.INFINITY, e.NAN, e.MAGIC, e.MAGIC_BITS
ONE_BITS, MANTISSA, ABS_BITS, HIGH_HALF = e.ONE_BITS, e.MANTISSA, e.ABS_BITS, e.HIGH_HALF
SIGN_BIT = i32(-(2**31))
INFINITY_BITS = i32(0x7F800000)
LOG2_E, LN2_HIGH, LN2_LOW = e.LOG2_E, e.LN2_HIGH, e.LN2_LOW
EXP_HIGH, EXP_LOW = e.EXP_HIGH, e.EXP_LOW
EXP_2, EXP_3, EXP_4, EXP_5, EXP_6, EXP_7 = e.EXP_2, e.EXP_3, e.EXP_4, e.EXP_5, e.EXP_6, e.EXP_7
TWO_23, SMALLEST_NORMAL, SQRT_HALF_BITS = e.TWO_23, e.SMALLEST_NORMAL, e.SQRT_HALF_BITS
LOG_3, LOG_4, LOG_5, LOG_6, LOG_7 = e.LOG_3, e.LOG_4, e.LOG_5, e.LOG_6, e.LOG_7
LOG_8, LOG_9, LOG_10, LOG_11 = e.LOG_8, e.LOG_9, e.LOG_10, e.LOG_11
TANH_SMALL, TANH_LARGE, TANH_3, TANH_5 = e.TANH_SMALL, e.TANH_LARGE, e.TANH_3, e.TANH_5
TANH_7, TANH_9, TANH_11 = e.TANH_7, e.TANH_9, e.TANH_11
ERF_SMALL, ERF_LARGE, ERF_1, ERF_3, ERF_5 = e.ERF_SMALL, e.ERF_LARGE, e.ERF_1, e.ERF_3, e.ERF_5
ERF_7, ERF_9, ERF_11, ERF_13 = e.ERF_7, e.ERF_9, e.ERF_11, e.ERF_13
ERFC_1, ERFC_2, ERFC_3, ERFC_4 = e.ERFC_1, e.ERFC_2, e.ERFC_3, e.ERFC_4
ERFC_5, ERFC_6, ERFC_7 = e.ERFC_5, e.ERFC_6, e.ERFC_7
RECIPROCAL_0, RECIPROCAL_1, RSQRT_BITS = e.RECIPROCAL_0, e.RECIPROCAL_1, e.RSQRT_BITS


@inlined
def power_of_two(n):
    """2**n for -126 <= n <= 127."""
    return float_of(i32(i32(n + EXPONENT_BIAS) << SHIFT))


@inlined
def absolute(x):
    """|x| by its bits."""
    return float_of(i32(bits_of(x) & ABS_BITS))


@inlined
def with_sign(y, x):
    """y with the sign bit of x set besides its own."""
    return float_of(i32(bits_of(y) | i32(bits_of(x) & SIGN_BIT)))


@inlined
def choose(condition, x, y):
    """x where the condition holds, else y; by a mask, which keeps LLVM from making a branch."""
    mask = i32(-i32(condition))
    return float_of(i32(i32(bits_of(x) & mask) | i32(bits_of(y) & i32(~mask))))


@inlined
def exp(x):
    """e**x."""
    clamped = EXP_LOW if x < EXP_LOW else x
    clamped = EXP_HIGH if clamped > EXP_HIGH else clamped
    clamped = ZERO if x != x else clamped
    shifted = clamped * LOG2_E + MAGIC
    n = i32(bits_of(shifted) - MAGIC_BITS)
    steps = shifted - MAGIC
    r = (clamped - steps * LN2_HIGH) - steps * LN2_LOW
    p = EXP_6 + r * EXP_7
    p = EXP_5 + r * p
    p = EXP_4 + r * p
    p = EXP_3 + r * p
    p = EXP_2 + r * p
    p = ONE + (r + (r * r) * p)
    half = i32(n >> ONE_STEP)
    y = (p * power_of_two(half)) * power_of_two(i32(n - half))
    y = INFINITY if x > EXP_HIGH else y
    y = ZERO if x < EXP_LOW else y
    return NAN if x != x else y


@inlined
def log(x):
    """Natural logarithm."""
    small = x < SMALLEST_NORMAL
    bits = i32(bits_of(x * TWO_23 if small else x) + i32(ONE_BITS - SQRT_HALF_BITS))
    exponent = i32(i32(bits >> SHIFT) - EXPONENT_BIAS)
    exponent = i32(exponent - SHIFT) if small else exponent
    f = float_of(i32(i32(bits & MANTISSA) + SQRT_HALF_BITS)) - ONE
    scale = f32(exponent)
    p = LOG_10 + f * LOG_11
    p = LOG_9 + f * p
    p = LOG_8 + f * p
    p = LOG_7 + f * p
    p = LOG_6 + f * p
    p = LOG_5 + f * p
    p = LOG_4 + f * p
    p = LOG_3 + f * p
    square = f * f
    y = (f * square) * p + scale * LN2_LOW
    y = y - HALF * square
    y = (f + y) + scale * LN2_HIGH
    y = -INFINITY if x == ZERO else y
    y = NAN if x < ZERO else y
    y = INFINITY if x == INFINITY else y
    return NAN if x != x else y


@inlined
def reciprocal_unit(m):
    """1/m for 1 <= m <= 2."""
    y = RECIPROCAL_0 - RECIPROCAL_1 * m
    y = y + y * (ONE - m * y)
    y = y + y * (ONE - m * y)
    y = y + y * (ONE - m * y)
    m_high = float_of(i32(bits_of(m) & HIGH_HALF))
    m_low = m - m_high
    y_high = float_of(i32(bits_of(y) & HIGH_HALF))
    y_low = y - y_high
    residual = ((ONE - m_high * y_high) - m_high * y_low) - m_low * y_high
    return y + y * (residual - m_low * y_low)


@inlined
def reciprocal(x):
    """1/x."""
    magnitude = absolute(x)
    small = magnitude < SMALLEST_NORMAL
    bits = bits_of(magnitude * TWO_23 if small else magnitude)
    exponent = i32(i32(bits >> SHIFT) - EXPONENT_BIAS)
    exponent = i32(exponent - SHIFT) if small else exponent
    exponent = i32(0) if magnitude == ZERO else exponent
    y = reciprocal_unit(float_of(i32(i32(bits & MANTISSA) | ONE_BITS)))
    half = i32(exponent >> ONE_STEP)
    y = (y * power_of_two(i32(-half))) * power_of_two(i32(half - exponent))
    y = INFINITY if magnitude == ZERO else y
    y = ZERO if magnitude == INFINITY else y
    y = with_sign(y, x)
    return NAN if x != x else y


@inlined
def rsqrt(x):
    """1/sqrt(x)."""
    small = x < SMALLEST_NORMAL
    bits = bits_of(x * TWO_23 if small else x)
    exponent = i32(i32(bits >> SHIFT) - EXPONENT_BIAS)
    exponent = i32(exponent - SHIFT) if small else exponent
    half = i32(exponent >> ONE_STEP)
    odd = i32(exponent - i32(half + half))
    m = float_of(i32(i32(bits & MANTISSA) | i32(ONE_BITS + i32(odd << SHIFT))))
    y = float_of(i32(RSQRT_BITS - i32(bits_of(m) >> ONE_STEP)))
    halved = HALF * m
    y = y + y * (HALF - (halved * y) * y)
    y = y + y * (HALF - (halved * y) * y)
    y = y + y * (HALF - (halved * y) * y)
    y_high = float_of(i32(bits_of(y) & HIGH_HALF))
    y_low = y - y_high
    square = y * y
    square_low = ((y_high * y_high - square) + TWO * (y_high * y_low)) + y_low * y_low
    m_high = float_of(i32(bits_of(halved) & HIGH_HALF))
    m_low = halved - m_high
    s_high = float_of(i32(bits_of(square) & HIGH_HALF))
    s_low = square - s_high
    residual = ((HALF - m_high * s_high) - m_high * s_low) - m_low * s_high
    residual = (residual - m_low * s_low) - halved * square_low
    y = (y + y * residual) * power_of_two(i32(-half))
    y = ZERO if x == INFINITY else y
    y = float_of(i32(bits_of(x) | INFINITY_BITS)) if x == ZERO else y
    y = NAN if x < ZERO else y
    return NAN if x != x else y


@inlined
def tanh(x):
    """Hyperbolic tangent."""
    t = absolute(x)
    z = t * t
    p = TANH_9 + z * TANH_11
    p = TANH_7 + z * p
    p = TANH_5 + z * p
    p = TANH_3 + z * p
    small = t + t * (z * p)
    clamped = t if t < TANH_LARGE else TANH_LARGE
    large = ONE - TWO * reciprocal(exp(clamped + clamped) + ONE)
    y = with_sign(choose(t < TANH_SMALL, small, large), x)
    return NAN if x != x else y


@inlined
def erf(x):
    """Error function."""
    t = absolute(x)
    z = t * t
    p = ERF_11 + z * ERF_13
    p = ERF_9 + z * p
    p = ERF_7 + z * p
    p = ERF_5 + z * p
    p = ERF_3 + z * p
    p = ERF_1 + z * p
    small = t + t * p
    c = t if t < ERF_LARGE else ERF_LARGE
    q = ERFC_6 + c * ERFC_7
    q = ERFC_5 + c * q
    q = ERFC_4 + c * q
    q = ERFC_3 + c * q
    q = ERFC_2 + c * q
    q = ERFC_1 + c * q
    large = ONE - exp(-(c + c * q))
    y = with_sign(choose(t < ERF_SMALL, small, large), x)
    return NAN if x != x else y


@inlined
def sigmoid(x):
    """1 / (1 + e**-x)."""
    small = exp(-absolute(x))
    d = ONE + small
    lost = small - (d - ONE)
    y = reciprocal_unit(d)
    y = y - y * (y * lost)
    return small * y if x < ZERO else y
