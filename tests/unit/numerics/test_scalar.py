"""Integer arithmetic of the scalar units: plain and compiled, at the edges of 64 bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.backend.isa.rows_scalar import ALU_FUNCTIONS
from tilewright.backend.numerics.scalar import FUNCTIONS, alu

LEAST, MOST = -(1 << 63), (1 << 63) - 1
WORD = st.integers(LEAST, MOST) | st.sampled_from((LEAST, MOST, 0, 1, -1, 63, 64, -64))


@pytest.mark.parametrize(
    ("function", "a", "b", "value"),
    [
        ("add", MOST, 1, LEAST),
        ("sub", LEAST, 1, MOST),
        ("mul", 1 << 62, 2, LEAST),
        ("min", -1, 0, -1),
        ("max", -1, 0, 0),
        ("shl", 3, 65, 6),
        ("shl", 1, 63, LEAST),
        ("shr", -5, 1, -3),
        ("shr", 12, -62, 3),
        ("and", -1, 12, 12),
    ],
)
def test_values(function: str, a: int, b: int, value: int) -> None:
    assert alu(function, a, b) == value


def test_every_function_of_the_table_is_there() -> None:
    assert tuple(FUNCTIONS) == ALU_FUNCTIONS


@given(st.sampled_from(ALU_FUNCTIONS), WORD, WORD)
def test_the_kernels_function_gives_the_same(function: str, a: int, b: int) -> None:
    kernel = pytest.importorskip("tilewright.runtime.functional.kernel_alu").alu.py_func
    with np.errstate(over="ignore"):
        value = int(kernel(ALU_FUNCTIONS.index(function), np.int64(a), np.int64(b)))
    assert value == alu(function, a, b)
