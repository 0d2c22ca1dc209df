"""float32 rows to codes: the rule of each format, as its row of the table states it.

Rules of GGUF formats give the bits of the `gguf` package. Rows are treated a few megabytes at a
time, so temporaries stay small.
"""

import numpy as np

from .blocks import Blocks, concat
from .table import Array, Format, FormatError, find_format

_VALUES_AT_ONCE = 1 << 22
_LARGEST_F16 = 65504.0


def quantise(format_name: str, values: Array) -> Blocks:
    """Blocks of `values`, float32 [N, K], each rounded by the rule of the format.

    Raises FormatError for values that are not finite and for scales that f16 cannot hold.
    """
    spec = find_format(format_name)
    values = np.asarray(values, np.float32)
    if values.ndim != 2 or values.size == 0:
        raise FormatError(
            f"quantise {format_name}: found shape {values.shape}, wanted [N > 0, K > 0]"
        )
    rows = max(1, _VALUES_AT_ONCE // values.shape[1])
    starts = range(0, values.shape[0], rows)
    return concat([_quantise(spec, values[start : start + rows]) for start in starts])


def _quantise(spec: Format, values: Array) -> Blocks:
    n, k = values.shape
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise FormatError(
            f"quantise {spec.name}: found {values[row, column]} at row {row}, column {column};"
            " wanted finite values"
        )
    if spec.channel_scale:
        scale = np.abs(values).max(axis=1) / np.float32(127)
        codes = np.rint(values * _inverse(scale)[:, None]).clip(-127, 127)
        return Blocks(spec.name, k, codes.astype(np.int8), channel_scale=scale)
    if spec.dense:
        with np.errstate(over="ignore"):
            dense = values.astype(spec.code_dtype)
        if not np.isfinite(dense).all():
            raise FormatError(
                f"quantise {spec.name}: found {np.abs(values).max()}, which {spec.name} cannot"
                " hold; choose bf16 or f32"
            )
        return Blocks(spec.name, k, dense)
    padding = -k % spec.block
    # The last value repeated leaves extremes as they are; its codes are set to zero afterwards.
    padded = np.pad(values, ((0, 0), (0, padding)), mode="edge") if padding else values
    x = padded.reshape(n, -1, spec.block)
    codes, scales, minima, zeros = _block_codes(spec, x)
    if padding:
        tail = codes[:, -1, spec.block - padding :]
        tail[...] = spec.zero_point if zeros is None else zeros[:, -1, None]
    return Blocks(spec.name, k, codes.reshape(n, -1), scales, minima, zeros)


def _block_codes(spec: Format, x: Array) -> tuple[Array, Array, Array | None, Array | None]:
    """Codes [N, blocks, block], scales, minima and zeros [N, blocks] of `x` [N, blocks, block]."""
    if spec.name == "q8_0":
        d = np.abs(x).max(axis=2) / np.float32(127)
        scaled = x * _inverse(d)[:, :, None]
        whole = np.floor(np.abs(scaled))
        whole += np.floor(2 * (np.abs(scaled) - whole))
        codes = (np.sign(scaled) * whole).astype(np.int8)
        return codes, _half(spec, d), None, None
    if spec.name == "q4_1":
        low, high = x.min(axis=2), x.max(axis=2)
        d = _difference(spec, high, low) / np.float32(15)
        codes = np.trunc((x - low[:, :, None]) * _inverse(d)[:, :, None] + np.float32(0.5))
        return _nibbles(codes), _half(spec, d), _half(spec, low), None
    if spec.zero is not None:
        low = np.minimum(x.min(axis=2), 0)
        scale = _half(spec, _difference(spec, np.maximum(x.max(axis=2), 0), low) / np.float32(15))
        inverse = _inverse(scale.astype(np.float32))
        zeros = _nibbles(np.rint(-low * inverse))
        codes = _nibbles(np.rint(x * inverse[:, :, None]) + zeros[:, :, None])
        return codes, scale, None, zeros
    where = np.abs(x).argmax(axis=2, keepdims=True)
    d = np.take_along_axis(x, where, axis=2)[:, :, 0] / np.float32(-8)
    scale = _half(spec, d)
    if spec.name == "q4_0":
        codes = np.trunc(x * _inverse(d)[:, :, None] + np.float32(8.5))
    else:
        codes = np.rint(x * _inverse(scale.astype(np.float32))[:, :, None]) + np.float32(8)
    return _nibbles(codes), scale, None, None


def _nibbles(codes: Array) -> Array:
    return codes.clip(0, 15).astype(np.uint8)


def _inverse(d: Array) -> Array:
    """1 / d, and 0 where d is 0 or so small that 1 / d is not finite."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(1) / d
    return np.where(np.isfinite(inverse), inverse, np.float32(0))


def _difference(spec: Format, high: Array, low: Array) -> Array:
    with np.errstate(over="ignore"):
        difference = high - low
    if not np.isfinite(difference).all():
        raise FormatError(f"quantise {spec.name}: values span more than float32; choose f32")
    return difference


def _half(spec: Format, values: Array) -> Array:
    """float16 of scales or minima; raises FormatError where that would be infinite."""
    largest = np.abs(values).max(initial=0)
    if largest > _LARGEST_F16:
        raise FormatError(
            f"quantise {spec.name}: found a scale or minimum of {largest}, wanted at most"
            f" {_LARGEST_F16} (f16); choose bf16 or f32"
        )
    return values.astype(np.float16)
