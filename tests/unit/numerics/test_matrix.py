"""The matrix unit's order of operations against scalar loops, on odd sizes."""

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from tilewright.backend.formats import dequantise, quantise
from tilewright.backend.numerics import Operand, matmul

F32 = npt.NDArray[np.float32]
f32 = np.float32


def _scalar(acc: F32, a: F32, b: Operand) -> F32:
    out = acc.copy()
    for m in range(acc.shape[0]):
        for n in range(acc.shape[1]):
            total = acc[m, n]
            for start in range(0, a.shape[1], b.block):
                if b.scales is None:
                    total = f32(total + f32(a[m, start] * b.codes[start, n]))
                    continue
                s = x = f32(0)
                for k in range(start, start + b.block):
                    s = f32(s + f32(a[m, k] * b.codes[k, n]))
                    x = f32(x + a[m, k])
                total = f32(total + f32(s * b.scales[start // b.block, n]))
                if b.minima is not None:
                    total = f32(total + f32(x * b.minima[start // b.block, n]))
            out[m, n] = total
    return out


@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 24, 1), (3, 80, 5), (2, 96, 17), (0, 8, 3), (2, 0, 4)]
)
@pytest.mark.parametrize("block", [1, 8])
@pytest.mark.parametrize("minima", [False, True])
def test_equals_scalar_loops(m: int, k: int, n: int, block: int, minima: bool) -> None:
    rng = np.random.default_rng(m + k + n)
    a, acc = rng.normal(size=(m, k)).astype(f32), rng.normal(size=(m, n)).astype(f32)
    codes = rng.integers(-8, 8, (k, n)).astype(f32)
    scales = rng.normal(size=(k // 8, n)).astype(f32) if block > 1 else None
    lows = rng.normal(size=(k // 8, n)).astype(f32) if block > 1 and minima else None
    b = Operand(codes if block > 1 else codes * f32(0.3), block, scales, lows)
    np.testing.assert_array_equal(matmul(acc, a, b), _scalar(acc, a, b))


def test_tiles_of_whole_blocks_continue_the_chain() -> None:
    rng = np.random.default_rng(1)
    a, codes = rng.normal(size=(2, 64)).astype(f32), rng.normal(size=(64, 7)).astype(f32)
    scales, zero = rng.normal(size=(4, 7)).astype(f32), np.zeros((2, 7), f32)
    whole = matmul(zero, a, Operand(codes, 16, scales))
    half = matmul(zero, a[:, :32], Operand(codes[:32], 16, scales[:2]))
    np.testing.assert_array_equal(
        matmul(half, a[:, 32:], Operand(codes[32:], 16, scales[2:])), whole
    )


def test_integer_accumulator_is_exact_and_bf16_widens() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(-128, 128, (3, 50), np.int8), rng.integers(-128, 128, (50, 4), np.int8)
    got = matmul(np.zeros((3, 4), np.int32), a, Operand(b))
    np.testing.assert_array_equal(got, a.astype(np.int64) @ b.astype(np.int64))
    half = a.astype(ml_dtypes.bfloat16)
    zero = np.zeros((3, 4), f32)
    wanted = matmul(zero, half.astype(f32), Operand(b.astype(f32)))
    np.testing.assert_array_equal(matmul(zero, half, Operand(b)), wanted)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="no whole number of blocks of 4"):
        Operand(np.zeros((6, 2), f32), 4)
    with pytest.raises(ValueError, match="does not fit"):
        matmul(np.zeros((1, 2), f32), np.zeros((1, 5), f32), Operand(np.zeros((4, 2), f32)))


def test_k_may_end_inside_a_block_and_blocks_become_operands() -> None:
    rng = np.random.default_rng(3)
    for name in ("q4_0", "q4_1", "q8_0", "i4z_g32", "i8", "f16"):
        blocks = quantise(name, rng.normal(size=(5, 64)).astype(f32))
        b = Operand.from_blocks(blocks)
        a, zero = rng.normal(size=(2, 64)).astype(f32), np.zeros((2, 5), f32)
        wanted = matmul(zero, np.where(np.arange(64) < 41, a, f32(0)), b)
        np.testing.assert_array_equal(matmul(zero, a[:, :41], b), wanted)
        if blocks.scales is not None and b.minima is None:
            scale = np.repeat(b.scales, b.block, axis=0) if b.scales is not None else f32(1)
            np.testing.assert_array_equal(b.codes * scale, dequantise(blocks).T)
