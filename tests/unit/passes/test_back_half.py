"""Tiled programs through assign-engines .. encode on the emulator: the bits of the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.backend.formats import Packing, pack, quantise
from tilewright.backend.isa import Program
from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context
from tilewright.dialects.tg import GlobalOp
from tilewright.passes import PASSES
from tilewright.passes.encode import encode_module
from tilewright.passes.located import PassError
from tilewright.runtime.functional import Emulator, Memories

PROGRAMS = Path(__file__).parents[1] / "streams" / "programs"
BACK_HALF = (
    "assign-engines",
    "channels",
    "size-rings",
    "verify-streams",
    "allocate",
    "project",
    "select",
)
STORED = ("weight", "table")
Data = dict[str, NDArray[Any]]


def parse(name: str) -> ModuleOp:
    return Parser(context(), (PROGRAMS / f"{name}_tiled.mlir").read_text()).parse_module()


def lower(module: ModuleOp, machine: str) -> Program:
    for name in BACK_HALF:
        pass_type = PASSES[name]()
        options = {"machine": machine} if hasattr(pass_type, "machine") else {}
        pass_type(**options).apply(context(), module)
        module.verify()
    return encode_module(module, load_machine(machine))


def data_for(module: ModuleOp) -> Data:
    """Random inputs, weights and state."""
    random = np.random.default_rng(11)
    data: Data = {}
    for op in module.ops:
        if not isinstance(op, GlobalOp) or op.role.data == "output":
            continue
        if op.role.data == "weight":
            layers = op.shape[0] if len(op.shape) == 3 else 1
            k, n = op.shape[-2:]
            packing = Packing("q4_0", "kn", n, k, 32)
            values = random.standard_normal((layers, n, k)).astype(np.float32) * 0.2
            data[op.global_name] = np.concatenate(
                [pack(packing, quantise("q4_0", v)) for v in values]
            )
        else:
            data[op.global_name] = random.standard_normal(op.shape).astype(np.float32) * 0.4
    return data


def emulate(
    program: Program, machine: Machine, data: Data, parameters: dict[str, int], order: str
) -> Emulator:
    stored = [region for region in program.regions if region.role in STORED]
    weights = np.zeros(max([0, *(r.base + r.nbytes for r in stored)]), np.uint8)
    for region in stored:
        raw = data[region.name].reshape(-1).view(np.uint8)
        weights[region.base : region.base + region.nbytes] = raw
    memories = Memories(machine, [program], weights)
    emulator = Emulator(program, machine, memories, engine="reference", order=order)
    for name, values in data.items():
        if program.region(name).role not in STORED:
            emulator.write(name, values)
    emulator.run(parameters)
    return emulator


def check(
    name: str, parameters: dict[str, int], machine: str, order: str = "sequential"
) -> Program:
    module = parse(name)
    data = data_for(module)
    want = run_tile(module, data, parameters)
    program = lower(module, machine)
    emulator = emulate(program, load_machine(machine), data, parameters, order)
    rows = parameters.get("steps", parameters.get("m", 0))
    for region, values in want.items():
        got = emulator.read(region, values.dtype).reshape(values.shape)
        if region == "y":
            got, values = got[:rows], values[:rows]
        np.testing.assert_array_equal(got, values)
    return program


@pytest.mark.parametrize("order", ["sequential", "loads-earliest", "stores-latest", "random:3"])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("a", {"m": 3}),
        ("b", {"ctx": 0, "steps": 2}),
        ("b", {"ctx": 17, "steps": 3}),
        ("c", {"ctx": 9, "steps": 2}),
    ],
)
def test_programs_have_the_bits_of_the_interpreter(
    name: str, parameters: dict[str, int], order: str
) -> None:
    check(name, parameters, "tw-small", order)


def test_four_load_queues_give_the_same_bits() -> None:
    program = check("c", {"ctx": 9, "steps": 1}, "tw-1", "random:1")
    assert list(program.engines) == ["ld", "ld1", "ld2", "ld3", "st", "mxu", "vpu"]


def machine_with(registers: int, folder: Path) -> str:
    """A description of tw-small with fewer registers."""
    values = load_machine("tw-small").to_dict() | {"registers": registers, "name": "few"}
    path = folder / "few.toml"
    path.write_text("".join(f"{k} = {v!r}\n".replace("'", '"') for k, v in values.items()))
    return str(path)


@pytest.mark.parametrize("registers", [8, 4])
def test_values_are_computed_again_where_registers_are_few(registers: int, tmp_path: Path) -> None:
    check("c", {"ctx": 9, "steps": 1}, machine_with(registers, tmp_path))


def test_too_few_registers_name_engine_and_op(tmp_path: Path) -> None:
    with pytest.raises(PassError, match=r"tile\.matmul: mxu needs more than its 3 registers here"):
        lower(parse("c"), machine_with(3, tmp_path))


def test_compiling_twice_gives_the_same_words() -> None:
    first, second = lower(parse("c"), "tw-small"), lower(parse("c"), "tw-small")
    assert first.tables() == second.tables()
    assert first.views == second.views
    for engine, words in first.engines.items():
        np.testing.assert_array_equal(words, second.engines[engine])


def test_every_instruction_has_a_location_and_halts() -> None:
    program = lower(parse("b"), "tw-small")
    for engine, words in program.engines.items():
        assert len(program.locations[engine]) == len(words)
