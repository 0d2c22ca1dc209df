"""The vector unit's definition against scalar loops, and its stores against numpy and ml_dtypes."""

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from tilewright.backend.numerics import FUNCTIONS, OPERATIONS, REDUCTIONS, Band, narrow, reduce, vec
from tilewright.backend.numerics import widen as widened

F32 = npt.NDArray[np.float32]
f32 = np.float32


def _sum16(row: F32) -> np.float32:
    partial = [f32(0)] * 16
    for j, v in enumerate(row):
        partial[j % 16] = f32(partial[j % 16] + v)
    for half in (8, 4, 2, 1):
        partial = [f32(partial[j] + partial[j + half]) for j in range(half)]
    return partial[0]


@pytest.mark.parametrize("columns", [0, 1, 15, 16, 24, 80, 96, 577])
def test_sum_has_sixteen_partials(columns: int) -> None:
    v = np.random.default_rng(columns).normal(size=(3, columns)).astype(f32)
    wanted = [[_sum16(row)] for row in v]
    np.testing.assert_array_equal(reduce("sum", v), np.array(wanted, f32))
    wanted = [[_sum16(row * row)] for row in v]
    np.testing.assert_array_equal(reduce("sumsq", v), np.array(wanted, f32))


def test_empty_rows_give_the_identity() -> None:
    identity = {"sum": 0.0, "sumsq": 0.0, "max": -np.inf, "min": np.inf, "absmax": 0.0}
    for name in REDUCTIONS:
        got = reduce(name, np.zeros((2, 0), f32))
        np.testing.assert_array_equal(got, np.full((2, 1), identity[name], f32))


def test_max_and_min_propagate_nan() -> None:
    row = np.array([[1, np.nan, 3], [-4, 2, 3]], f32)
    np.testing.assert_array_equal(reduce("max", row), np.array([[np.nan], [3]], f32))
    np.testing.assert_array_equal(reduce("min", row), np.array([[np.nan], [-4]], f32))
    np.testing.assert_array_equal(reduce("absmax", row), np.array([[np.nan], [4]], f32))
    for op in ("max", "min"):
        v, _ = vec("identity", row, op=op, d=np.array([[np.nan], [0]], f32))
        assert np.isnan(v[0]).all()
        assert not np.isnan(v[1]).any()


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("op", OPERATIONS)
def test_each_step_rounds(f: str, op: str) -> None:
    rng = np.random.default_rng(3)
    a, b, d = (rng.normal(size=(2, 3, 24)).astype(f32) for _ in range(3))
    c = rng.normal(size=(2, 1, 1)).astype(f32)
    v, red = vec(f, a, b, c, op, d)
    assert red is None
    product = (a.astype(np.float64) * b).astype(f32)
    with np.errstate(all="ignore"):
        wanted = OPERATIONS[op](FUNCTIONS[f]((product.astype(np.float64) + c).astype(f32)), d)
    np.testing.assert_array_equal(v, wanted)


@pytest.mark.parametrize(("lo", "hi"), [(None, 3), (1, None), (-2, 2), (4, 4)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("step", [0, 1])
def test_band(lo: int | None, hi: int | None, axis: int, step: int) -> None:
    x = np.random.default_rng(4).normal(size=(3, 2, 6)).astype(f32)
    v, red = vec("identity", x, band=Band(lo, hi, step, axis, -7.0), rop="max")
    for index in np.ndindex(x.shape):
        row, column = index[axis] * step, index[2]
        keep = (lo is None or lo + row <= column) and (hi is None or column < hi + row)
        assert v[index] == (x[index] if keep else -7.0)
    np.testing.assert_array_equal(red, v.max(axis=-1, keepdims=True))


def test_stores_round_to_nearest_even() -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    x = bits.view(np.float32)
    with np.errstate(all="ignore"):
        half = x.astype(np.float16).astype(f32)
        brain = x.astype(ml_dtypes.bfloat16).astype(f32)
    np.testing.assert_array_equal(widened(narrow(x, "f16"), "f16"), half)
    np.testing.assert_array_equal(widened(narrow(x, "bf16"), "bf16"), brain)
    y = np.array([0.5, 1.5, -2.5, 300, -300, 3e9, np.nan], f32)
    assert narrow(y, "i8").tolist() == [0, 2, -2, 127, -128, 127, 0]
    assert narrow(y, "u8").tolist() == [0, 2, 0, 255, 0, 255, 0]
    assert narrow(y, "i32").tolist() == [0, 2, -2, 300, -300, 2**31 - 1, 0]


def test_unknown_elements_are_refused() -> None:
    with pytest.raises(ValueError, match="vector operand of format q4_1"):
        widened(np.zeros(4, np.uint8), "q4_1")
    with pytest.raises(ValueError, match="vector result of format q4_1"):
        narrow(np.zeros(4, f32), "q4_1")
