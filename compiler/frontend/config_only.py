"""A config alone: shapes without bytes. Such a model compiles and can be timed, not run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from .architectures import WEIGHTS
from .checkpoint import CheckpointError, TensorInfo, TokenizerMaterial, tensor_named
from .huggingface import read_json
from .huggingface_tokenizer import huggingface_tokenizer
from .read_config import read_huggingface


class ConfigOnlyCheckpoint:
    """A `config.json` without weights. All tensors are announced in `format` (default bf16)."""

    kind = "config"
    files: tuple[Path, ...] = ()
    notices = ("there are no weights: the program can be timed, not run",)

    def __init__(self, path: Path, format: str = "bf16") -> None:
        self.path = path
        self.config: Mapping[str, object] = read_json(path)
        config = read_huggingface(str(path), self.config)
        self._infos: dict[str, TensorInfo] = {}
        for weight in WEIGHTS:
            if not config.has(weight.feature) or (weight.symbol == "output" and config.tied):
                continue
            vector = weight.columns is None
            shape = (config.size(weight.rows), config.size(weight.columns) if weight.columns else 1)
            info = TensorInfo("f32" if vector else format, shape, "absent", vector)
            for layer in range(config.layers if weight.layered else 1):
                self._infos[weight.huggingface.format(l=layer)] = info

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._infos)

    def info(self, name: str) -> TensorInfo:
        return tensor_named(self.path, self._infos, name)

    def read(self, name: str) -> NoReturn:
        raise CheckpointError(
            f"{self.path}: is a config without weights: {name!r} has a shape and no bytes"
        )

    def tokenizer(self) -> TokenizerMaterial | None:
        """The `tokenizer.json` beside the config, if there is one."""
        return huggingface_tokenizer(self.path.parent, self.config)
