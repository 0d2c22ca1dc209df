"""The safetensors container: a JSON table of names, types, shapes and offsets, then the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from ...backend.formats import ELEMENTS
from ...backend.json_text import parse_json
from .checkpoint import CheckpointError, map_file

TYPES: Final = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
"""Types of weights and their names in `backend.formats`."""

_LARGEST_TABLE: Final = 100_000_000


@dataclass(frozen=True)
class SafeTensor:
    """One tensor's type as stored, shape, and byte range in the file."""

    type: str
    shape: tuple[int, ...]
    start: int
    stop: int


class SafetensorsFile:
    """A mapped safetensors file: `tensors` (name to place), `values(name)`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = map_file(path)
        self.tensors = self._table()

    def values(self, name: str) -> np.ndarray[Any, Any]:
        """The tensor in its own float type, as a view of the mapped file."""
        tensor = self.tensors[name]
        dtype = ELEMENTS[TYPES[tensor.type]]
        count = (tensor.stop - tensor.start) // dtype.itemsize
        return np.frombuffer(self._map, dtype, count, tensor.start).reshape(tensor.shape)

    def _table(self) -> dict[str, SafeTensor]:
        size = len(self._map)
        length = int.from_bytes(self._map[:8], "little")
        if size < 8 or length > min(size - 8, _LARGEST_TABLE):
            raise CheckpointError(
                f"{self.path}: truncated or not safetensors: {size} bytes with a table of {length}"
            )
        try:
            table = parse_json(self._map[8 : 8 + length])
        except ValueError as error:
            raise CheckpointError(f"{self.path}: its table is not JSON: {error}") from None
        if not isinstance(table, dict):
            raise CheckpointError(f"{self.path}: its table is not a JSON object")
        entries = cast(dict[str, object], table)
        entries.pop("__metadata__", None)
        found = {name: self._entry(name, entry, 8 + length) for name, entry in entries.items()}
        end = 8 + length
        for name, tensor in sorted(found.items(), key=lambda item: item[1].start):
            if tensor.start < end:
                raise CheckpointError(f"{self.path}: tensor {name!r} overlaps the one before it")
            end = tensor.stop
        return found

    def _entry(self, name: str, entry: object, base: int) -> SafeTensor:
        where = f"{self.path}: tensor {name!r}"
        fields = cast(dict[str, object], entry) if isinstance(entry, dict) else {}
        kind, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(kind, str) or not isinstance(shape, list):
            raise CheckpointError(f"{where} lacks a dtype or a shape")
        extents = cast(list[object], shape)
        start, stop = _range(offsets, where)
        counts = [extent for extent in extents if isinstance(extent, int) and extent > 0]
        if len(counts) != len(extents) or not counts:
            raise CheckpointError(f"{where} has shape {extents}, wanted positive extents")
        if not 0 <= start <= stop <= len(self._map) - base:
            raise CheckpointError(
                f"{where} lies at {start} to {stop} of {len(self._map) - base} bytes: truncated?"
            )
        if kind in TYPES:
            wanted = ELEMENTS[TYPES[kind]].itemsize
            for count in counts:
                wanted *= count
            if stop - start != wanted:
                raise CheckpointError(f"{where} has {stop - start} bytes, {wanted} wanted")
        return SafeTensor(kind, tuple(counts), base + start, base + stop)


def _range(offsets: object, where: str) -> tuple[int, int]:
    pair = cast(list[object], offsets) if isinstance(offsets, list) else []
    numbers = [number for number in pair if isinstance(number, int)]
    if len(pair) != 2 or len(numbers) != 2:
        raise CheckpointError(f"{where} has data_offsets {offsets!r}, wanted two integers")
    return numbers[0], numbers[1]
