"""Programs A, B, C, D and S run in order, by engine and projected, with the same bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from tilewright.backend.formats import Packing, dequantise, unpack
from tilewright.compiler.interp.tile import engines_of, run_tile, start
from tilewright.dialects import context
from tilewright.passes.project import ProjectPass

Arrays = dict[str, NDArray[Any]]
Module = Callable[[str], ModuleOp]
Launch = Callable[..., tuple[Arrays, dict[str, int]]]

LAUNCHES: list[tuple[str, dict[str, int]]] = [
    ("a", {"m": 1}),
    ("a", {"m": 4}),
    *[("b", {"ctx": ctx, "steps": 3}) for ctx in (0, 1, 7, 8, 9, 37)],
    ("b", {"ctx": 5, "steps": 0}),
    ("c", {"ctx": 9, "steps": 2}),
    *[("d", {"rows": rows}) for rows in range(5)],
    *[("s", {"ctx": ctx, "steps": 3}) for ctx in (0, 1, 8, 9, 17)],
]


def written(name: str, results: Arrays, parameters: dict[str, int]) -> Arrays:
    """Only the rows of y that the launch wrote."""
    key = {"a": "m", "d": "rows"}.get(name, "steps")
    return {k: v[: parameters[key]] if k == "y" else v for k, v in results.items()}


def same(left: Arrays, right: Arrays) -> bool:
    return left.keys() == right.keys() and all(
        np.array_equal(left[name], right[name]) for name in left
    )


@pytest.mark.parametrize(("name", "parameters"), LAUNCHES)
def test_every_interleaving_gives_the_bits_of_the_sequential_run(
    name: str, parameters: dict[str, int], module: Module, launch: Launch
) -> None:
    data, parameters = launch(name, **parameters)
    streamed = module(f"{name}_streamed")
    want = written(name, run_tile(streamed, data, parameters), parameters)
    projected = streamed.clone()
    ProjectPass().apply(context(), projected)
    for seed in range(4):
        got = run_tile(streamed, data, parameters, seed=seed)
        assert same(written(name, got, parameters), want)
        got = run_tile(projected, data, parameters, seed=seed)
        assert same(written(name, got, parameters), want)


@pytest.mark.parametrize(("name", "parameters"), [x for x in LAUNCHES if x[0] in "abcs"])
def test_the_streamed_program_has_the_bits_of_the_tiled_one(
    name: str, parameters: dict[str, int], module: Module, launch: Launch
) -> None:
    data, parameters = launch(name, **parameters)
    tiled = module("b_tiled" if name == "s" else f"{name}_tiled")
    want = written(name, run_tile(tiled, data, parameters), parameters)
    got = run_tile(module(f"{name}_streamed"), data, parameters)
    assert same(written(name, got, parameters), want)


def test_program_a_computes_swiglu(module: Module, launch: Launch) -> None:
    data, parameters = launch("a", m=3)
    weight = dequantise(unpack(Packing("q4_0", "kn", 64, 64, 32), data["ffn_gate_up"]))
    both = data["x"][:3].astype(np.float64) @ weight.T.astype(np.float64)
    gate, up = np.split(both.reshape(3, 2, 2, 16), 2, axis=2)
    want = (gate / (1 + np.exp(-gate)) * up).reshape(3, 32)
    got = run_tile(module("a_tiled"), data, parameters)["y"][:3]
    assert np.allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("ctx", [0, 1, 8, 21])
def test_program_b_computes_attention(ctx: int, module: Module, launch: Launch) -> None:
    data, parameters = launch("b", ctx=ctx, steps=3)
    got = run_tile(module("b_tiled"), data, parameters)
    keys, values = data["k_cache"].astype(np.float64), data["v_cache"].astype(np.float64)
    for step, row in enumerate(data["qkv"].astype(np.float64)):
        keys[:, ctx + step], values[:, ctx + step] = row[4:6], row[6:8]
        for head in range(4):
            seen = slice(0, ctx + step + 1)
            scores = keys[head // 2, seen] @ row[head]
            weights = np.exp(scores - scores.max())
            want = weights @ values[head // 2, seen] / weights.sum()
            assert np.allclose(got["y"][step, head], want, atol=1e-5)
    assert np.array_equal(got["k_cache"][:, ctx : ctx + 3], keys[:, ctx : ctx + 3])


def test_program_d_sums_as_many_rows_as_the_data_says(module: Module, launch: Launch) -> None:
    data, parameters = launch("d", rows=4)
    got = run_tile(module("d_streamed"), data, parameters, seed=3)["y"]
    for row, length in enumerate(data["lens"][0]):
        want = np.zeros(8, np.float32)
        for t in range(length):
            want += data["x"][row, t]
        assert np.array_equal(got[row], want)


def test_results_leave_the_given_arrays_alone(module: Module, launch: Launch) -> None:
    data, parameters = launch("b", ctx=3, steps=2)
    before = {name: array.copy() for name, array in data.items()}
    run_tile(module("b_streamed"), data, parameters)
    assert same(data, before)


def test_rings_remember_their_marks_and_engines_are_found(module: Module, launch: Launch) -> None:
    data, parameters = launch("b", ctx=20, steps=1)
    machine = start(module("b_streamed"), data, parameters)
    assert machine.rings["old"].high == 2
    assert engines_of(machine.module) == ["ld", "mxu", "st", "vpu"]
