"""Blocks to bytes in one of two orders.

`kn` (panels, for matrix products): [panel][K block][scales w, minima or zeros w, codes of w
columns]. Codes of a block: 4-bit, block/2 rows of w bytes, byte j of a column holding k = 2j low
and k = 2j + 1 high; 8-bit, block rows of w bytes; dense, one row of w elements.

`nk` (rows, for gathers): [row][K block][scale, minimum or zero, codes of the block].

A panel is `panel` columns wide; the last one is as wide as its columns rounded up to 16. Bytes of
padding columns are zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .blocks import Blocks
from .table import ELEMENTS, Array, Format, FormatError, find_format

COLUMN_STEP = 16
"""The last panel is a multiple of this many columns wide."""


@dataclass(frozen=True)
class Packing:
    """How N rows of K values lie in memory."""

    format: str
    order: str
    """`kn` or `nk`."""
    n: int
    k: int
    panel: int = 0
    """Columns of a panel (`kn`): a positive multiple of 16; 0 for `nk`."""

    def __post_init__(self) -> None:
        find_format(self.format)
        where = f"packing {self.n}x{self.k} {self.format}"
        if self.order not in ("kn", "nk"):
            raise FormatError(f"{where}: order: found {self.order!r}, wanted 'kn' or 'nk'")
        if self.n < 1 or self.k < 1:
            raise FormatError(f"{where}: found no values, wanted N and K of at least 1")
        if self.order == "nk" and self.panel:
            raise FormatError(f"{where}: panel: found {self.panel}, wanted 0 for order nk")
        if self.order == "kn" and (self.panel < COLUMN_STEP or self.panel % COLUMN_STEP):
            raise FormatError(
                f"{where}: panel: found {self.panel}, wanted a positive multiple of {COLUMN_STEP}"
            )

    @property
    def spec(self) -> Format:
        """The format's row of the table."""
        return find_format(self.format)

    @property
    def blocks(self) -> int:
        """Blocks along K, the partial last one included."""
        return -(-self.k // self.spec.block)

    @property
    def panels(self) -> int:
        """Panels along N; for `nk` there are none and this is 1."""
        return -(-self.n // self.panel) if self.panel else 1

    @property
    def padded_n(self) -> int:
        """Stored columns (`kn`) or rows (`nk`)."""
        if not self.panel:
            return self.n
        last = self.panels - 1
        return last * self.panel + self.panel_stride_columns(last)

    def panel_columns(self, p: int) -> int:
        """Columns of panel `p` that stand for rows of the matrix."""
        self._check_panel(p)
        return min(self.panel, self.n - p * self.panel) if self.panel else self.n

    def panel_stride_columns(self, p: int) -> int:
        """Columns of panel `p` as stored."""
        columns = self.panel_columns(p)
        return -(-columns // COLUMN_STEP) * COLUMN_STEP if self.panel else columns

    def block_bytes(self, width: int) -> int:
        """Bytes of one block of K for `width` columns."""
        return width * self.spec.block_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of `nk`."""
        return self.blocks * self.spec.block_bytes

    def panel_bytes(self, p: int) -> int:
        """Bytes of panel `p`."""
        return self.blocks * self.block_bytes(self.panel_stride_columns(p))

    def panel_offset(self, p: int) -> int:
        """Byte at which panel `p` starts."""
        self._check_panel(p)
        return p * self.blocks * self.block_bytes(self.panel)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole matrix."""
        return self.padded_n * self.row_bytes

    def _check_panel(self, p: int) -> None:
        assert 0 <= p < self.panels, f"panel {p} of {self.panels}"


def pack(packing: Packing, blocks: Blocks) -> Array:
    """uint8 [packing.nbytes] of all rows. Raises FormatError when `blocks` is of other shape."""
    return np.concatenate(list(pack_panels(packing, blocks)))


def pack_panels(packing: Packing, blocks: Blocks) -> Iterator[Array]:
    """Bytes of one panel after another (`nk`: all rows at once), for callers that stream."""
    found = (blocks.format, blocks.n, blocks.k)
    wanted = (packing.format, packing.n, packing.k)
    if found != wanted:
        raise FormatError(f"pack: found (format, N, K) {found}, wanted {wanted}")
    if packing.order == "nk":
        yield _pack_rows(packing, blocks)
        return
    for p in range(packing.panels):
        yield _pack_panel(packing, blocks, p)


def unpack(packing: Packing, raw: Array | bytes, channel_scale: Array | None = None) -> Blocks:
    """The Blocks that `pack` wrote; `channel_scale` [N] is given back by formats that have one.

    Raises FormatError when the count of bytes is wrong.
    """
    data = np.frombuffer(raw, np.uint8) if isinstance(raw, bytes) else raw.reshape(-1)
    data = data.view(np.uint8)
    if data.size != packing.nbytes:
        raise FormatError(f"unpack: found {data.size} bytes, wanted {packing.nbytes}")
    spec, count = packing.spec, packing.blocks
    codes = np.empty((packing.n, count, spec.block), spec.code_dtype)
    headers = {
        name: np.empty((packing.n, count), ELEMENTS[element]) for name, element in _headers(spec)
    }
    if packing.order == "nk":
        _unpack_rows(packing, data, codes, headers)
    else:
        for p in range(packing.panels):
            _unpack_panel(packing, data, p, codes, headers)
    flat = codes.reshape(packing.n, -1)
    return Blocks(packing.format, packing.k, flat, **headers, channel_scale=channel_scale)


def _headers(spec: Format) -> list[tuple[str, str]]:
    """Fields before the codes of a block, in their order, with element types."""
    fields = (("scales", spec.scale), ("minima", spec.minimum), ("zeros", spec.zero))
    return [(name, element) for name, element in fields if element]


def _join_nibbles(codes: Array) -> Array:
    """uint8 [R, K] of 0..15 to uint8 [R, K/2]: even columns low, odd columns high."""
    pairs = np.ascontiguousarray(codes).view("<u2")
    return (pairs | pairs >> 4).astype(np.uint8)


def _pack_panel(packing: Packing, blocks: Blocks, p: int) -> Array:
    spec, count = packing.spec, packing.blocks
    columns, width = packing.panel_columns(p), packing.panel_stride_columns(p)
    rows = slice(p * packing.panel, p * packing.panel + columns)
    out = np.zeros((count, packing.block_bytes(width)), np.uint8)
    start = 0
    for name, element in _headers(spec):
        header: Array = getattr(blocks, name)[rows]
        stop = start + width * ELEMENTS[element].itemsize
        out[:, start:stop].view(ELEMENTS[element])[:, :columns] = header.T
        start = stop
    codes = blocks.codes[rows]
    if spec.code_bits == 4:
        codes = _join_nibbles(codes)
    stored = out[:, start:].view(codes.dtype).reshape(count, -1, width)
    stored[:, :, :columns] = codes.T.reshape(count, -1, columns)
    return out.reshape(-1)


def _unpack_panel(
    packing: Packing, data: Array, p: int, codes: Array, headers: dict[str, Array]
) -> None:
    spec, count = packing.spec, packing.blocks
    columns, width = packing.panel_columns(p), packing.panel_stride_columns(p)
    rows = slice(p * packing.panel, p * packing.panel + columns)
    first = packing.panel_offset(p)
    panel = data[first : first + packing.panel_bytes(p)].reshape(count, -1)
    start = 0
    for name, element in _headers(spec):
        stop = start + width * ELEMENTS[element].itemsize
        field = np.ascontiguousarray(panel[:, start:stop]).view(ELEMENTS[element])
        headers[name][rows] = field[:, :columns].T
        start = stop
    stored = np.ascontiguousarray(panel[:, start:])
    if spec.code_bits == 4:
        by_column = stored.reshape(count, -1, width)[:, :, :columns].transpose(2, 0, 1)
        _split_nibbles(by_column, codes[rows])
    else:
        elements = stored.view(spec.code_dtype).reshape(count, -1, width)
        codes[rows] = elements[:, :, :columns].transpose(2, 0, 1)


def _split_nibbles(stored: Array, codes: Array) -> None:
    np.bitwise_and(stored, 0x0F, out=codes[..., 0::2])
    np.right_shift(stored, 4, out=codes[..., 1::2])


def _pack_rows(packing: Packing, blocks: Blocks) -> Array:
    spec, n, count = packing.spec, packing.n, packing.blocks
    codes = np.ascontiguousarray(blocks.codes)
    if spec.dense:
        return codes.view(np.uint8).reshape(-1)
    if spec.code_bits == 4:
        codes = _join_nibbles(codes)
    out = np.empty((n, count, spec.block_bytes), np.uint8)
    start = 0
    for name, _ in _headers(spec):
        header: Array = np.ascontiguousarray(getattr(blocks, name))
        stop = start + header.itemsize
        out[:, :, start:stop] = header.view(np.uint8).reshape(n, count, -1)
        start = stop
    out[:, :, start:] = codes.view(np.uint8).reshape(n, count, -1)
    return out.reshape(-1)


def _unpack_rows(packing: Packing, data: Array, codes: Array, headers: dict[str, Array]) -> None:
    spec = packing.spec
    rows = data.reshape(packing.n, packing.blocks, spec.block_bytes)
    start = 0
    for name, element in _headers(spec):
        stop = start + ELEMENTS[element].itemsize
        field = np.ascontiguousarray(rows[:, :, start:stop]).view(ELEMENTS[element])
        headers[name][...] = field[:, :, 0]
        start = stop
    stored = np.ascontiguousarray(rows[:, :, start:])
    if spec.code_bits == 4:
        _split_nibbles(stored, codes)
    else:
        codes[...] = stored.view(spec.code_dtype)
