"""Float32 elementary functions, defined to the bit by their sequence of operations.

Every step is one individually rounded float32 product, sum or difference, a comparison with a
select, or an operation on the 32 bits; no division, no fused multiply-add, no table. The compiled
engine (`runtime.functional`) repeats the same sequence, so both give the same bits.

Largest error found over all exponents against float64 (in ulp of the result; subnormal results in
ulp of the subnormal), held by `tests/unit/numerics/test_elementary.py`:

| exp | log | tanh | erf | sigmoid | reciprocal | rsqrt |
|-----|-----|------|-----|---------|------------|-------|
| 1.0 | 1.0 | 1.5  | 1.2 | 2.4     | 0.8        | 0.6   |

A NaN argument gives NaN. The payload and sign of a NaN are not defined.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

F32Array = npt.NDArray[np.float32]
I32Array = npt.NDArray[np.int32]

f32 = np.float32

INFINITY = f32(np.inf)
NAN = f32(np.nan)
MAGIC = f32(12582912.0)  # 1.5 * 2**23: adding it rounds to the nearest integer
MAGIC_BITS = np.int32(0x4B400000)
ONE_BITS = np.int32(0x3F800000)
MANTISSA = np.int32(0x007FFFFF)
ABS_BITS = np.int32(0x7FFFFFFF)
HIGH_HALF = np.int32(-4096)  # keeps sign, exponent and 11 stored bits of the significand

LOG2_E = f32(1.4426950408889634)
LN2_HIGH = f32(0.693359375)  # 10 bits: n * LN2_HIGH is exact for |n| < 2**14
LN2_LOW = f32(-2.12194440054690583e-4)
EXP_HIGH = f32(88.7228394)  # above: infinity
EXP_LOW = f32(-104.0)  # below: 0
EXP_2 = f32(0.5)
EXP_3 = f32(0.1666666716337204)
EXP_4 = f32(0.041666265577077866)
EXP_5 = f32(0.008333264850080013)
EXP_6 = f32(0.001394638093188405)
EXP_7 = f32(0.00019918233738280833)

SQRT_HALF_BITS = np.int32(0x3F3504F3)
TWO_23 = f32(8388608.0)
SMALLEST_NORMAL = f32(1.1754943508222875e-38)
LOG_3 = f32(0.3333331048488617)
LOG_4 = f32(-0.24999986588954926)
LOG_5 = f32(0.20002226531505585)
LOG_6 = f32(-0.16669251024723053)
LOG_7 = f32(0.14218658208847046)
LOG_8 = f32(-0.1238434836268425)
LOG_9 = f32(0.11872976273298264)
LOG_10 = f32(-0.11789807677268982)
LOG_11 = f32(0.06915368139743805)

TANH_SMALL = f32(0.55)
TANH_LARGE = f32(9.5)  # above: 1
TANH_3 = f32(-0.33333319425582886)
TANH_5 = f32(0.13332602381706238)
TANH_7 = f32(-0.05385385826230049)
TANH_9 = f32(0.021077753975987434)
TANH_11 = f32(-0.006282466929405928)

ERF_SMALL = f32(0.93)
ERF_LARGE = f32(4.0)  # above: 1
ERF_1 = f32(0.12837916612625122)
ERF_3 = f32(-0.37612631916999817)
ERF_5 = f32(0.11283672600984573)
ERF_7 = f32(-0.026858104392886162)
ERF_9 = f32(0.00519779697060585)
ERF_11 = f32(-0.0008105965098366141)
ERF_13 = f32(8.215423440560699e-05)
ERFC_1 = f32(0.12864096462726593)
ERFC_2 = f32(0.6351814866065979)
ERFC_3 = f32(0.10618762671947479)
ERFC_4 = f32(-0.02372019924223423)
ERFC_5 = f32(0.0036229256074875593)
ERFC_6 = f32(-0.00031806144397705793)
ERFC_7 = f32(1.0763355930976104e-05)

RECIPROCAL_0 = f32(1.4117647)  # 24/17 - 8/17 m on [1, 2): within 1/17 of 1/m
RECIPROCAL_1 = f32(0.47058824)
RSQRT_BITS = np.int32(0x5F3759DF)


def _bits(x: F32Array) -> I32Array:
    return x.view(np.int32)


def _float(bits: I32Array) -> F32Array:
    return bits.astype(np.int32, copy=False).view(np.float32)


def _array(x: npt.ArrayLike) -> F32Array:
    return np.ascontiguousarray(x, dtype=np.float32)


def _select(condition: npt.NDArray[np.bool_], x: Any, y: Any) -> Any:
    """np.where, whose stubs lose the type of scalars."""
    return cast(Any, np.where(condition, x, y))


def _power_of_two(n: I32Array) -> F32Array:
    """2**n for -126 <= n <= 127."""
    return _float((n + np.int32(127)) << np.int32(23))


def exp(x: npt.ArrayLike) -> F32Array:
    """e**x: n = round(x / ln 2), a polynomial in r = x - n ln 2, then two exact powers of two."""
    x = _array(x)
    with np.errstate(all="ignore"):
        clamped = _select(x < EXP_LOW, EXP_LOW, x)
        clamped = _select(clamped > EXP_HIGH, EXP_HIGH, clamped)
        clamped = _select(x != x, f32(0), clamped)
        shifted = clamped * LOG2_E + MAGIC
        n = _bits(shifted) - MAGIC_BITS
        steps = shifted - MAGIC
        r = (clamped - steps * LN2_HIGH) - steps * LN2_LOW
        p = EXP_6 + r * EXP_7
        p = EXP_5 + r * p
        p = EXP_4 + r * p
        p = EXP_3 + r * p
        p = EXP_2 + r * p
        p = f32(1) + (r + (r * r) * p)
        half = n >> np.int32(1)
        y = (p * _power_of_two(half)) * _power_of_two(n - half)
        y = _select(x > EXP_HIGH, INFINITY, y)
        y = _select(x < EXP_LOW, f32(0), y)
        return _select(x != x, NAN, y)


def log(x: npt.ArrayLike) -> F32Array:
    """Natural logarithm; log(0) = -inf, log of a negative number = NaN."""
    x = _array(x)
    with np.errstate(all="ignore"):
        small = x < SMALLEST_NORMAL
        bits = _bits(_select(small, x * TWO_23, x)) + (ONE_BITS - SQRT_HALF_BITS)
        exponent = (bits >> np.int32(23)) - np.int32(127)
        exponent = _select(small, exponent - np.int32(23), exponent)
        f = _float((bits & MANTISSA) + SQRT_HALF_BITS) - f32(1)
        e = exponent.astype(np.float32)
        p = LOG_10 + f * LOG_11
        p = LOG_9 + f * p
        p = LOG_8 + f * p
        p = LOG_7 + f * p
        p = LOG_6 + f * p
        p = LOG_5 + f * p
        p = LOG_4 + f * p
        p = LOG_3 + f * p
        square = f * f
        y = (f * square) * p + e * LN2_LOW
        y = y - f32(0.5) * square
        y = (f + y) + e * LN2_HIGH
        y = _select(x == f32(0), -INFINITY, y)
        y = _select(x < f32(0), NAN, y)
        y = _select(x == INFINITY, INFINITY, y)
        return _select(x != x, NAN, y)


def _reciprocal_unit(m: F32Array) -> F32Array:
    """1/m for 1 <= m <= 2: three Newton steps, the last with the exact residual 1 - m*y."""
    y: Any = RECIPROCAL_0 - RECIPROCAL_1 * m
    y = y + y * (f32(1) - m * y)
    y = y + y * (f32(1) - m * y)
    y = y + y * (f32(1) - m * y)
    m_high = _float(_bits(m) & HIGH_HALF)
    m_low = m - m_high
    y_high = _float(_bits(y) & HIGH_HALF)
    y_low = y - y_high
    residual = ((f32(1) - m_high * y_high) - m_high * y_low) - m_low * y_high
    return y + y * (residual - m_low * y_low)


def reciprocal(x: npt.ArrayLike) -> F32Array:
    """1/x; a zero gives an infinity of its sign and an infinity a zero of its sign."""
    x = _array(x)
    with np.errstate(all="ignore"):
        magnitude = _float(_bits(x) & ABS_BITS)
        small = magnitude < SMALLEST_NORMAL
        bits = _bits(_select(small, magnitude * TWO_23, magnitude))
        exponent = (bits >> np.int32(23)) - np.int32(127)
        exponent = _select(small, exponent - np.int32(23), exponent)
        exponent = _select(magnitude == f32(0), np.int32(0), exponent)
        y = _reciprocal_unit(_float((bits & MANTISSA) | ONE_BITS))
        half = exponent >> np.int32(1)
        y = (y * _power_of_two(-half)) * _power_of_two(half - exponent)
        y = _select(magnitude == f32(0), INFINITY, y)
        y = _select(magnitude == INFINITY, f32(0), y)
        y = _float(_bits(y) | (_bits(x) & ~ABS_BITS))
        return _select(x != x, NAN, y)


def rsqrt(x: npt.ArrayLike) -> F32Array:
    """1/sqrt(x); a zero gives an infinity of its sign, a negative number NaN."""
    x = _array(x)
    with np.errstate(all="ignore"):
        small = x < SMALLEST_NORMAL
        bits = _bits(_select(small, x * TWO_23, x))
        exponent = (bits >> np.int32(23)) - np.int32(127)
        exponent = _select(small, exponent - np.int32(23), exponent)
        half = exponent >> np.int32(1)
        odd = exponent - (half + half)
        m = _float((bits & MANTISSA) | (ONE_BITS + (odd << np.int32(23))))
        y: Any = _float(RSQRT_BITS - (_bits(m) >> np.int32(1)))
        halved: Any = f32(0.5) * m
        y = y + y * (f32(0.5) - (halved * y) * y)
        y = y + y * (f32(0.5) - (halved * y) * y)
        y = y + y * (f32(0.5) - (halved * y) * y)
        # The last step takes the residual 1/2 - m/2 y*y with both products exact in two parts.
        y_high = _float(_bits(y) & HIGH_HALF)
        y_low = y - y_high
        square = y * y
        square_low = ((y_high * y_high - square) + f32(2) * (y_high * y_low)) + y_low * y_low
        m_high = _float(_bits(halved) & HIGH_HALF)
        m_low = halved - m_high
        s_high = _float(_bits(square) & HIGH_HALF)
        s_low = square - s_high
        residual = ((f32(0.5) - m_high * s_high) - m_high * s_low) - m_low * s_high
        residual = (residual - m_low * s_low) - halved * square_low
        y = (y + y * residual) * _power_of_two(-half)
        y = _select(x == INFINITY, f32(0), y)
        y = _select(x == f32(0), _float(_bits(x) | _bits(np.full_like(x, INFINITY))), y)
        y = _select(x < f32(0), NAN, y)
        return _select(x != x, NAN, y)


def tanh(x: npt.ArrayLike) -> F32Array:
    """Odd polynomial below 0.55, 1 - 2 / (e**(2|x|) + 1) above."""
    x = _array(x)
    with np.errstate(all="ignore"):
        t = _float(_bits(x) & ABS_BITS)
        z = t * t
        p = TANH_9 + z * TANH_11
        p = TANH_7 + z * p
        p = TANH_5 + z * p
        p = TANH_3 + z * p
        small = t + t * (z * p)
        clamped = _select(t < TANH_LARGE, t, TANH_LARGE)
        large = f32(1) - f32(2) * reciprocal(exp(clamped + clamped) + f32(1))
        y = _select(t < TANH_SMALL, small, large)
        y = _float(_bits(y) | (_bits(x) & ~ABS_BITS))
        return _select(x != x, NAN, y)


def erf(x: npt.ArrayLike) -> F32Array:
    """Odd polynomial below 0.93, 1 - e**-(t + t q(t)) with t = |x| above."""
    x = _array(x)
    with np.errstate(all="ignore"):
        t = _float(_bits(x) & ABS_BITS)
        z = t * t
        p = ERF_11 + z * ERF_13
        p = ERF_9 + z * p
        p = ERF_7 + z * p
        p = ERF_5 + z * p
        p = ERF_3 + z * p
        p = ERF_1 + z * p
        small = t + t * p
        c = _select(t < ERF_LARGE, t, ERF_LARGE)
        q = ERFC_6 + c * ERFC_7
        q = ERFC_5 + c * q
        q = ERFC_4 + c * q
        q = ERFC_3 + c * q
        q = ERFC_2 + c * q
        q = ERFC_1 + c * q
        large = f32(1) - exp(-(c + c * q))
        y = _select(t < ERF_SMALL, small, large)
        y = _float(_bits(y) | (_bits(x) & ~ABS_BITS))
        return _select(x != x, NAN, y)


def sigmoid(x: npt.ArrayLike) -> F32Array:
    """1 / (1 + e**-|x|), times e**-|x| below 0; what 1 + e lost in rounding is put back."""
    x = _array(x)
    with np.errstate(all="ignore"):
        e = exp(-_float(_bits(x) & ABS_BITS))
        d = f32(1) + e
        lost = e - (d - f32(1))
        y = _reciprocal_unit(d)
        y = y - y * (y * lost)
        return _select(x < f32(0), e * y, y)


ELEMENTARY: dict[str, Callable[[npt.ArrayLike], F32Array]] = {
    "exp": exp,
    "log": log,
    "reciprocal": reciprocal,
    "rsqrt": rsqrt,
    "tanh": tanh,
    "erf": erf,
    "sigmoid": sigmoid,
}
