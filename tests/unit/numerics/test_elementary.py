"""The elementary functions against float64: ulp bounds over all exponents, special values."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tilewright.backend.numerics import ELEMENTARY

F64 = npt.NDArray[np.float64]


def _erf(x: F64) -> F64:
    return np.array([math.erf(v) for v in x])


def _sigmoid(x: F64) -> F64:
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


EXACT: dict[str, tuple[Callable[[F64], Any], float]] = {
    "exp": (np.exp, 1.0),
    "log": (np.log, 1.0),
    "tanh": (np.tanh, 1.5),
    "erf": (_erf, 1.2),
    "sigmoid": (_sigmoid, 2.4),
    "reciprocal": (lambda x: 1 / x, 0.8),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 0.6),
}


def arguments() -> npt.NDArray[np.float32]:
    """Every exponent and sign, and the ranges where the functions bend, densely."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2**32, 100_000, dtype=np.uint64).astype(np.uint32)
    exponents = np.repeat(np.arange(512, dtype=np.uint32) << np.uint32(23), 40)
    exponents |= rng.integers(0, 2**23, exponents.size, dtype=np.uint32)
    wide = np.concatenate([bits, exponents]).view(np.float32)
    dense = [np.linspace(-12, 12, 60_001), np.linspace(-104, 90, 60_001), rng.normal(1, 0.01, 9999)]
    x = np.concatenate([wide[np.isfinite(wide)], *[d.astype(np.float32) for d in dense]])
    return x


@pytest.mark.parametrize("name", ELEMENTARY)
def test_error_within_the_stated_bound(name: str) -> None:
    exact, bound = EXACT[name]
    x = arguments()
    y = ELEMENTARY[name](x).astype(np.float64)
    with np.errstate(all="ignore"):
        wanted = np.asarray(exact(x.astype(np.float64)))
        rounded = wanted.astype(np.float32)
    assert np.array_equal(np.isnan(y), np.isnan(rounded))
    assert np.array_equal(np.isinf(y), np.isinf(rounded))
    finite = np.isfinite(rounded)
    ulp = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(wanted[finite]), 2.0**-126))) - 23)
    assert np.max(np.abs(y[finite] - wanted[finite]) / ulp) <= bound


INF, NAN = math.inf, math.nan
SPECIAL: dict[str, list[float]] = {  # at 0, -0, inf, -inf, nan
    "exp": [1, 1, INF, 0, NAN],
    "log": [-INF, -INF, INF, NAN, NAN],
    "tanh": [0.0, -0.0, 1, -1, NAN],
    "erf": [0.0, -0.0, 1, -1, NAN],
    "sigmoid": [0.5, 0.5, 1, 0, NAN],
    "reciprocal": [INF, -INF, 0.0, -0.0, NAN],
    "rsqrt": [INF, -INF, 0, NAN, NAN],
}


@pytest.mark.parametrize("name", ELEMENTARY)
def test_special_values(name: str) -> None:
    y = ELEMENTARY[name]([0.0, -0.0, INF, -INF, NAN])
    np.testing.assert_array_equal(y, SPECIAL[name])
    assert np.signbit(y[:4]).tolist() == [math.copysign(1, v) < 0 for v in SPECIAL[name][:4]]


def test_powers_of_two_are_exact() -> None:
    power = np.exp2(np.arange(-126, 127).astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(ELEMENTARY["reciprocal"](power), 1 / power)
    np.testing.assert_array_equal(ELEMENTARY["rsqrt"](power[::2]), 2.0 ** np.arange(63, -64, -1))
