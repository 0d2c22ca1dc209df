"""The tensor interpreter op by op, against plain numpy; whole models are in e2e/test_frontends."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from xdsl.parser import Parser

from tilewright.backend.formats import ELEMENTS
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.interp.tensor import BINARY, UNARY, TensorError, run_graph
from tilewright.dialects import context, tg

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(1)


def run(
    body: str,
    inputs: dict[str, Array],
    out: tuple[int, int],
    declarations: str = "",
    weights: dict[str, Array] | None = None,
    parameters: dict[str, Any] | None = None,
    policy: str = "exact",
) -> dict[str, Array]:
    """Run ops on float32 inputs; `%name` is the input and `%out` goes to @out."""
    lines = [f'builtin.module @m attributes {{tw.policy = "{policy}"}} {{', declarations]
    reads: list[str] = []
    for name, value in inputs.items():
        rows, columns = value.shape
        lines.append(
            f"  tg.global weight @{name} : memref<{rows}x{columns}xf32, #tw.hbm> from \"'{name}'\""
        )
        reads.append(f"    %{name} = tg.weight @{name} : tensor<{rows}x{columns}xf32>")
    lines.append(f"  tg.global output @out : memref<{out[0]}x{out[1]}xf32, #tw.hbm>")
    lines += [
        "  func.func @m() {",
        *reads,
        body,
        "    tg.output %out to @out",
        "    func.return",
        "  }",
        "}",
    ]
    module = Parser(context(), "\n".join(lines)).parse_module()
    module.verify()
    store = WeightStore.of_arrays(inputs | (weights or {}))
    return run_graph(module, store, {}, parameters or {})


X = RANDOM.standard_normal((3, 8)).astype(np.float32)
Y = RANDOM.standard_normal((3, 8)).astype(np.float32)

EXACT: dict[str, Callable[[float], float]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "exp": math.exp,
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
    "square": lambda x: x * x,
    "rsqrt": lambda x: 1 / math.sqrt(x) if x > 0 else math.nan,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu_erf": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: (
        0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
}


def test_all_functions_of_the_dialect_have_a_meaning() -> None:
    assert set(UNARY) == set(tg.UNARY) == set(EXACT)
    assert set(BINARY) == set(tg.BINARY)


@pytest.mark.parametrize("f", EXACT)
def test_unary(f: str) -> None:
    x = np.abs(X) if f == "rsqrt" else X
    found = run(f"    %out = tg.unary {f} %x : tensor<3x8xf32>", {"x": x}, (3, 8))["out"]
    wanted = np.vectorize(EXACT[f])(x.astype(np.float64))
    assert np.allclose(found, wanted, rtol=3e-6, atol=1e-7)


def test_binary_by_element_and_by_column() -> None:
    same = "    %out = tg.binary sub %x, %y : tensor<3x8xf32>"
    assert np.array_equal(run(same, {"x": X, "y": Y}, (3, 8))["out"], X - Y)
    column = """    %b = tg.weight @b : tensor<8xf32>
    %out = tg.binary mul %x, %b : tensor<3x8xf32>"""
    declared = "  tg.global weight @b : memref<8xf32, #tw.hbm> from \"'b'\""
    found = run(column, {"x": X}, (3, 8), declared, {"b": Y[0]})["out"]
    assert np.array_equal(found, X * Y[0])


def test_matmul_rounds_operands_under_bf16() -> None:
    body = "    %out = tg.matmul %x, %w : tensor<3x2xf32>"
    w = Y.T[:, :2].copy()
    exact = run(body, {"x": X, "w": w}, (3, 2))["out"]
    assert np.allclose(exact, X @ w, atol=1e-6)
    rounded = run(body, {"x": X, "w": w}, (3, 2), policy="bf16")["out"]
    assert np.allclose(rounded, X.astype(ELEMENTS["bf16"]).astype(np.float32) @ w, atol=1e-6)
    assert not np.array_equal(exact, rounded)


def test_norm_by_heads() -> None:
    body = """    %g = tg.weight @g : tensor<4xf32>
    %out = tg.rmsnorm %x, %g eps 0.5 heads 2 : tensor<3x8xf32>"""
    declared = "  tg.global weight @g : memref<4xf32, #tw.hbm> from \"'g'\""
    found = run(body, {"x": X}, (3, 8), declared, {"g": Y[0, :4]})["out"]
    for head in (slice(0, 4), slice(4, 8)):
        part = X[:, head]
        wanted = part / np.sqrt((part**2).mean(1, keepdims=True) + 0.5) * Y[0, :4]
        assert np.allclose(found[:, head], wanted, atol=1e-6)


def test_split_in_sequence_and_by_groups() -> None:
    body = """    %a, %b = tg.split %x [6, 2]
    %out = tg.unary neg %b : tensor<3x2xf32>"""
    assert np.array_equal(run(body, {"x": X}, (3, 2))["out"], -X[:, 6:])
    wide = RANDOM.standard_normal((3, 10)).astype(np.float32)
    body = """    %a, %b = tg.split %x [5, 5] group 2
    %out = tg.unary neg %b : tensor<3x5xf32>"""
    assert np.array_equal(run(body, {"x": wide}, (3, 5))["out"], -wide[:, [2, 3, 6, 7, 9]])


def test_loops_and_kernels_carry_values() -> None:
    body = """    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %out = scf.for %l = %c0 to %c3 step %c1 iter_args(%v = %x) -> (tensor<3x8xf32>) {
      %w = tg.fused "twice" : tensor<3x8xf32> {
        %d = tg.binary add %v, %v : tensor<3x8xf32>
        tg.yield %d
      }
      scf.yield %w : tensor<3x8xf32>
    }"""
    assert np.array_equal(run(body, {"x": X}, (3, 8))["out"], X * 8)


CACHES = """  tg.table @row_start : 2 x 0 to 4
  tg.table @q_len : 2 x 0 to 4
  tg.table @kv_len : 2 x 0 to 7
  tg.global table @cos : memref<8x2xf32, #tw.hbm> from "rope_cos(100.0, 4, 8)"
  tg.global table @sin : memref<8x2xf32, #tw.hbm> from "rope_sin(100.0, 4, 8)"
  tg.global state @k : memref<2x1x8x4xf32, #tw.hbm>
  tg.global state @v : memref<2x1x8x4xf32, #tw.hbm>"""


def test_rope_turns_by_each_sequences_position() -> None:
    x = np.ones((3, 8), np.float32)
    body = "    %out = tg.rope %x, @cos, @sin heads 2 : tensor<3x8xf32>"
    parameters = {"row_start": [0, 2], "q_len": [2, 1], "kv_len": [5, 0]}
    found = run(body, {"x": x}, (3, 8), CACHES, parameters=parameters)["out"]
    for row, position in enumerate((5, 6, 0)):
        angle = np.array([position, position * 100.0**-0.5])
        wanted = np.concatenate([np.cos(angle) - np.sin(angle), np.cos(angle) + np.sin(angle)])
        assert np.allclose(found[row], [*wanted, *wanted], atol=1e-6)


def test_attention_reads_the_cache_of_its_own_sequence() -> None:
    q, k, v = (RANDOM.standard_normal((4, n)).astype(np.float32) for n in (8, 4, 4))
    body = """    tg.kv_append %k1, %v1 to @k, @v
    %out = tg.attention %q cache @k, @v heads 2 kv_heads 1 scale 0.5 : tensor<4x8xf32>"""
    parameters = {"row_start": [0, 3], "q_len": [3, 1], "kv_len": [0, 0]}
    out = run(body, {"q": q, "k1": k, "v1": v}, (4, 8), CACHES, parameters=parameters)
    assert np.array_equal(out["k"][0, 0, :3], k[:3])
    assert np.array_equal(out["v"][1, 0, 0], v[3])
    for row, first in ((0, 0), (2, 0), (3, 3)):
        for head in (0, 1):
            scores = k[first : row + 1] @ q[row, head * 4 : head * 4 + 4] * 0.5
            chance = np.exp(scores - scores.max())
            wanted = chance / chance.sum() @ v[first : row + 1]
            assert np.allclose(out["out"][row, head * 4 : head * 4 + 4], wanted, atol=1e-6)


STEP = """builtin.module @m attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @index : memref<4xi32, #tw.hbm>
  func.func @m() {
    func.return
  }
}"""


def test_data_that_does_not_fit() -> None:
    module = Parser(context(), STEP).parse_module()
    store = WeightStore.of_arrays({})
    good = {"index": np.zeros(4, np.int32)}
    assert run_graph(module, store, good, {"rows": 4}) == {}
    cases: list[tuple[dict[str, Array], dict[str, Any], str]] = [
        ({}, {"rows": 1}, "@index: the input is missing"),
        (
            {"index": np.zeros(3, np.int32)},
            {"rows": 1},
            "@index: found int32 [3], wanted int32 [4]",
        ),
        (good, {}, "launch parameter rows is missing"),
        (good, {"rows": 5}, "launch parameter rows is [5], wanted 1 from 0 to 4"),
    ]
    for data, parameters, message in cases:
        with pytest.raises(TensorError) as error:
            run_graph(module, store, data, parameters)
        assert str(error.value) == message


def test_ops_of_other_levels_are_refused() -> None:
    text = STEP.replace(
        "    func.return", "    %b = tile.buffer : memref<4xf32, #tw.spm>\n    func.return"
    )
    module = Parser(context(), text).parse_module()
    with pytest.raises(TensorError, match=r"tile\.buffer has no meaning on tensors"):
        run_graph(module, WeightStore.of_arrays({}), {"index": np.zeros(4, np.int32)}, {"rows": 1})
