"""Packed bytes: a plain reference for small cases, round trips for any size."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.backend.formats import (
    FORMATS,
    Blocks,
    FormatError,
    Packing,
    dequantise,
    pack,
    pack_panels,
    quantise,
    unpack,
)

Array = npt.NDArray[Any]
ORDERS = ("kn", "nk")


def random_blocks(name: str, n: int, k: int) -> Blocks:
    random = np.random.default_rng(n * 1000 + k)
    return quantise(name, random.standard_normal((n, k)).astype(np.float32))


def code_bytes(blocks: Blocks, row: int, block: int) -> list[bytes]:
    """The codes of one block of one row, one item for each storage unit in the order of K."""
    spec = blocks.spec
    codes = blocks.codes[row, block * spec.block : (block + 1) * spec.block]
    if spec.code_bits == 4:
        return [bytes([low | high << 4]) for low, high in codes.reshape(-1, 2).tolist()]
    return [code.tobytes() for code in codes]


def headers(blocks: Blocks) -> list[Array]:
    return [a for a in (blocks.scales, blocks.minima, blocks.zeros) if a is not None]


def plain_kn(packing: Packing, blocks: Blocks) -> bytes:
    """The panels, written byte by byte as the format page says."""
    out = b""
    for first in range(0, packing.n, packing.panel):
        columns = range(first, min(first + packing.panel, packing.n))
        padding = -len(columns) % 16
        for block in range(packing.blocks):
            for header in headers(blocks):
                out += b"".join(header[n, block].tobytes() for n in columns)
                out += bytes(padding * header.itemsize)
            units = [code_bytes(blocks, n, block) for n in columns]
            for j in range(len(units[0])):
                out += b"".join(unit[j] for unit in units)
                out += bytes(padding * len(units[0][0]))
    return out


def plain_nk(packing: Packing, blocks: Blocks) -> bytes:
    """The rows, likewise."""
    out = b""
    for n in range(packing.n):
        for block in range(packing.blocks):
            out += b"".join(header[n, block].tobytes() for header in headers(blocks))
            out += b"".join(code_bytes(blocks, n, block))
    return out


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 32), (16, 33), (37, 64), (70, 130)])
def test_bytes_are_those_of_the_plain_reference(name: str, n: int, k: int) -> None:
    blocks = random_blocks(name, n, k)
    panels = Packing(name, "kn", n, k, panel=32)
    assert pack(panels, blocks).tobytes() == plain_kn(panels, blocks)
    rows = Packing(name, "nk", n, k)
    assert pack(rows, blocks).tobytes() == plain_nk(rows, blocks)


def test_nibbles_of_a_column_follow_k() -> None:
    """Byte j of a column holds k = 2j low and k = 2j + 1 high, after the scales."""
    codes = np.arange(16, dtype=np.uint8).repeat(2).reshape(1, 32)
    codes[0, 1::2] = 15 - codes[0, 1::2]
    blocks = Blocks("q4_0", 32, codes, np.full((1, 1), 1.0, np.float16))
    packed = pack(Packing("q4_0", "kn", 1, 32, 16), blocks)
    assert packed[:32].view(np.float16).tolist() == [1.0] + [0.0] * 15
    column = packed[32:].reshape(16, 16)[:, 0]
    assert column.tolist() == [j | (15 - j) << 4 for j in range(16)]
    assert not packed[32:].reshape(16, 16)[:, 1:].any()


@pytest.mark.parametrize("name", FORMATS)
@given(
    n=st.integers(1, 90),
    k=st.integers(1, 300),
    panel=st.sampled_from([16, 32, 48, 128]),
    order=st.sampled_from(ORDERS),
)
def test_packing_loses_nothing(name: str, n: int, k: int, panel: int, order: str) -> None:
    blocks = random_blocks(name, n, k)
    packing = Packing(name, order, n, k, panel if order == "kn" else 0)
    packed = pack(packing, blocks)
    assert packed.dtype == np.uint8
    assert packed.size == packing.nbytes
    back = unpack(packing, packed, blocks.channel_scale)
    for field in ("codes", "scales", "minima", "zeros", "channel_scale"):
        assert np.array_equal(getattr(back, field), getattr(blocks, field))
    assert np.array_equal(dequantise(back), dequantise(blocks))


@given(n=st.integers(1, 300), k=st.integers(1, 300), panel=st.sampled_from([16, 48, 128]))
def test_offsets_and_sizes_of_panels_agree(n: int, k: int, panel: int) -> None:
    packing = Packing("q4_1", "kn", n, k, panel)
    pieces = list(pack_panels(packing, random_blocks("q4_1", n, k)))
    assert len(pieces) == packing.panels
    assert sum(packing.panel_columns(p) for p in range(packing.panels)) == n
    strides = [packing.panel_stride_columns(p) for p in range(packing.panels)]
    assert sum(strides) == packing.padded_n
    assert strides[:-1] == [panel] * (packing.panels - 1)
    assert strides[-1] % 16 == 0
    offset = 0
    for p, piece in enumerate(pieces):
        assert packing.panel_offset(p) == offset
        assert packing.panel_bytes(p) == piece.size
        assert piece.size == packing.blocks * packing.block_bytes(strides[p])
        offset += piece.size
    assert packing.nbytes == offset


def test_576_columns_on_a_512_panel_store_a_narrow_last_panel() -> None:
    packing = Packing("q4_1", "kn", 576, 576, 512)
    assert (packing.panels, packing.padded_n, packing.blocks) == (2, 576, 18)
    assert packing.panel_stride_columns(1) == 64
    assert packing.nbytes == 576 * 18 * 20


def test_a_q8_0_row_of_576_is_612_bytes() -> None:
    assert Packing("q8_0", "nk", 5, 576).row_bytes == 612


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("q9", "kn", 1, 1, 16), "format q9: unknown"),
        (("f32", "mk", 1, 1, 16), "packing 1x1 f32: order: found 'mk', wanted 'kn' or 'nk'"),
        (("f32", "nk", 0, 1), "packing 0x1 f32: found no values, wanted N and K of at least 1"),
        (("f32", "nk", 1, 1, 16), "packing 1x1 f32: panel: found 16, wanted 0 for order nk"),
        (("f32", "kn", 1, 1, 0), "panel: found 0, wanted a positive multiple of 16"),
        (("f32", "kn", 1, 1, 24), "panel: found 24, wanted a positive multiple of 16"),
    ],
)
def test_impossible_packings_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Packing(*arguments)


def test_wrong_rows_and_wrong_bytes_are_refused() -> None:
    packing = Packing("q8_0", "kn", 16, 32, 16)
    wanted = r"pack: found \(format, N, K\) \('q8_0', 15, 32\), wanted \('q8_0', 16, 32\)"
    with pytest.raises(FormatError, match=wanted):
        pack(packing, random_blocks("q8_0", 15, 32))
    with pytest.raises(FormatError, match="unpack: found 543 bytes, wanted 544"):
        unpack(packing, bytes(543))
