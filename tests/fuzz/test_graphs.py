"""Random graphs on random machines: every output and state as the tensor interpreter has it."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from long_runs import announce, fuzzed, refusal
from machines import varied, write_machine
from random_graphs import PICKED, RANGES, Graph, graphs
from random_machines import RANGES as MACHINES
from random_machines import any_machines
from refusals import refused_by_name

from tilewright.backend.errors import TilewrightError
from tilewright.backend.formats import ELEMENTS, dequantise, find_format, quantise
from tilewright.backend.image import Image, read_image
from tilewright.backend.machine import Machine
from tilewright.compiler import compile_model
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.interp.tensor import run_graph
from tilewright.runtime.functional.orders import ORDERS
from tilewright.runtime.session import open_emulators
from tilewright.runtime.timing import time_program

save_file: Any = importlib.import_module("safetensors.numpy").save_file
Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

TOLERANCE = 5e-5
"""Of a value, in units of max(1, standard deviation): the project's for policy `exact`."""
NUDGE = 1e-6
"""How far inputs are moved, relative to themselves, to see how much a graph amplifies."""
AMPLIFIED = 20
"""So many times what the nudge does is allowed besides."""


def test_ranges() -> None:
    announce("test_graphs", RANGES | MACHINES)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@fuzzed(4)
@given(
    graph=graphs(),
    machine=any_machines(),
    unfused=st.booleans(),
    order=st.sampled_from(tuple(ORDERS)) | st.integers(0, 999).map("random:{}".format),
    checked=st.integers(0, 7).map(lambda n: n == 0),
    seed=st.integers(0, 999),
)
def test_a_random_graph_gives_what_the_interpreter_gives(
    graph: Graph, machine: dict[str, Any], unfused: bool, order: str, checked: bool, seed: int
) -> None:
    arrays, given = drawn(graph, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = compiled(graph, arrays, varied(machine), folder, unfused, checked)
        if image is None:
            return
        want = interpreted(graph, arrays, given, folder)
        moved = interpreted(graph, arrays, nudged(given), folder)
        found = emulated(image, graph, given, "fast", order)
        compared(graph, found, want, moved)
        if seed % 5 == 0:
            again = emulated(image, graph, given, "reference", "sequential")
            for key in found:
                np.testing.assert_array_equal(again[key], found[key], key)
    add_up(image, graph)


def drawn(graph: Graph, seed: int) -> tuple[Arrays, Arrays]:
    """Parameters [N, K] or [N], and inputs and state."""
    random = np.random.default_rng(seed)
    arrays: Arrays = {}
    for name, (n, k) in graph.matrices.items():
        arrays[name] = (random.standard_normal((n, k)) / np.sqrt(k)).astype(np.float32)
    for name, n in graph.vectors.items():
        arrays[name] = (1 + 0.3 * random.standard_normal(n)).astype(np.float32)
    given: Arrays = {}
    for name, (shape, kind) in graph.inputs.items():
        if kind == "i32 of rows":
            limit = max(1, int(np.sum(graph.launch["rows"])))
            given[name] = random.integers(0, limit, shape).astype(np.int32)
        elif kind.startswith("i32"):
            given[name] = random.integers(0, int(kind.split()[-1]), shape).astype(np.int32)
        else:
            given[name] = random.standard_normal(shape).astype(ELEMENTS[kind])
    return arrays, given


def nudged(given: Arrays) -> Arrays:
    """Inputs a little off."""
    moved: Arrays = {}
    for name, array in given.items():
        if array.dtype == np.float32:
            array = array * np.float32(1 + NUDGE)
        moved[name] = array
    return moved


def rounded(format: str, values: Array) -> Array:
    """What a format makes of float32 rows."""
    dense = find_format(format).dense
    if dense in ("f32", "f16", "bf16"):
        return values.astype(ELEMENTS[dense]).astype(np.float32)
    return dequantise(quantise(format, values))


def compiled(
    graph: Graph, arrays: Arrays, machine: Machine, folder: Path, unfused: bool, checked: bool
) -> Image | None:
    """The image; None where it is refused, by a name that the documentation has."""
    path = folder / "graph.mlir"
    path.write_text(graph.written(True))
    if arrays:
        save_file(arrays, path.with_suffix(".safetensors"))
    try:
        compile_model(
            path,
            machine=write_machine(machine, folder),
            output=folder / "graph.tw",
            unfused=unfused,
            check_each_pass=checked,
        )
    except TilewrightError as error:
        note(f"refused: {error}")
        refusal(refused_by_name(str(error)))
        return None
    return read_image(folder / "graph.tw")


def interpreted(graph: Graph, arrays: Arrays, given: Arrays, folder: Path) -> Arrays:
    """Outputs and state by the tensor interpreter, parameters as their formats round them."""
    path = folder / "plain.mlir"
    path.write_text(graph.written(False))
    (module,) = load_model(path).modules
    plain = {
        name: rounded(graph.formats[name], array) if name in graph.formats else array
        for name, array in arrays.items()
    }
    return run_graph(module, WeightStore.of_arrays(plain), given, graph.launch)


def emulated(image: Image, graph: Graph, given: Arrays, engine: str, order: str) -> Arrays:
    """Outputs and state by the emulator, in their shapes."""
    emulator = open_emulators(image, engine, order, True)["step"]
    for name, array in given.items():
        emulator.write(name, array)
    emulator.run(dict(graph.launch))
    found = {
        name: emulator.read(name, np.float32)[: given[name].size].reshape(given[name].shape)
        for name in graph.states
    }
    rows = image.entries["step"].parameter("rows").hi
    for name, _ in graph.outputs:
        found[name] = emulator.read(name, np.float32).reshape(rows, -1)
    return {name: array.copy() for name, array in found.items()}


def compared(graph: Graph, found: Arrays, want: Arrays, moved: Arrays) -> None:
    """All state, and the rows of outputs that the launch has."""
    rows = dict(graph.outputs)
    for name, values in want.items():
        size = len(values)
        if name in rows:
            size = int(np.sum(graph.launch[rows[name]]))
            assert rows[name] == PICKED or size == graph.launch["rows"]
        got, values, other = found[name][:size], values[:size], moved[name][:size]
        assert got.shape == values.shape, name
        if not values.size:
            continue
        assert np.isfinite(values).all(), f"{name}: the interpreter gives no number"
        spread = max(1.0, float(values.std()))
        limit = TOLERANCE * spread + AMPLIFIED * float(np.abs(values - other).max())
        error = float(np.abs(got - values).max())
        note(f"{name}: error {error:.2g}, allowed {limit:.2g}")
        assert error <= limit, f"{name}: error {error:.3g}, allowed {limit:.3g}"


def add_up(image: Image, graph: Graph) -> None:
    """The timing run ends, and every picosecond of every engine is charged to something."""
    timed = time_program(
        image.entries["step"], Machine.from_dict(image.machine), dict(graph.launch)
    )
    for name, charges in timed.engines.items():
        assert sum(charges.values()) == timed.picoseconds, name
