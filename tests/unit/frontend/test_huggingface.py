"""Safetensors and directories: what is read, and what each kind of damage is called."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.backend.formats import dequantise
from tilewright.compiler.frontend.checkpoint import CheckpointError, UnsupportedModel
from tilewright.compiler.frontend.config_only import ConfigOnlyCheckpoint
from tilewright.compiler.frontend.huggingface import HuggingFaceCheckpoint
from tilewright.compiler.frontend.safetensors_file import SafetensorsFile

save_file: Any = importlib.import_module("safetensors.numpy").save_file


def raw(path: Path, table: object, data: bytes = bytes(16)) -> Path:
    """A safetensors file of a table, as it stands, and bytes."""
    head = table if isinstance(table, bytes) else json.dumps(table).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)
    return path


def entry(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}


DAMAGES: dict[str, tuple[Any, str]] = {
    "not JSON": (b"{", "its table is not JSON: "),
    "a list": ([1], "its table is not a JSON object"),
    "no dtype": (entry(dtype=None), "tensor 'w' lacks a dtype or a shape"),
    "offsets": (
        entry(data_offsets=[0]),
        "tensor 'w' has data_offsets [0], wanted two integers",
    ),
    "past the end": (
        entry(data_offsets=[0, 99]),
        "tensor 'w' lies at 0 to 99 of 16 bytes: truncated?",
    ),
    "backwards": (
        entry(data_offsets=[16, 0]),
        "tensor 'w' lies at 16 to 0 of 16 bytes: truncated?",
    ),
    "shape": (entry(shape=[2, -2]), "tensor 'w' has shape [2, -2], wanted positive extents"),
    "bytes": (entry(shape=[2, 3]), "tensor 'w' has 16 bytes, 24 wanted"),
    "overlap": (
        {**entry(), "v": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}},
        "tensor 'v' overlaps the one before it",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_tables(name: str, tmp_path: Path) -> None:
    table, message = DAMAGES[name]
    path = raw(tmp_path / "m.safetensors", table)
    with pytest.raises(CheckpointError) as error:
        SafetensorsFile(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_any_cut_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    data = raw(path, entry()).read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError) as error:
            SafetensorsFile(path)
        assert "\n" not in str(error.value)


def folder(path: Path, config: object = None, **arrays: np.ndarray[Any, Any]) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({} if config is None else config))
    if arrays:
        save_file(arrays, path / "model.safetensors")
    return path


def test_rows_come_as_they_are(tmp_path: Path) -> None:
    w = np.arange(6, dtype=np.float16).reshape(2, 3)
    checkpoint = HuggingFaceCheckpoint(folder(tmp_path / "m", w=w, v=np.ones(4, np.float32)))
    assert checkpoint.names == ("v", "w")
    assert checkpoint.info("w").shape == (2, 3)
    assert checkpoint.info("v").shape == (4, 1)
    assert checkpoint.info("v").vector
    assert checkpoint.read("w").format == "f16"
    assert np.array_equal(dequantise(checkpoint.read("w")), w)
    with pytest.raises(CheckpointError, match="there is no tensor 'x'"):
        checkpoint.read("x")


def test_types_and_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="tensor 'w' has type I32, wanted F32, F16, BF16"):
        HuggingFaceCheckpoint(folder(tmp_path / "m", w=np.ones((2, 2), np.int32)))
    with pytest.raises(UnsupportedModel, match="tensor 'w' has 3 axes, wanted 1 or 2"):
        HuggingFaceCheckpoint(folder(tmp_path / "n", w=np.ones((2, 2, 2), np.float32)))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    (path / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(CheckpointError) as error:
        HuggingFaceCheckpoint(path)
    assert str(error.value) == (
        f"{path}: has neither model.safetensors nor model.safetensors.index.json; "
        "pytorch_model.bin is a pickle, which is never loaded: convert it"
    )


INDEXES: dict[str, tuple[object, str]] = {
    "no map": ({}, "has no weight_map"),
    "elsewhere": (
        {"w": "../a.safetensors"},
        "tensor 'w' lies in '../a.safetensors', not a file beside it",
    ),
    "an absolute path": (
        {"w": "/dev/zero"},
        "tensor 'w' lies in '/dev/zero', not a file beside it",
    ),
    "below": (
        {"w": "b/a.safetensors"},
        "tensor 'w' lies in 'b/a.safetensors', not a file beside it",
    ),
    "a name too long": (
        {"w": "<" * 3000},
        f"tensor 'w' lies in '{'<' * 98}, not a file beside it",
    ),
    "missing tensor": (
        {"w": "a.safetensors", "x": "a.safetensors"},
        "tensor 'x' is not in a.safetensors",
    ),
    "missing entry": ({"w": "a.safetensors"}, "lacks tensor 'v' of a.safetensors"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_wrong_indexes(name: str, tmp_path: Path) -> None:
    table, message = INDEXES[name]
    path = folder(tmp_path / "m")
    ones = np.ones((2, 2), np.float32)
    save_file({"w": ones, "v": ones}, path / "a.safetensors")
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": table} if table else table))
    with pytest.raises(CheckpointError) as error:
        HuggingFaceCheckpoint(path)
    assert str(error.value) == f"{index}: {message}"


def test_a_config_alone_has_shapes_and_no_bytes() -> None:
    path = Path(__file__).parents[3] / "samples" / "configs" / "llama-3-70b" / "config.json"
    checkpoint = ConfigOnlyCheckpoint(path)
    assert len(checkpoint.names) == 80 * 9 + 3
    info = checkpoint.info("model.layers.79.mlp.down_proj.weight")
    assert (info.format, info.shape) == ("bf16", (8192, 28672))
    with pytest.raises(CheckpointError) as error:
        checkpoint.read("lm_head.weight")
    assert str(error.value) == (
        f"{path}: is a config without weights: 'lm_head.weight' has a shape and no bytes"
    )
