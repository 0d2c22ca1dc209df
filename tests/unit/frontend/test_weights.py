"""Parameters by recipe: shapes, formats, and what does not fit."""

import numpy as np
import pytest
from xdsl.dialects.builtin import Float32Type, MemRefType, TensorType

from tilewright.backend.formats import Blocks, FormatError, dequantise, quantise
from tilewright.compiler.frontend.weights import WeightError, WeightStore, convert
from tilewright.dialects.lowbit import PackedType
from tilewright.dialects.spaces import HBM
from tilewright.dialects.tg import GlobalOp

RANDOM = np.random.default_rng(0)
A, B = (RANDOM.standard_normal((8, 64)).astype(np.float32) for _ in range(2))
VECTORS = {f"g{layer}": np.full(4, layer, np.float16) for layer in range(3)}
STORE = WeightStore.of_arrays({"a": A, "b": B, **VECTORS})


def packed(recipe: str, k: int, n: int, format: str = "f32") -> GlobalOp:
    return GlobalOp("weight", "w", PackedType((k, n), format, "kn"), recipe)


def test_matrices_are_transposed_rows() -> None:
    assert np.array_equal(STORE.values(packed("'a'", 64, 8)), A.T)
    both = STORE.values(packed("concat('a', 'b')", 64, 16))
    assert np.array_equal(both, np.concatenate([A, B]).T)


def test_a_memref_holds_rows_and_a_tensor_their_transpose() -> None:
    tensor = GlobalOp("weight", "t", TensorType(Float32Type(), (64, 8)), "'a'")
    rows = GlobalOp("weight", "m", MemRefType(Float32Type(), (8, 64), memory_space=HBM), "'a'")
    assert np.array_equal(STORE.values(tensor), A.T)
    assert np.array_equal(STORE.values(rows), A)
    for declared in (tensor, rows):
        assert np.array_equal(STORE.picked(declared, np.array([7, 2]))[1], A[2])
        assert not STORE.picked(declared, np.array([8])).any()


def test_layers_and_vectors() -> None:
    declared = GlobalOp(
        "weight", "g", MemRefType(Float32Type(), (3, 4), memory_space=HBM), "'g{l}'"
    )
    assert np.array_equal(STORE.values(declared, 2), np.full(4, 2, np.float32))
    assert STORE.dense(declared, 2).dtype == np.float32


def test_picked_rows() -> None:
    declared = GlobalOp("weight", "e", PackedType((64, 8), "q8_0", "nk"), "'a'")
    rows = STORE.picked(declared, np.array([7, -1, 0, 8]))
    quantised = dequantise(quantise("q8_0", A))
    assert np.array_equal(rows[[0, 2]], quantised[[7, 0]])
    assert not rows[[1, 3]].any()


def test_conversion_is_exact_to_float32_and_quantises_otherwise() -> None:
    blocks = quantise("q4_1", A)
    assert convert(blocks, "q4_1") is blocks
    assert np.array_equal(convert(blocks, "f32").codes, dequantise(blocks))
    half = Blocks("f32", 64, A)
    assert np.array_equal(dequantise(convert(half, "f16")), A.astype(np.float16).astype(np.float32))
    assert np.array_equal(dequantise(convert(half, "q8_0")), dequantise(quantise("q8_0", A)))


def test_what_does_not_fit() -> None:
    with pytest.raises(WeightError) as error:
        STORE.values(packed("'a'", 64, 16))
    assert str(error.value) == (
        "@w: the recipe 'a' gives 8 rows of 64, !lowbit.packed<64x16, f32, kn> wants 16 of 64"
    )
    with pytest.raises(WeightError, match="there is no array 'z'"):
        STORE.values(packed("'z'", 64, 8))
    with pytest.raises(FormatError):
        STORE.values(packed("concat('a', 'g0')", 64, 12))
