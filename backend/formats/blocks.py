"""Rows of a quantised weight matrix, unpacked: codes and scales side by side in numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .table import ELEMENTS, Array, Format, FormatError, find_format


@dataclass(frozen=True, eq=False)
class Blocks:
    """N rows (output features) of K values in one format; every array is row-major.

    K is padded to whole blocks by codes that stand for zero; `k` is the count without padding.
    """

    format: str
    """A name in FORMATS."""
    k: int
    """Values of a row."""
    codes: Array
    """[N, blocks * block] of `spec.code_dtype`; 4-bit codes are 0..15, one a byte."""
    scales: Array | None = None
    """[N, blocks] of the format's scale type, or None where it has none."""
    minima: Array | None = None
    """[N, blocks], likewise."""
    zeros: Array | None = None
    """[N, blocks] uint8, likewise."""
    channel_scale: Array | None = None
    """[N] float32, where the format keeps a scale for each row beside the packed bytes."""

    def __post_init__(self) -> None:
        spec, n = self.spec, self.n
        blocks = -(-self.k // spec.block)
        wanted: list[tuple[str, Array | None, str | None, tuple[int, ...]]] = [
            ("scales", self.scales, spec.scale, (n, blocks)),
            ("minima", self.minima, spec.minimum, (n, blocks)),
            ("zeros", self.zeros, spec.zero, (n, blocks)),
            ("channel_scale", self.channel_scale, "f32" if spec.channel_scale else None, (n,)),
        ]
        _check("codes", self.codes, spec.code_dtype.name, (n, blocks * spec.block), self.format)
        for name, array, element, shape in wanted:
            if element is None and array is not None:
                raise FormatError(f"{name} of {self.format}: found some, wanted none")
            if element is not None:
                if array is None:
                    raise FormatError(f"{name} of {self.format}: found none, wanted {shape}")
                _check(name, array, ELEMENTS[element].name, shape, self.format)

    @property
    def spec(self) -> Format:
        """The format's row of the table."""
        return find_format(self.format)

    @property
    def n(self) -> int:
        """Rows."""
        return self.codes.shape[0]


def _check(name: str, array: Array, dtype: str, shape: tuple[int, ...], where: str) -> None:
    if array.dtype.name != dtype or array.shape != shape:
        raise FormatError(
            f"{name} of {where}: found {array.dtype.name} {array.shape}, wanted {dtype} {shape}"
        )


def dequantise(blocks: Blocks) -> Array:
    """float32 [N, K]: fl(fl(float32(code - zero) * scale) + minimum), times the row's scale if any.

    Bit-equal to the `gguf` package for the formats that it knows.
    """
    spec = blocks.spec
    if blocks.scales is None:
        values = blocks.codes.astype(np.float32)
        if blocks.channel_scale is not None:
            values *= blocks.channel_scale[:, None]
        return values
    codes = blocks.codes.reshape(blocks.n, -1, spec.block).astype(np.int16)
    if blocks.zeros is not None:
        codes -= blocks.zeros[:, :, None]
    codes -= spec.zero_point
    values = codes.astype(np.float32)
    values *= blocks.scales[:, :, None].astype(np.float32)
    if blocks.minima is not None:
        values += blocks.minima[:, :, None].astype(np.float32)
    return values.reshape(blocks.n, -1)[:, : blocks.k]


def zero_rows(format_name: str, n: int, k: int) -> Blocks:
    """N rows of zeros: codes that stand for zero, every scale zero."""
    spec = find_format(format_name)
    blocks = -(-k // spec.block)

    def header(element: str | None) -> Array | None:
        return np.zeros((n, blocks), ELEMENTS[element]) if element else None

    return Blocks(
        format_name,
        k,
        np.full((n, blocks * spec.block), spec.zero_point, spec.code_dtype),
        header(spec.scale),
        header(spec.minimum),
        header(spec.zero),
        np.zeros(n, np.float32) if spec.channel_scale else None,
    )


def take_rows(blocks: Blocks, index: Array | Sequence[int] | slice) -> Blocks:
    """The rows that `index` names (integers or a slice), in its order; a slice copies nothing."""

    def pick(array: Array | None) -> Array | None:
        return None if array is None else array[index]

    return Blocks(
        blocks.format,
        blocks.k,
        blocks.codes[index],
        pick(blocks.scales),
        pick(blocks.minima),
        pick(blocks.zeros),
        pick(blocks.channel_scale),
    )


def concat(parts: Sequence[Blocks]) -> Blocks:
    """The rows of all parts, one part after another.

    Raises FormatError when there are none, or when formats or lengths of rows differ.
    """
    if not parts:
        raise FormatError("concat: found no parts, wanted at least one")
    first = parts[0]
    for part in parts[1:]:
        if (part.format, part.k) != (first.format, first.k):
            raise FormatError(
                f"concat: found rows of {part.k} x {part.format} after rows of {first.k} x"
                f" {first.format}; wanted one format and one length"
            )
    if len(parts) == 1:
        return first

    def join(arrays: list[Array | None]) -> Array | None:
        present = [array for array in arrays if array is not None]
        return np.concatenate(present) if present else None

    return Blocks(
        first.format,
        first.k,
        np.concatenate([part.codes for part in parts]),
        join([part.scales for part in parts]),
        join([part.minima for part in parts]),
        join([part.zeros for part in parts]),
        join([part.channel_scale for part in parts]),
    )
