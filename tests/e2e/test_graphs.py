"""Graphs of single ops and layers: text to image, run by the emulator, against numpy in float64.

Sizes are random and odd, fewer rows run than there could be, fused and with each op a kernel of its
own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from machines import MIB, NO_MAIN_MEMORY, varied, write_machine
from numpy.typing import NDArray

from tilewright.backend.image import read_image
from tilewright.compiler import compile_model
from tilewright.runtime.session import open_emulators

save_file: Any = importlib.import_module("safetensors.numpy").save_file
Array = NDArray[Any]
TOLERANCE = 5e-5
"""Of a value, in units of max(1, standard deviation): the project's for policy `exact`."""


@dataclass(frozen=True)
class Case:
    """A graph and what it should give."""

    text: str
    rows: int
    run: int
    """Rows of the launch, at most `rows`."""
    arrays: Mapping[str, Array]
    """Parameters: matrices [N, K], vectors."""
    inputs: Mapping[str, Array]
    want: Array
    """Of the rows that ran."""


def norm(x: Array, gamma: Array, beta: Array) -> Array:
    """LayerNorm."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5) * gamma + beta


def softmax(x: Array) -> Array:
    """Softmax along the last axis."""
    chance = np.exp(x - x.max(-1, keepdims=True))
    return chance / chance.sum(-1, keepdims=True)


def attend(q: Array, k: Array, v: Array, heads: int) -> Array:
    """Every row sees every position; [rows, heads x head] each."""
    q, k, v = (x.reshape(len(x), heads, -1).transpose(1, 0, 2) for x in (q, k, v))
    chance = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))
    return (chance @ v).transpose(1, 0, 2).reshape(q.shape[1], -1)


def values(random: np.random.Generator, *shape: int) -> Array:
    """Float32 values of float64 type."""
    return random.standard_normal(shape, np.float32).astype(np.float64)


def gemm(random: np.random.Generator, rows: int, run: int) -> Case:
    k, n = (int(random.integers(1, 140)) for _ in range(2))
    x, w = values(random, rows, k), values(random, n, k) / np.sqrt(k)
    w = w.astype(np.float32).astype(np.float64)
    text = graphs.gemm(rows, k, n, "exact")
    return Case(text, rows, run, {"w": w}, {"x": x}, x[:run] @ w.T)


def gemm_twice(random: np.random.Generator, rows: int, run: int) -> Case:
    k, n = (int(random.integers(1, 140)) for _ in range(2))
    x, w = values(random, rows, k), values(random, n, k) / np.sqrt(k)
    w = w.astype(np.float32).astype(np.float64)
    product = x[:run] @ w.T
    text = graphs.gemm_twice(rows, k, n, "exact")
    return Case(text, rows, run, {"w": w}, {"x": x}, np.maximum(product, 0) * product)


def layer_norm(random: np.random.Generator, rows: int, run: int) -> Case:
    columns = int(random.integers(2, 300))
    x, g, b = values(random, rows, columns), values(random, columns), values(random, columns)
    x += 7.0
    text = graphs.layer_norm(rows, columns, "exact")
    return Case(text, rows, run, {"g": g, "b": b}, {"x": x}, norm(x[:run], g, b))


def softmax_rows(random: np.random.Generator, rows: int, run: int) -> Case:
    columns = int(random.integers(1, 400))
    x = 5 * values(random, rows, columns)
    text = graphs.softmax(rows, columns, "exact")
    return Case(text, rows, run, {}, {"x": x}, softmax(x[:run]))


def attention(random: np.random.Generator, rows: int, run: int) -> Case:
    heads, head = int(random.integers(1, 5)), int(random.choice([8, 17, 24, 40]))
    q, k, v = (values(random, rows, heads * head) for _ in range(3))

    def cache(x: Array) -> Array:
        return x.reshape(1, rows, heads, head).transpose(0, 2, 1, 3)

    text = graphs.attention(heads, rows, head, "exact")
    inputs = {"q": q, "k_cache": cache(k), "v_cache": cache(v)}
    return Case(text, rows, run, {}, inputs, attend(q[:run], k[:run], v[:run], heads))


def bert_layer(random: np.random.Generator, rows: int, run: int) -> Case:
    heads, head, ffn = int(random.integers(1, 4)), int(random.choice([8, 20])), 77
    width = heads * head
    sizes = {"attn_q": (width, width), "attn_k": (width, width), "attn_v": (width, width),
             "attn_output": (width, width), "ffn_up": (ffn, width),
             "ffn_down": (width, ffn)}  # fmt: skip
    arrays: dict[str, Array] = {}
    for name, (n, k) in sizes.items():
        arrays[name] = (values(random, n, k) / np.sqrt(k)).astype(np.float32).astype(np.float64)
        arrays[f"{name}_bias"] = values(random, n)
    for name in ("attn_norm", "ffn_norm"):
        arrays |= {f"{name}_gamma": values(random, width), f"{name}_beta": values(random, width)}

    def linear(x: Array, name: str) -> Array:
        return x @ arrays[name].T + arrays[f"{name}_bias"]

    inputs = {"x": values(random, rows, width)}
    x = inputs["x"][:run]
    q, k, v = (linear(x, f"attn_{name}") for name in "qkv")
    x = linear(attend(q, k, v, heads), "attn_output") + x
    x = norm(x, arrays["attn_norm_gamma"], arrays["attn_norm_beta"])
    x = linear(np.maximum(linear(x, "ffn_up"), 0), "ffn_down") + x
    want = norm(x, arrays["ffn_norm_gamma"], arrays["ffn_norm_beta"])
    return Case(
        graphs.bert_layer(rows, width, heads, ffn, "exact"), rows, run, arrays, inputs, want
    )


CASES: dict[str, Callable[[np.random.Generator, int, int], Case]] = {
    "gemm": gemm,
    "gemm twice": gemm_twice,
    "layer norm": layer_norm,
    "softmax": softmax_rows,
    "attention": attention,
    "bert layer": bert_layer,
}


@pytest.mark.parametrize("unfused", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys(name: str, seed: int, unfused: bool, tmp_path: Path) -> None:
    check(a_case(name, seed), tmp_path, "tw-small", unfused)


@pytest.mark.parametrize("unfused", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_values_without_main_memory(name: str, unfused: bool, tmp_path: Path) -> None:
    near = varied(NO_MAIN_MEMORY | {"spm_bytes": 2 * MIB}, "near")
    check(a_case(name, 1), tmp_path, write_machine(near, tmp_path), unfused)


def a_case(name: str, seed: int) -> Case:
    """A graph of some rows, with some of them in use."""
    random = np.random.default_rng([seed, len(name)])
    rows = int(random.integers(2, 41))
    return CASES[name](random, rows, int(random.integers(1, rows + 1)))


def check(case: Case, tmp_path: Path, machine: str, unfused: bool) -> None:
    """Compile a graph, run it, and compare with numpy."""
    path = tmp_path / "graph.mlir"
    path.write_text(case.text)
    if case.arrays:
        arrays = {key: array.astype(np.float32) for key, array in case.arrays.items()}
        save_file(arrays, path.with_suffix(".safetensors"))
    image = tmp_path / "graph.tw"
    compile_model(path, machine=machine, output=image, unfused=unfused)
    emulator = open_emulators(read_image(image), "fast", "sequential", True)["step"]
    for key, array in case.inputs.items():
        emulator.write(key, np.ascontiguousarray(array, np.float32))
    emulator.run(graphs.launch(case.run))
    found = emulator.read("y", np.float32).reshape(case.rows, -1)[: case.run]
    limit = TOLERANCE * max(1.0, float(case.want.std()))
    np.testing.assert_allclose(found, case.want, rtol=0, atol=limit)
