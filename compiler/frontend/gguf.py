"""A GGUF file as a checkpoint: types of the formats table as they are, others as exact float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from ...backend.formats import FORMATS, Blocks, from_ggml_rows
from .checkpoint import TensorInfo, TokenizerMaterial, UnsupportedModel, tensor_named
from .gguf_file import GgufFile, GgufTensor
from .gguf_tokenizer import gguf_tokenizer

_NATIVE: Final = {row.ggml: row.name for row in FORMATS.values() if row.ggml}
_INTEGERS: Final = ("I8", "I16", "I32", "I64", "F64")


class GgufCheckpoint:
    """A GGUF file. CheckpointError at once if its tables are damaged; bytes are only mapped.
    `info` and `read` raise UnsupportedModel for a tensor of a type that cannot be used."""

    kind = "gguf"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = GgufFile(path)
        self.config: Mapping[str, object] = {
            name: value
            for name, value in self._file.keys.items()
            if not (name.startswith("tokenizer.") and isinstance(value, list))
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._file.tensors)

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def notices(self) -> tuple[str, ...]:
        """One for each type that is stored as another."""
        converted: dict[str, list[GgufTensor]] = {}
        for tensor in self._file.tensors.values():
            if tensor.type.name not in _NATIVE:
                converted.setdefault(tensor.type.name, []).append(tensor)
        return tuple(
            f"{len(tensors)} tensors of type {stored} are stored as float32: exact, "
            f"{sum(_values(t) * 4 for t in tensors) / sum(t.nbytes for t in tensors):.1f} times "
            "the bytes"
            for stored, tensors in converted.items()
        )

    def info(self, name: str) -> TensorInfo:
        return self._info(tensor_named(self.path, self._file.tensors, name))

    def read(self, name: str) -> Blocks:
        info, tensor = self.info(name), self._file.tensors[name]
        n, k = info.shape
        raw = self._file.data(tensor)
        if tensor.type.name in _NATIVE:
            return from_ggml_rows(info.format, raw, n, k)
        row_bytes = tensor.nbytes // n
        values = _dequantise(raw.reshape(n, row_bytes), tensor.type)
        return Blocks("f32", k, values.reshape(n, k))

    def tokenizer(self) -> TokenizerMaterial | None:
        return gguf_tokenizer(str(self.path), self._file.keys)

    def rope_factors(self) -> list[float] | None:
        """The values of `rope_freqs.weight`: divisors of the rope frequencies, or None."""
        if "rope_freqs.weight" not in self._file.tensors:
            return None
        values: Any = self.read("rope_freqs.weight").codes
        return [float(value) for value in values.reshape(-1)]

    def _info(self, tensor: GgufTensor) -> TensorInfo:
        stored = tensor.type.name
        if len(tensor.shape) > 2:
            raise UnsupportedModel(
                f"{self.path}: tensor {tensor.name!r} has {len(tensor.shape)} axes, wanted 1 or 2"
            )
        if stored in _INTEGERS:
            raise UnsupportedModel(
                f"{self.path}: tensor {tensor.name!r} has type {stored}, no type of a weight"
            )
        if stored not in _NATIVE and not _can_dequantise(tensor.type):
            raise UnsupportedModel(
                f"{self.path}: tensor {tensor.name!r} has type {stored}, which the gguf package "
                "cannot dequantise: requantise the file, for example to Q4_1 or Q8_0"
            )
        vector = len(tensor.shape) == 1
        if vector and stored not in ("F32", "F16", "BF16"):
            raise UnsupportedModel(
                f"{self.path}: vector {tensor.name!r} has type {stored}, wanted F32, F16 or BF16"
            )
        n, k = (*tensor.shape, 1)[:2]
        return TensorInfo(_NATIVE.get(stored, "f32"), (n, k), stored, vector)


def _values(tensor: GgufTensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64))


def _dequantise(rows: np.ndarray[Any, Any], kind: GGMLQuantizationType) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(dequantize(rows, kind), np.float32)


def _can_dequantise(kind: GGMLQuantizationType) -> bool:
    """Whether `gguf` knows the type, found out on one block of zeros."""
    try:
        dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
    except NotImplementedError:
        return False
    return True
