"""samples/configs: as many parameters as the published models have, and programs for all."""

import math
from pathlib import Path

import pytest

from tilewright.backend.machine import load_machine, machine_names
from tilewright.compiler.driver import compile_entry, entry_shapes
from tilewright.compiler.frontend import Model, load_model

CONFIGS = Path(__file__).parents[3] / "samples" / "configs"

PARAMETERS = {
    "llama-2-7b": 6_738_415_616,
    "llama-2-7b-32k": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "qwen3-0.6b": 596_049_920,
    "qwen3-1.7b": 1_720_574_976,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "qwen3-14b": 14_768_307_200,
    "qwen3-32b": 32_762_123_264,
    "smollm2-135m": 134_515_008,
    "smollm2-360m": 361_821_120,
    "smollm2-1.7b": 1_711_376_384,
}
"""Model -> its published number of parameters, a tied head counted once."""


def opened(name: str) -> Model:
    return load_model(CONFIGS / name / "config.json")


def test_every_config_is_in_the_table() -> None:
    assert {path.parent.name for path in CONFIGS.glob("*/config.json")} == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_config_has_the_published_parameters(name: str) -> None:
    checkpoint = opened(name).checkpoint
    found = sum(math.prod(checkpoint.info(tensor).shape) for tensor in checkpoint.names)
    assert found == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_config_becomes_programs(name: str) -> None:
    model = opened(name)
    for shape in entry_shapes(model, batch=1, chunk=None, max_context=None):
        compiled = compile_entry(model.build(shape, "bf16"), "tw-1")
        assert all(compiled.report.instructions.values())


@pytest.mark.parametrize("machine", [m for m in machine_names() if load_machine(m).has_hbm])
def test_every_machine_with_main_memory_has_programs(machine: str) -> None:
    model = opened("smollm2-135m")
    for shape in entry_shapes(model, batch=1, chunk=None, max_context=1024):
        compiled = compile_entry(model.build(shape, "bf16"), machine)
        assert all(compiled.report.instructions.values())
