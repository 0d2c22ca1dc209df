"""Views: how an operand sees the bytes of its place (shape, strides, format), and their table.

A dense view has order "" and one stride an axis; its innermost stride is the element size, or 0
to broadcast. A packed view has rank 2 and the order of its bytes:

* `kn`, shape (K, N), strides (bytes of one K block, panel columns w): for each block along K
  scales[w], then minima[w] or zeros[w], then the codes of the block;
* `nk`, shape (N, K), strides (bytes of one row, bytes of one block): for each row and block
  scale, then minimum or zero, then the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import TilewrightError

Order = Literal["", "kn", "nk"]
ORDERS: tuple[Order, ...] = ("", "kn", "nk")

ELEMENT_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "i32": 4, "i8": 1, "u8": 1}
"""Element types of dense views and their bytes."""

VIEW_FORMATS = (
    *ELEMENT_BYTES,
    *("q8_0", "q4_0", "q4_1"),
    *("i4_g32", "i4_g64", "i4_g128", "i4z_g32", "i4z_g64", "i4z_g128"),
)
"""Every format a view may name; its index is the number in a view entry."""

VIEW_BYTES = 64
MAX_RANK = 5
STRIDE_BITS = 40
EXTENT_BITS = 32


class ViewError(TilewrightError):
    """A view that no 64-byte entry can say."""


@dataclass(frozen=True)
class View:
    """Shape, strides and format of an operand, relative to its place's first byte."""

    format: str
    shape: tuple[int, ...]
    """Extents, outermost first; rank 1 to 5 (1 to 3 for MXU and VPU)."""
    strides: tuple[int, ...]
    """Bytes, signed, below 2**39; for packed orders see the module text."""
    order: Order = ""
    offset: int = 0
    """Bytes from the place's first byte to the element at index 0."""

    def __post_init__(self) -> None:
        rank = len(self.shape)
        if self.format not in VIEW_FORMATS:
            raise ViewError(f"view format '{self.format}': known are {', '.join(VIEW_FORMATS)}")
        if self.order not in ORDERS:
            raise ViewError(f"view order '{self.order}': use kn, nk, or none for a dense view")
        if not 1 <= rank <= MAX_RANK or len(self.strides) != rank:
            raise ViewError(f"{self}: rank must be 1..{MAX_RANK} with one stride an axis")
        if not all(0 <= extent < 1 << EXTENT_BITS for extent in self.shape):
            raise ViewError(f"{self}: extents must be below 2**{EXTENT_BITS}")
        limit = 1 << (STRIDE_BITS - 1)
        if not all(-limit <= number < limit for number in (*self.strides, self.offset)):
            raise ViewError(f"{self}: strides and offset must fit {STRIDE_BITS} signed bits")
        if self.order:
            if rank != 2:
                raise ViewError(f"{self}: a packed view has rank 2, (K, N) or (N, K)")
        elif self.format not in ELEMENT_BYTES:
            raise ViewError(f"{self}: format {self.format} is packed; say its order, kn or nk")
        elif self.strides[-1] not in (0, ELEMENT_BYTES[self.format]):
            raise ViewError(
                f"{self}: the innermost stride is {self.strides[-1]}, "
                f"wanted {ELEMENT_BYTES[self.format]} (contiguous) or 0 (broadcast)"
            )

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """True for a dense view whose elements lie in order without gaps."""
        return not self.order and self.strides == contiguous_strides(self.format, self.shape)

    @property
    def span(self) -> tuple[int, int]:
        """Dense views: first byte and one past the last byte touched, before registers add.

        (0, 0) for a view without elements.
        """
        assert not self.order, "the span of a packed view depends on its format's block"
        if 0 in self.shape:
            return (0, 0)
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        first = self.offset + sum(min(step, 0) for step in steps)
        last = self.offset + sum(max(step, 0) for step in steps)
        return (first, last + ELEMENT_BYTES[self.format])

    def __str__(self) -> str:
        order = f" {self.order}" if self.order else ""
        shape = "x".join(map(str, self.shape))
        return f"<{shape} {self.format}{order}, {list(self.strides)}> at {self.offset}"


def contiguous_strides(format: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Byte strides of a dense row-major array of `shape`."""
    strides = [ELEMENT_BYTES[format]]
    for extent in reversed(shape[1:]):
        strides.append(strides[-1] * extent)
    return tuple(reversed(strides))


def dense_view(format: str, shape: Sequence[int], offset: int = 0) -> View:
    """A contiguous view of `shape`."""
    return View(format, tuple(shape), contiguous_strides(format, shape), "", offset)


def pack_views(views: Sequence[View]) -> npt.NDArray[np.uint8]:
    """The view table as bytes, uint8 [n, 64].

    Byte 0 format number, 1 order (0 dense, 1 kn, 2 nk), 2 rank, 4-8 offset (signed, little-endian),
    16-35 five extents of 4 bytes, 36-60 five strides of 5 bytes (signed), the rest zero.
    Unused axes are zero.
    """
    table = bytearray(len(views) * VIEW_BYTES)
    for number, view in enumerate(views):
        at = number * VIEW_BYTES
        table[at] = VIEW_FORMATS.index(view.format)
        table[at + 1] = ORDERS.index(view.order)
        table[at + 2] = view.rank
        table[at + 4 : at + 9] = view.offset.to_bytes(5, "little", signed=True)
        for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
            e, s = at + 16 + 4 * axis, at + 36 + 5 * axis
            table[e : e + 4] = extent.to_bytes(4, "little")
            table[s : s + 5] = stride.to_bytes(5, "little", signed=True)
    return np.frombuffer(bytes(table), dtype=np.uint8).reshape(-1, VIEW_BYTES)


def unpack_views(table: npt.NDArray[np.uint8]) -> tuple[View, ...]:
    """The inverse of `pack_views`; ViewError when an entry is not one that it writes."""
    if table.dtype != np.uint8 or table.ndim != 2 or table.shape[1] != VIEW_BYTES:
        raise ViewError(
            f"view table: wanted uint8 [n, {VIEW_BYTES}], found {table.dtype}{table.shape}"
        )
    views = tuple(_unpack(entry.tobytes(), number) for number, entry in enumerate(table))
    if pack_views(views).tobytes() != table.tobytes():
        raise ViewError("a view table entry has bytes set where zeros are wanted")
    return views


def _unpack(entry: bytes, number: int) -> View:
    if entry[0] >= len(VIEW_FORMATS) or entry[1] >= len(ORDERS) or entry[2] > MAX_RANK:
        raise ViewError(
            f"view {number}: format {entry[0]}, order {entry[1]}, rank {entry[2]} are not all known"
        )
    rank = range(entry[2])
    return View(
        VIEW_FORMATS[entry[0]],
        tuple(int.from_bytes(entry[16 + 4 * a : 20 + 4 * a], "little") for a in rank),
        tuple(int.from_bytes(entry[36 + 5 * a : 41 + 5 * a], "little", signed=True) for a in rank),
        ORDERS[entry[1]],
        int.from_bytes(entry[4:9], "little", signed=True),
    )
