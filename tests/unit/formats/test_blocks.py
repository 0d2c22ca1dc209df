"""Quantising, dequantising and GGUF rows: equal to the `gguf` package to the bit."""

from typing import Any

import gguf
import gguf.quants
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.backend.formats import (
    FORMATS,
    Blocks,
    FormatError,
    concat,
    dequantise,
    find_format,
    from_ggml_rows,
    quantise,
    take_rows,
    to_ggml_rows,
    zero_rows,
)

Array = npt.NDArray[Any]
GGML = [row.name for row in FORMATS.values() if row.ggml]
BLOCKED = [row.name for row in FORMATS.values() if row.scale]
GGML_BLOCKED = [name for name in GGML if name in BLOCKED]


def ggml_type(name: str) -> gguf.GGMLQuantizationType:
    ggml = find_format(name).ggml
    assert ggml is not None
    return gguf.GGMLQuantizationType[ggml]


def weights(n: int, k: int, seed: int = 0) -> Array:
    """float32 [n, k] of very different magnitudes from row to row, some values zero."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((n, k)) * 10.0 ** random.integers(-6, 4, (n, 1))
    values[random.random((n, k)) < 0.05] = 0
    return values.astype(np.float32)


@pytest.mark.parametrize("name", GGML)
def test_random_bytes_dequantise_as_gguf_does(name: str) -> None:
    spec, n, k = find_format(name), 37, 96
    random = np.random.default_rng(1)
    raw = random.integers(0, 256, n * k // spec.block * spec.block_bytes, dtype=np.uint8)
    if not spec.dense:
        halves = raw.reshape(n * k // spec.block, -1)
        # Any finite float16 of either sign: exponents below 31.
        halves[:, 1] &= 0xFB
        if spec.minimum:
            halves[:, 3] &= 0xFB
    else:
        values = random.standard_normal((n, k)).astype(np.float32)
        raw = gguf.quants.quantize(values, ggml_type(name)).view(np.uint8).reshape(-1)
    blocks = from_ggml_rows(name, raw, n, k)
    wanted = gguf.quants.dequantize(raw.reshape(n, -1), ggml_type(name))
    assert dequantise(blocks).tobytes() == wanted.reshape(n, k).tobytes()
    assert np.array_equal(to_ggml_rows(blocks).reshape(-1), raw)


@pytest.mark.parametrize("name", GGML)
def test_quantise_gives_the_bytes_of_gguf(name: str) -> None:
    values = weights(50, 128)
    values[4] = 0
    values[5, :32] = 3.25
    wanted = gguf.quants.quantize(values, ggml_type(name)).view(np.uint8)
    assert np.array_equal(to_ggml_rows(quantise(name, values)), wanted)


@pytest.mark.parametrize("name", [name for name in BLOCKED if name not in GGML] + ["i8"])
def test_own_formats_stay_within_one_step(name: str) -> None:
    values = weights(40, 256)
    blocks = quantise(name, values)
    spec = blocks.spec
    steps = blocks.channel_scale if spec.channel_scale else blocks.scales
    assert steps is not None
    step = np.abs(steps.astype(np.float32)).reshape(40, -1)
    step = step.repeat(256 // step.shape[1], axis=1)
    # Half a step by rounding; a whole one at the clipped end of the symmetric range, and where
    # a stored zero was rounded; a little more where a scale is a subnormal f16.
    error = np.abs(dequantise(blocks) - values)
    assert np.all(error <= step * 1.02 + 4e-7)
    assert np.mean(error <= step * 0.51 + 4e-7) > 0.9


def test_symmetric_codes_use_the_whole_range() -> None:
    values = np.array([[-8, 7, 0, 1] * 8, [8, -7, 0, 1] * 8], np.float32)
    blocks = quantise("i4_g32", values)
    assert blocks.codes[:, :4].tolist() == [[0, 15, 8, 9], [0, 15, 8, 7]]
    assert np.array_equal(dequantise(blocks), values)


def test_stored_zeros_keep_zero_exact() -> None:
    values = np.array([[0, 5, 10, 15] * 8, [-15, 0, -5, -10] * 8, [-5, 0, 5, 10] * 8], np.float32)
    blocks = quantise("i4z_g32", values)
    assert blocks.zeros is not None
    assert blocks.zeros.tolist() == [[0], [15], [5]]
    assert np.array_equal(dequantise(blocks), values)


def test_the_order_of_roundings_is_scale_then_minimum() -> None:
    scale, minimum = np.float16(0.1), np.float16(-1000.3)
    blocks = Blocks(
        "q4_1",
        32,
        np.full((1, 32), 13, np.uint8),
        np.full((1, 1), scale),
        np.full((1, 1), minimum),
    )
    wanted = np.float32(np.float32(13) * np.float32(scale)) + np.float32(minimum)
    assert dequantise(blocks)[0, 0] == wanted


@pytest.mark.parametrize("name", FORMATS)
@given(n=st.integers(1, 5), k=st.integers(1, 300))
def test_any_length_of_row_is_padded_with_codes_for_zero(name: str, n: int, k: int) -> None:
    blocks = quantise(name, weights(n, k, k))
    spec = blocks.spec
    assert dequantise(blocks).shape == (n, k)
    tail = blocks.codes[:, k:]
    if blocks.zeros is not None:
        assert np.all(tail == blocks.zeros[:, -1:])
    else:
        assert np.all(tail == spec.zero_point)


@pytest.mark.parametrize("name", FORMATS)
def test_padding_does_not_change_the_values(name: str) -> None:
    """A partial last block has the scale of its own values only."""
    values = np.abs(weights(3, 160)) + 1
    whole = quantise(name, np.concatenate([values[:, :129], values[:, 128:129].repeat(127, 1)], 1))
    part = quantise(name, values[:, :129])
    if name == "i8":
        assert np.array_equal(whole.codes[:, :129], part.codes[:, :129])
    else:
        assert np.array_equal(dequantise(whole)[:, :129], dequantise(part))


@pytest.mark.parametrize("name", FORMATS)
def test_rows_are_taken_and_joined(name: str) -> None:
    blocks = quantise(name, weights(9, 70))
    values = dequantise(blocks)
    order = [8, 0, 0, 3]
    assert np.array_equal(dequantise(take_rows(blocks, order)), values[order])
    assert np.array_equal(dequantise(take_rows(blocks, slice(2, 5))), values[2:5])
    joined = concat([take_rows(blocks, [1]), zero_rows(name, 2, 70), blocks])
    wanted = np.concatenate([values[[1]], np.zeros((2, 70), np.float32), values])
    assert np.array_equal(dequantise(joined), wanted)


def test_large_matrices_are_quantised_in_pieces() -> None:
    values = np.tile(weights(64, 1024), (70, 1))
    blocks = quantise("q8_0", values)
    assert blocks.n == 64 * 70
    assert np.array_equal(blocks.codes[-64:], blocks.codes[:64])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantise("q9", weights(1, 32)), "format q9: unknown; wanted one of f32, f16, bf"),
        (
            lambda: quantise("q8_0", weights(1, 32)[0]),
            r"found shape \(32,\), wanted \[N > 0, K > 0\]",
        ),
        (lambda: quantise("q8_0", weights(0, 32)), r"found shape \(0, 32\), wanted \[N > 0, K"),
        (
            lambda: quantise("q8_0", np.array([[1, np.nan]], np.float32)),
            "quantise q8_0: found nan at row 0, column 1; wanted finite values",
        ),
        (
            lambda: quantise("q4_0", np.full((1, 32), 1e6, np.float32)),
            r"quantise q4_0: found a scale or minimum of 125000.0, wanted at most 65504.0 \(f16\)",
        ),
        (
            lambda: quantise("q4_1", np.array([[3e38, -3e38]], np.float32)),
            "quantise q4_1: values span more than float32; choose f32",
        ),
        (
            lambda: quantise("f16", np.full((1, 1), 1e6, np.float32)),
            "quantise f16: found 1000000.0, which f16 cannot hold; choose bf16 or f32",
        ),
        (
            lambda: from_ggml_rows("q8_0", b"", 1, 33),
            "Q8_0 rows: found 33 values a row, wanted a multiple of 32",
        ),
        (
            lambda: from_ggml_rows("q8_0", b"123", 1, 32),
            "Q8_0 rows: found 3 bytes, wanted 34 for 1 rows of 32",
        ),
        (lambda: from_ggml_rows("i8", b"", 1, 1), "format i8: has no GGUF tensor type"),
        (lambda: to_ggml_rows(quantise("q4_0", weights(1, 33))), "found 33 values a row, wanted a"),
        (lambda: concat([]), "concat: found no parts, wanted at least one"),
        (
            lambda: concat([zero_rows("q4_0", 1, 32), zero_rows("q4_1", 1, 32)]),
            "concat: found rows of 32 x q4_1 after rows of 32 x q4_0; wanted one format",
        ),
        (
            lambda: Blocks("q4_0", 32, np.zeros((2, 32), np.uint8)),
            r"scales of q4_0: found none, wanted \(2, 1\)",
        ),
        (
            lambda: Blocks("f32", 1, np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float16)),
            "scales of f32: found some, wanted none",
        ),
        (
            lambda: Blocks("i8", 3, np.zeros((2, 3), np.uint8)),
            r"codes of i8: found uint8 \(2, 3\), wanted int8 \(2, 3\)",
        ),
    ],
)
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        call()
