"""Rows as GGUF files store them, to and from Blocks. No value is changed on the way.

A GGUF block of 32 four-bit codes is 16 bytes; byte j holds k = j low and k = j + 16 high.
"""

import numpy as np

from .blocks import Blocks
from .table import ELEMENTS, Array, Format, FormatError, find_format


def from_ggml_rows(format_name: str, raw: Array | bytes, n: int, k: int) -> Blocks:
    """N rows of K values from the bytes of a GGUF tensor (any shape, uint8).

    Raises FormatError when the format has no GGUF type, K is not whole blocks, or bytes are
    too few or too many. Dense formats share memory with `raw`.
    """
    spec = _spec(format_name)
    if k % spec.block:
        raise FormatError(
            f"{spec.ggml} rows: found {k} values a row, wanted a multiple of {spec.block}"
        )
    data = np.frombuffer(raw, np.uint8) if isinstance(raw, bytes) else raw.reshape(-1)
    data = data.view(np.uint8)
    wanted = n * (k // spec.block) * spec.block_bytes
    if data.size != wanted:
        raise FormatError(
            f"{spec.ggml} rows: found {data.size} bytes, wanted {wanted} for {n} rows of {k}"
        )
    if spec.dense:
        return Blocks(format_name, k, data.view(ELEMENTS[spec.dense]).reshape(n, k))
    data = data.reshape(n, k // spec.block, spec.block_bytes)
    headers: dict[str, Array] = {}
    start = 0
    for name, element in (("scales", spec.scale), ("minima", spec.minimum)):
        if element:
            dtype = ELEMENTS[element]
            field = np.ascontiguousarray(data[:, :, start : start + dtype.itemsize])
            headers[name] = field.view(dtype)[:, :, 0]
            start += dtype.itemsize
    stored = data[:, :, start:]
    if spec.code_bits == 8:
        codes = np.ascontiguousarray(stored).view(spec.code_dtype)
    else:
        codes = np.empty((n, k // spec.block, spec.block), np.uint8)
        half = spec.block // 2
        np.bitwise_and(stored, 0x0F, out=codes[:, :, :half])
        np.right_shift(stored, 4, out=codes[:, :, half:])
    return Blocks(format_name, k, codes.reshape(n, k), **headers)


def to_ggml_rows(blocks: Blocks) -> Array:
    """uint8 [N, bytes of a row] as a GGUF file stores it; the inverse of `from_ggml_rows`.

    Raises FormatError when the format has no GGUF type or K is not whole blocks.
    """
    spec = _spec(blocks.format)
    if blocks.k % spec.block:
        raise FormatError(
            f"{spec.ggml} rows: found {blocks.k} values a row, wanted a multiple of {spec.block}"
        )
    n = blocks.n
    codes = np.ascontiguousarray(blocks.codes)
    if spec.dense:
        return codes.view(np.uint8).reshape(n, -1)
    parts = [
        np.ascontiguousarray(part)[:, :, None].view(np.uint8)
        for part in (blocks.scales, blocks.minima)
        if part is not None
    ]
    codes = codes.reshape(n, -1, spec.block)
    if spec.code_bits == 8:
        parts.append(codes.view(np.uint8))
    else:
        half = spec.block // 2
        parts.append(codes[:, :, :half] | codes[:, :, half:] << np.uint8(4))
    return np.concatenate(parts, axis=2).reshape(n, -1)


def _spec(format_name: str) -> Format:
    spec = find_format(format_name)
    if spec.ggml is None:
        raise FormatError(f"format {format_name}: has no GGUF tensor type")
    return spec
