"""Graphs that fuzzing found: each is the smallest that failed, and is checked pass by pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tilewright.backend.errors import TilewrightError
from tilewright.compiler import compile_model
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.interp.tensor import run_graph

HEAD = """builtin.module @step attributes {tw.policy = "exact"} {
tg.scalar @rows : 0 to 5
tg.scalar @logit_rows : 0 to 5
tg.table @row_start : 1 x 0 to 5
tg.table @q_len : 1 x 0 to 5
tg.table @kv_len : 1 x 0 to 7
tg.global input @x : memref<5x8xf32, #tw.hbm>
tg.global input @tokens : memref<5xi32, #tw.hbm>
tg.global table @c4 : memref<8x2xf32, #tw.hbm> from "rope_cos(10000.0, 4, 8)"
tg.global table @s4 : memref<8x2xf32, #tw.hbm> from "rope_sin(10000.0, 4, 8)"
tg.global table @c8 : memref<8x4xf32, #tw.hbm> from "rope_cos(10000.0, 8, 8)"
tg.global table @s8 : memref<8x4xf32, #tw.hbm> from "rope_sin(10000.0, 8, 8)"
"""


def rows(columns: int, by: str = "rows") -> str:
    """A tensor's type."""
    return f"tensor<?x{columns}xf32, #tg.sizes<@{by}>>"


def weight(name: str, k: int, n: int, format: str = "f32", order: str = "kn") -> str:
    """A matmul's parameter."""
    return (
        f"tg.global weight @{name} : !lowbit.packed<{k}x{n}, {format}, {order}> from \"'{name}'\""
    )


def matmul(to: str, x: str, name: str, k: int, n: int) -> list[str]:
    """One matmul by a parameter."""
    return [
        f"%{to}_w = tg.weight @{name} : tensor<{k}x{n}xf32>",
        f"%{to} = tg.matmul %{x}, %{to}_w : {rows(n)}",
    ]


X = f"%x = tg.input @x : {rows(8)}"
CASES: dict[str, tuple[list[str], list[str], dict[str, int]]] = {
    "an input is an output": ([], [X], {"x": 8}),
    "rows are read and are an output": (
        [weight("w", 8, 3)],
        [X, f"%a = tg.unary abs %x : {rows(8)}", *matmul("b", "a", "w", 8, 3)],
        {"a": 8, "b": 3},
    ),
    "an op that no epilogue has": (
        [weight("w", 8, 3)],
        [X, *matmul("a", "x", "w", 8, 3), f"%b = tg.unary abs %a : {rows(3)}"],
        {"b": 3},
    ),
    "less a product": (
        [weight("w", 8, 8)],
        [X, *matmul("a", "x", "w", 8, 8), f"%b = tg.binary sub %x, %a : {rows(8)}"],
        {"b": 8},
    ),
    "two ropes": (
        [],
        [
            X,
            f"%a = tg.rope %x, @c4, @s4 heads 2 : {rows(8)}",
            f"%b = tg.rope %x, @c8, @s8 heads 1 : {rows(8)}",
        ],
        {"a": 8, "b": 8},
    ),
    "a matmul between head-wise ops": (
        [weight("w", 8, 16), weight("v", 8, 3)],
        [
            X,
            f"%a = tg.rope %x, @c4, @s4 heads 2 : {rows(8)}",
            *matmul("b", "a", "w", 8, 16),
            "%c, %d = tg.split %b [8, 8]",
            *matmul("e", "c", "v", 8, 3),
        ],
        {"d": 8, "e": 3},
    ),
    "columns beside heads": (
        [weight("w", 8, 8), weight("v", 8, 1)],
        [
            X,
            *matmul("a", "x", "w", 8, 8),
            *matmul("b", "x", "v", 8, 1),
            f"%c = tg.rope %a, @c4, @s4 heads 2 : {rows(8)}",
        ],
        {"b": 1, "c": 8},
    ),
    "unequal parts alone": (
        [weight("w", 8, 9)],
        [
            X,
            *matmul("a", "x", "w", 8, 9),
            "%b, %c = tg.split %a [2, 7]",
            f"%d = tg.unary abs %b : {rows(2)}",
        ],
        {"c": 7, "d": 2},
    ),
    "matmuls read one of unequal parts": (
        [weight("w", 8, 4), weight("v", 1, 3, "bf16"), weight("u", 1, 3)],
        [
            X,
            *matmul("a", "x", "w", 8, 4),
            "%b, %c = tg.split %a [1, 3]",
            *matmul("d", "b", "v", 1, 3),
            *matmul("e", "b", "u", 1, 3),
        ],
        {"c": 3, "d": 3, "e": 3},
    ),
    "columns with a scale each": (
        [weight("w", 8, 3, "i8")],
        [X, *matmul("a", "x", "w", 8, 3)],
        {"a": 3},
    ),
    "several new rows are appended by a kernel that makes no queries": (
        [
            weight("w", 8, 8),
            weight("v", 8, 8, "bf16"),
            weight("u", 8, 3),
            "tg.global state @kc : memref<1x2x8x4xf32, #tw.hbm>",
            "tg.global state @vc : memref<1x2x8x4xf32, #tw.hbm>",
        ],
        [
            X,
            *matmul("a", "x", "w", 8, 8),
            *matmul("q", "x", "v", 8, 8),
            "tg.kv_append %a, %a to @kc, @vc",
            f"%b = tg.attention %q cache @kc, @vc heads 2 kv_heads 2 scale 0.5 : {rows(8)}",
            *matmul("c", "b", "u", 8, 3),
        ],
        {"c": 3},
    ),
    "a matmul reads what several new rows were turned to": (
        [weight("w", 8, 8), weight("v", 8, 3)],
        [
            X,
            *matmul("a", "x", "w", 8, 8),
            f"%b = tg.rope %a, @c4, @s4 heads 2 : {rows(8)}",
            *matmul("c", "b", "v", 8, 3),
            *matmul("d", "a", "v", 8, 3),
        ],
        {"c": 3, "d": 3},
    ),
    "rows picked alone": (
        [],
        [X, f"%a = tg.take %x, @tokens : {rows(8, 'logit_rows')}"],
        {"a": 8},
    ),
    "picked rows are split": (
        [],
        [
            X,
            f"%a = tg.take %x, @tokens : {rows(8, 'logit_rows')}",
            "%b, %c = tg.split %a [1, 7]",
        ],
        {"b": 1, "c": 7},
    ),
    "heads of picked rows are normed": (
        ["tg.global weight @g : memref<4xf32, #tw.hbm> from \"'g'\""],
        [
            X,
            f"%a = tg.take %x, @tokens : {rows(8, 'logit_rows')}",
            "%g = tg.weight @g : tensor<4xf32>",
            f"%b = tg.rmsnorm %a, %g eps 1.0e-05 heads 2 : {rows(8, 'logit_rows')}",
        ],
        {"b": 8},
    ),
}


def compile_text(folder: Path, declared: list[str], body: list[str], outputs: dict[str, int],
                 unfused: bool) -> None:  # fmt: skip
    """Compile a graph for tw-small, checked behind each pass."""
    declared = declared + [f"tg.global output @y_{name} : memref<5x{n}xf32, #tw.hbm>"
                           for name, n in outputs.items()]  # fmt: skip
    body = body + [f"tg.output %{name} to @y_{name}" for name in outputs]
    path = folder / "graph.mlir"
    path.write_text(
        HEAD + "\n".join([*declared, "func.func @step() {", *body, "func.return", "}", "}", ""])
    )
    compile_model(
        path, machine="tw-small", output=folder / "g.tw", unfused=unfused, check_each_pass=True
    )


@pytest.mark.parametrize("unfused", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_every_pass_keeps_the_values(name: str, unfused: bool, tmp_path: Path) -> None:
    compile_text(tmp_path, *CASES[name], unfused)


def test_a_softmax_of_no_rows(tmp_path: Path) -> None:
    body = [X, f"%a = tg.softmax %x : {rows(8)}", "tg.output %a to @y"]
    declared = "tg.global output @y : memref<5x8xf32, #tw.hbm>"
    path = tmp_path / "graph.mlir"
    path.write_text(
        HEAD + "\n".join([declared, "func.func @step() {", *body, "func.return", "}", "}", ""])
    )
    (module,) = load_model(path).modules
    given = {"x": np.ones((5, 8), np.float32), "tokens": np.zeros(5, np.int32)}
    launch = {"rows": 0, "logit_rows": 0, "row_start": (0,), "q_len": (0,), "kv_len": (0,)}
    assert not run_graph(module, WeightStore.of_arrays({}), given, launch)["y"].any()


def test_gathered_rows_with_a_scale_each_are_refused(tmp_path: Path) -> None:
    declared = [weight("w", 8, 20, "i8", "nk")]
    body = [f"%x = tg.embed @w, @tokens : {rows(8)}"]
    with pytest.raises(TilewrightError, match="bring no scale along"):
        compile_text(tmp_path, declared, body, {"x": 8}, False)
