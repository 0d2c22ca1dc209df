"""A Hugging Face directory as a checkpoint: config.json, safetensors (or shards), tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import cast

from ...backend.formats import Blocks
from ...backend.json_text import parse_json
from .checkpoint import (
    CheckpointError,
    TensorInfo,
    TokenizerMaterial,
    UnsupportedModel,
    tensor_named,
)
from .huggingface_tokenizer import huggingface_tokenizer
from .model_files import file_in
from .safetensors_file import TYPES, SafetensorsFile

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_LONGEST_NAME = 255
"""Characters of a file's name that file systems allow."""


class HuggingFaceCheckpoint:
    """A directory. CheckpointError at once if tables are damaged; bytes are mapped, not read."""

    kind = "huggingface"
    notices: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config: Mapping[str, object] = read_json(file_in(path, "config.json"))
        self._homes = self._open()
        self._infos = {name: self._info(name) for name in self._homes}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._infos)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted({file.path for file in self._homes.values()}))

    def info(self, name: str) -> TensorInfo:
        return tensor_named(self.path, self._infos, name)

    def read(self, name: str) -> Blocks:
        info = self.info(name)
        values = self._homes[name].values(name)
        return Blocks(info.format, info.shape[1], values.reshape(info.shape))

    def tokenizer(self) -> TokenizerMaterial | None:
        return self._tokenizer

    @cached_property
    def _tokenizer(self) -> TokenizerMaterial | None:
        return huggingface_tokenizer(self.path, self.config)

    def _open(self) -> dict[str, SafetensorsFile]:
        single, index = file_in(self.path, _SINGLE), file_in(self.path, _INDEX)
        if single.exists():
            file = SafetensorsFile(single)
            return dict.fromkeys(file.tensors, file)
        if not index.exists():
            others = sorted(
                p.name for p in self.path.iterdir() if p.suffix in (".bin", ".pt", ".pth")
            )
            hint = f"; {others[0]} is a pickle, which is never loaded: convert it" if others else ""
            raise CheckpointError(f"{self.path}: has neither {_SINGLE} nor {_INDEX}{hint}")
        table = read_json(index).get("weight_map")
        if not isinstance(table, dict):
            raise CheckpointError(f"{index}: has no weight_map")
        homes: dict[str, SafetensorsFile] = {}
        files: dict[str, SafetensorsFile] = {}
        for name, home in cast(dict[str, object], table).items():
            if not isinstance(home, str) or Path(home).name != home or len(home) > _LONGEST_NAME:
                raise CheckpointError(
                    f"{index}: tensor {name!r} lies in {repr(home)[:99]}, not a file beside it"
                )
            if home not in files:
                files[home] = SafetensorsFile(file_in(self.path, home))
            if name not in files[home].tensors:
                raise CheckpointError(f"{index}: tensor {name!r} is not in {home}")
            homes[name] = files[home]
        for home, file in files.items():
            for name in file.tensors:
                if name not in homes:
                    raise CheckpointError(f"{index}: lacks tensor {name!r} of {home}")
        return homes

    def _info(self, name: str) -> TensorInfo:
        tensor = self._homes[name].tensors[name]
        if tensor.type not in TYPES:
            raise UnsupportedModel(
                f"{self.path}: tensor {name!r} has type {tensor.type}, wanted {', '.join(TYPES)}"
            )
        if len(tensor.shape) > 2:
            raise UnsupportedModel(
                f"{self.path}: tensor {name!r} has {len(tensor.shape)} axes, wanted 1 or 2"
            )
        n, k = (*tensor.shape, 1)[:2]
        return TensorInfo(TYPES[tensor.type], (n, k), tensor.type, len(tensor.shape) == 1)


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file; CheckpointError in one line otherwise."""
    try:
        value = parse_json(path.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is not a JSON object")
    return cast(dict[str, object], value)
