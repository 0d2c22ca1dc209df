"""The GGUF container, read with distrust: every count, offset and size is checked before use.

Layout (versions 2 and 3, little-endian): magic, version, number of tensors, number of keys; the
keys; the tensors' names, extents, types and offsets; padding; the tensors' bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from .checkpoint import CheckpointError, map_file

_SCALARS: Final = {
    GGUFValueType.UINT8: "<B",
    GGUFValueType.INT8: "<b",
    GGUFValueType.UINT16: "<H",
    GGUFValueType.INT16: "<h",
    GGUFValueType.UINT32: "<I",
    GGUFValueType.INT32: "<i",
    GGUFValueType.FLOAT32: "<f",
    GGUFValueType.BOOL: "<?",
    GGUFValueType.UINT64: "<Q",
    GGUFValueType.INT64: "<q",
    GGUFValueType.FLOAT64: "<d",
}
_SMALLEST_KEY: Final = 8 + 4 + 1
_SMALLEST_TENSOR: Final = 8 + 4 + 8 + 4 + 8


@dataclass(frozen=True)
class GgufTensor:
    """One tensor's place: extents outermost first, type, absolute byte offset and byte count."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    nbytes: int


class GgufFile:
    """A mapped GGUF file: `keys` (name to value), `tensors` (name to place), `data(tensor)`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = map_file(path)
        self._position = 0
        tensors, keys = self._header()
        self.keys = self._keys(keys)
        self.tensors = self._tensors(tensors)

    def data(self, tensor: GgufTensor) -> np.ndarray:
        """The tensor's bytes, uint8, as a view of the mapped file."""
        return np.frombuffer(self._map, np.uint8, tensor.nbytes, tensor.offset)

    def _fail(self, message: str) -> CheckpointError:
        return CheckpointError(f"{self.path}: {message}")

    def _take(self, size: int, what: str) -> bytes:
        left = len(self._map) - self._position
        if size > left:
            raise self._fail(
                f"truncated: {what} at byte {self._position} needs {size} bytes, {left} are left"
            )
        start, self._position = self._position, self._position + size
        return self._map[start : self._position]

    def _number(self, code: str, what: str) -> int:
        (value,) = struct.unpack(code, self._take(struct.calcsize(code), what))
        return value

    def _text(self, what: str) -> str:
        start = self._position
        data = self._take(self._number("<Q", f"the length of {what}"), what)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise self._fail(f"{what} at byte {start} is not UTF-8") from None

    def _header(self) -> tuple[int, int]:
        magic = self._take(4, "the magic")
        if magic != b"GGUF":
            raise self._fail(f"not a GGUF file: it starts with {magic!r}, wanted b'GGUF'")
        version = self._number("<I", "the version")
        if version not in (2, 3):
            order = " (a big-endian file?)" if version & 0xFFFF == 0 else ""
            raise self._fail(f"GGUF version {version}{order}; versions 2 and 3 are read")
        tensors = self._number("<Q", "the number of tensors")
        keys = self._number("<Q", "the number of keys")
        room = len(self._map) - self._position
        if tensors * _SMALLEST_TENSOR + keys * _SMALLEST_KEY > room:
            raise self._fail(
                f"{tensors} tensors and {keys} keys are announced, too many for {room} bytes"
            )
        return tensors, keys

    def _keys(self, count: int) -> dict[str, object]:
        keys: dict[str, object] = {}
        for number in range(count):
            name = self._text(f"the name of key {number}")
            if name in keys:
                raise self._fail(f"key {name!r} stands twice")
            keys[name] = self._value(self._kind(name), name)
        return keys

    def _kind(self, name: str) -> GGUFValueType:
        number = self._number("<I", f"the type of key {name!r}")
        if number not in {int(kind) for kind in GGUFValueType}:
            raise self._fail(f"key {name!r} has value type {number}, which GGUF does not define")
        return GGUFValueType(number)

    def _value(self, kind: GGUFValueType, name: str) -> object:
        what = f"the value of key {name!r}"
        if kind == GGUFValueType.STRING:
            return self._text(what)
        if kind != GGUFValueType.ARRAY:
            return self._number(_SCALARS[kind], what)
        item = self._kind(name)
        count = self._number("<Q", what)
        if item == GGUFValueType.ARRAY:
            raise self._fail(f"key {name!r} is an array of arrays, which no model key needs")
        if item == GGUFValueType.STRING:
            if count * 8 > len(self._map) - self._position:
                raise self._fail(
                    f"key {name!r} announces {count} strings, more than the file holds"
                )
            return [self._text(what) for _ in range(count)]
        size = struct.calcsize(_SCALARS[item])
        data = self._take(count * size, what)
        return [value for (value,) in struct.iter_unpack(_SCALARS[item], data)]

    def _tensors(self, count: int) -> dict[str, GgufTensor]:
        entries = [self._tensor(number) for number in range(count)]
        alignment = self.keys.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
            raise self._fail(f"general.alignment is {alignment!r}, wanted a power of two from 8")
        start = -(-self._position // alignment) * alignment
        tensors: dict[str, GgufTensor] = {}
        end, before = start, "the header"
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset % alignment:
                raise self._fail(
                    f"tensor {entry.name!r} at offset {entry.offset}, not a multiple of {alignment}"
                )
            offset = start + entry.offset
            if offset < end:
                raise self._fail(f"tensor {entry.name!r} at byte {offset} overlaps {before}")
            end, before = offset + entry.nbytes, repr(entry.name)
            if end > len(self._map):
                raise self._fail(
                    f"truncated: tensor {entry.name!r} ends at byte {end}, the file at "
                    f"{len(self._map)}"
                )
            tensors[entry.name] = GgufTensor(
                entry.name, entry.shape, entry.type, offset, entry.nbytes
            )
        if len(tensors) != len(entries):
            raise self._fail("a tensor name stands twice")
        return {entry.name: tensors[entry.name] for entry in entries}

    def _tensor(self, number: int) -> GgufTensor:
        name = self._text(f"the name of tensor {number}")
        rank = self._number("<I", f"the rank of tensor {name!r}")
        if not 1 <= rank <= 4:
            raise self._fail(f"tensor {name!r} has rank {rank}, wanted 1 to 4")
        extents = [self._number("<Q", f"the extents of tensor {name!r}") for _ in range(rank)]
        code = self._number("<I", f"the type of tensor {name!r}")
        offset = self._number("<Q", f"the offset of tensor {name!r}")
        if code not in {int(kind) for kind in GGML_QUANT_SIZES}:
            raise self._fail(f"tensor {name!r} has type number {code}, which is unknown")
        kind = GGMLQuantizationType(code)
        block, size = GGML_QUANT_SIZES[kind]
        if 0 in extents or extents[0] % block:
            raise self._fail(
                f"tensor {name!r} has extents {extents}; {kind.name} wants the first a positive "
                f"multiple of {block}"
            )
        values = 1
        for extent in extents:
            values *= extent
        return GgufTensor(name, tuple(reversed(extents)), kind, offset, values // block * size)
