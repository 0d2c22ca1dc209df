"""The table of number formats: one row each, read by packing, quantiser, instruction set, docs.

    value = (code - zero) * scale + minimum

A block of consecutive values along K shares one scale (and minimum, or zero). Formats of
block 1 carry no scale among their codes: their elements are plain numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..errors import TilewrightError

Array = npt.NDArray[Any]

ELEMENTS: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "i8": np.dtype(np.int8),
    "u8": np.dtype(np.uint8),
    "i32": np.dtype(np.int32),
}
"""Element types of plain (dense) views, with the numpy type that holds them."""


class FormatError(TilewrightError):
    """A weight format, its bytes or a recipe that cannot be used."""


@dataclass(frozen=True)
class Format:
    """One row of the table."""

    name: str
    code_bits: int
    """Bits of a stored code: 4, or 8, or an element's width."""
    signed: bool
    """Whether stored codes are signed; 4-bit codes are always stored as 0..15."""
    block: int
    """Values along K that share a scale; 1 for formats without one."""
    scale: str | None = None
    """Element type of the block scale."""
    minimum: str | None = None
    """Element type of the minimum that is added to each value of a block."""
    zero: str | None = None
    """Element type of the zero that is stored for each block and subtracted from its codes."""
    zero_point: int = 0
    """Constant that is subtracted from every code."""
    dense: str | None = None
    """Element type of a format whose codes are plain elements."""
    channel_scale: bool = False
    """Whether one f32 scale for each output row is kept in a vector beside the packed bytes."""
    ggml: str | None = None
    """Name of the GGUF tensor type with the same values."""
    rule: str = ""
    """How the quantiser picks scale and code."""
    aliases: tuple[str, ...] = ()
    """Other names that users give it."""

    @property
    def block_header_bytes(self) -> int:
        """Bytes of scale, minimum and zero of one block of one row."""
        parts = (self.scale, self.minimum, self.zero)
        return sum(ELEMENTS[part].itemsize for part in parts if part)

    @property
    def block_code_bytes(self) -> int:
        """Bytes of the codes of one block of one row."""
        return self.block * self.code_bits // 8

    @property
    def block_bytes(self) -> int:
        """Bytes of one block of one row, scale and all."""
        return self.block_header_bytes + self.block_code_bytes

    def row_bytes(self, k: int) -> int:
        """Bytes of `k` values of one row, in whole blocks."""
        return -(-k // self.block) * self.block_bytes

    @property
    def bits_per_value(self) -> float:
        """Stored bits of one value, its share of the scale included."""
        return 8 * self.block_bytes / self.block

    @property
    def code_dtype(self) -> np.dtype[Any]:
        """The numpy type of unpacked codes."""
        if self.dense:
            return ELEMENTS[self.dense]
        return ELEMENTS["i8" if self.signed else "u8"]


def _int4_rows() -> Iterable[Format]:
    """Groups of 32, 64 and 128, symmetric and with a stored zero."""
    for block in (32, 64, 128):
        yield Format(
            name=f"i4_g{block}", code_bits=4, signed=False, block=block, scale="f16", zero_point=8,
            rule="scale = f16(extreme / -8); code = rint(x / scale) + 8, clipped to 0..15",
            aliases=(f"int4-g{block}",),
        )  # fmt: skip
    for block in (32, 64, 128):
        yield Format(
            name=f"i4z_g{block}", code_bits=4, signed=False, block=block, scale="f16", zero="u8",
            rule="scale = f16((max - min) / 15), the range widened to hold 0; zero = rint(-min /"
            " scale); code = rint(x / scale) + zero, both clipped to 0..15",
            aliases=(f"int4z-g{block}",),
        )  # fmt: skip


# fmt: off
_ROWS = (
    Format("f32", 32, True, 1, dense="f32", ggml="F32", rule="as it is",
           aliases=("float32", "fp32")),
    Format("f16", 16, True, 1, dense="f16", ggml="F16", rule="nearest even",
           aliases=("float16", "fp16")),
    Format("bf16", 16, True, 1, dense="bf16", ggml="BF16", rule="nearest even",
           aliases=("bfloat16",)),
    Format("i8", 8, True, 1, dense="i8", channel_scale=True,
           rule="one scale a row = absmax / 127; code = rint(x / scale)", aliases=("int8",)),
    Format("q8_0", 8, True, 32, scale="f16", ggml="Q8_0",
           rule="d = absmax / 127; code = round(x / d), halves away from zero; scale = f16(d)"),
    Format("q4_0", 4, False, 32, scale="f16", zero_point=8, ggml="Q4_0",
           rule="d = extreme / -8; code = trunc(x / d + 8.5), at most 15; scale = f16(d)"),
    Format("q4_1", 4, False, 32, scale="f16", minimum="f16", ggml="Q4_1",
           rule="d = (max - min) / 15; code = trunc((x - min) / d + 0.5); scale = f16(d),"
                " minimum = f16(min)"),
    *_int4_rows(),
)
# fmt: on

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}
"""Every weight format by name."""


def find_format(name: str) -> Format:
    """The row of the table; raises FormatError with the known names."""
    if name not in FORMATS:
        raise FormatError(f"format {name}: unknown; wanted one of {', '.join(FORMATS)}")
    return FORMATS[name]


def format_name(text: str) -> str:
    """The table's name of a format that a user may spell in another way.

    Case does not matter, dashes are underscores, and each row has aliases: `INT4-g128` is
    `i4_g128`. Raises FormatError with the known names.
    """
    spelled = _plain(text)
    for row in FORMATS.values():
        if spelled in (row.name, *map(_plain, row.aliases)):
            return row.name
    raise FormatError(f"weights: found {text!r}, wanted one of {', '.join(FORMATS)}")


def _plain(text: str) -> str:
    return text.lower().replace("-", "_")
