"""Operands of the reference engine: from a field of a word to bytes, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.formats import FORMATS
from ...backend.isa import ELEMENT_BYTES, View
from ...backend.numerics import Operand as MatrixOperand
from ...backend.numerics import widen
from .layout import is_packed
from .memories import Bytes, Memory

RAW_TYPES: dict[str, type[Any]] = {
    "f32": np.float32, "bf16": np.uint16, "f16": np.uint16, "i32": np.int32, "i8": np.int8,
    "u8": np.uint8,
}  # fmt: skip
"""How numpy holds the stored bits of an element."""

Span = tuple[int, int]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Access:
    """A view of a place, clipped to the extents of one instruction."""

    memory: Memory | None
    """None: read-only bytes, always initialised."""
    data: Bytes
    """All bytes of the memory that holds the place."""
    place: Span
    """First byte and end of the slot or region in `data`."""
    view: View
    shape: tuple[int, ...]
    """Extents after clipping."""
    shift: int
    """Value of the offset register."""

    @property
    def offset(self) -> int:
        """Byte of index 0, counted from the place's first byte."""
        return self.view.offset + self.shift

    @property
    def item(self) -> int:
        """Bytes of an element; packed data stands anywhere."""
        return 1 if is_packed(self.view.format) else ELEMENT_BYTES[self.view.format]

    def runs(self) -> list[Span]:
        """Runs of bytes that are touched, [first, end) from the place's first byte."""
        if 0 in self.shape:
            return []
        if self.view.order == "kn":
            return self._panel_runs()
        if self.view.order == "nk":
            return self._row_runs()
        last = self.item if self.view.strides[-1] == 0 else self.shape[-1] * self.item
        starts = np.zeros(1, np.int64)
        for extent, stride in zip(self.shape[:-1], self.view.strides[:-1], strict=True):
            starts = (starts[:, None] + np.arange(extent, dtype=np.int64) * stride).reshape(-1)
        return [(self.offset + int(s), self.offset + int(s) + last) for s in np.unique(starts)]

    def _panel_runs(self) -> list[Span]:
        (k, n), (step, width) = self.shape, self.view.strides
        if not is_packed(self.view.format):
            return [(self.offset + i * step, self.offset + i * step + n * self.item)
                    for i in range(k)]  # fmt: skip
        spec = FORMATS[self.view.format]
        size = spec.block_bytes * width
        return [(self.offset + i * step, self.offset + i * step + size)
                for i in range(-(-k // spec.block))]  # fmt: skip

    def _row_runs(self) -> list[Span]:
        (n, k), (row, step) = self.shape, self.view.strides
        if not is_packed(self.view.format):
            return [(self.offset + i * row, self.offset + i * row + k * self.item)
                    for i in range(n)]  # fmt: skip
        spec = FORMATS[self.view.format]
        blocks = -(-k // spec.block)
        return [(self.offset + i * row + j * step, self.offset + i * row + j * step
                 + spec.block_bytes) for i in range(n) for j in range(blocks)]  # fmt: skip

    def elements(self) -> Array:
        """The stored elements of a plain view as a writable strided array."""
        dtype = np.dtype(RAW_TYPES[self.view.format])
        if 0 in self.shape:
            return np.zeros(self.shape, dtype)
        strides = self.view.strides
        if self.view.order:
            strides = (strides[0], self.item)
        runs = self.runs()
        first = min(start for start, _ in runs)
        end = max(stop for _, stop in runs)
        window = self.data[self.place[0] + first : self.place[0] + end]
        start = self.offset - first
        return np.ndarray(self.shape, dtype, window.data, start, strides)

    def floats(self) -> npt.NDArray[np.float32]:
        """The elements as float32; packed ones dequantised."""
        if not is_packed(self.view.format):
            return widen(np.ascontiguousarray(self.elements()), self.view.format)
        b = self.matrix()
        with np.errstate(all="ignore"):
            assert b.scales is not None
            value = b.codes * np.repeat(b.scales, b.block, axis=0)
            if b.minima is not None:
                value = value + np.repeat(b.minima, b.block, axis=0)
        k, n = self.shape if self.view.order == "kn" else self.shape[::-1]
        value = value[:k, :n]
        return value if self.view.order == "kn" else value.T

    def matrix(self, transposed: bool = False) -> MatrixOperand:
        """The right operand of a product, K by N (K up to whole blocks)."""
        if not is_packed(self.view.format):
            turn = transposed or self.view.order == "nk"
            if self.view.format == "i8":
                raw = self.elements()
                return MatrixOperand(raw.T if turn else raw)
            value = self.floats()
            return MatrixOperand(value.T if turn else value)
        spec = FORMATS[self.view.format]
        packed = self._headers_and_codes()
        codes = packed[-1].astype(np.float32)
        if spec.code_bits == 8:
            codes = packed[-1].view(np.int8).astype(np.float32)
        codes = codes - np.float32(spec.zero_point)
        scales, other = packed[0].view(np.float16).astype(np.float32), packed[1]
        minima = other.view(np.float16).astype(np.float32) if spec.minimum else None
        if spec.zero:
            codes = codes - np.repeat(other, spec.block, axis=0).astype(np.float32)
        return MatrixOperand(codes, spec.block, scales, minima)

    def _headers_and_codes(self) -> tuple[Array, Array, Array]:
        """Scales and minima or zeros [blocks, N] as stored, codes [K, N] one a byte."""
        spec = FORMATS[self.view.format]
        kn = self.view.order == "kn"
        k, n = self.shape if kn else self.shape[::-1]
        blocks, extra = -(-k // spec.block), spec.block_header_bytes - 2
        scales = np.zeros((blocks, n), np.uint16)
        other = np.zeros((blocks, n), np.uint16 if extra == 2 else np.uint8)
        stored = np.zeros((blocks, spec.block_code_bytes, n), np.uint8)
        width = self.view.strides[1] if kn else 1
        runs = iter(self.runs())
        for column in range(1) if kn else range(n):
            columns = slice(0, n) if kn else slice(column, column + 1)
            for i in range(blocks):
                start, end = next(runs)
                raw = self.data[self.place[0] + start : self.place[0] + end]
                part = raw[: 2 * width].copy().view(np.uint16)
                scales[i, columns] = part[: columns.stop - columns.start]
                at = 2 * width + extra * width
                if extra:
                    part = raw[2 * width : at].copy().view(other.dtype)
                    other[i, columns] = part[: columns.stop - columns.start]
                part = raw[at:].reshape(spec.block_code_bytes, width)
                stored[i, :, columns] = part[:, : columns.stop - columns.start]
        if spec.code_bits == 4:
            stored = np.stack([stored & 15, stored >> 4], axis=2)
        return scales, other, stored.reshape(blocks * spec.block, n)
