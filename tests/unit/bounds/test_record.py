"""The model of an image: bounds from it are those of the config."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tilewright.backend.bounds import (
    BoundError,
    ModelRecord,
    Sizes,
    bound_of,
    decode_step,
    uniform_formats,
)
from tilewright.backend.machine import load_machine
from tilewright.compiler.frontend import load_model

CONFIGS = Path(__file__).parents[3] / "samples" / "configs"
FORMATS = uniform_formats("i4_g128")


@pytest.mark.parametrize("name", ["llama-2-7b", "qwen3-0.6b", "smollm2-135m"])
def test_bounds_are_those_of_the_config(name: str) -> None:
    config = load_model(CONFIGS / name / "config.json").config
    assert config is not None
    record = ModelRecord(Sizes.of(config), FORMATS)
    again = ModelRecord.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again == record
    step, machine = decode_step([7, 80]), load_machine("tpu-v5e")
    assert bound_of(again.sizes, step, machine, "bf16", again.formats) == bound_of(
        config, step, machine, "bf16", FORMATS
    )


def changed(part: str, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[part][key] = value

    return change


def without(part: str) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        del values[part]

    return change


def replaced(part: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[part] = value

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed("sizes", "layers", 0), "layers is 0, wanted a whole number from 1"),
        (changed("sizes", "width", True), "width is True, wanted a whole number from 1"),
        (changed("sizes", "vocab", 1 << 32), "vocab is 4294967296, wanted a whole number"),
        (changed("sizes", "qk_norm", 1), "qk_norm is 1, wanted true or false"),
        (changed("sizes", "depth", 1), "sizes is .*, wanted the keys layers, width"),
        (
            changed("formats", "attn_q", ["i8"]),
            r"the format of attn_q is \['i8'\], wanted a format",
        ),
        (
            changed("formats", "output", "q9"),
            "the format of output is 'q9', wanted a format's name",
        ),
        (replaced("sizes", []), r"sizes is \[\], wanted an object"),
        (without("formats"), "formats is None, wanted an object"),
    ],
)
def test_a_damaged_record_names_the_key(
    damage: Callable[[dict[str, Any]], None], message: str
) -> None:
    config = load_model(CONFIGS / "llama-2-7b" / "config.json").config
    assert config is not None
    values = json.loads(json.dumps(ModelRecord(Sizes.of(config), FORMATS).to_dict()))
    damage(values)
    with pytest.raises(BoundError, match=f"model record: {message}"):
        ModelRecord.from_dict(values)
