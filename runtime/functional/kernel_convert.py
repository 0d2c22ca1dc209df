"""Elements to float32 and back, one scalar at a time, as `backend.numerics.vector` defines them."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .kernel_base import (
    bits_of,
    bytes_at,
    float_of,
    floats_at,
    integers_at,
    shorts_at,
    signed_bytes_at,
)
from .kernel_jit import compiled
from .layout import BF16, F16, F32, I8, I32, U8

_SCALE_HALF = np.float32(2.0**112)


@compiled
def half_to_float(raw):
    """A float16's bits (uint16) as float32, exactly."""
    bits = np.int32(raw)
    magnitude = np.int32(bits & np.int32(0x7FFF))
    scaled = bits_of(float_of(np.int32(magnitude << np.int32(13))) * _SCALE_HALF)
    special = np.int32(scaled | np.int32(0x7F800000))
    value = special if magnitude >= np.int32(0x7C00) else scaled
    sign = np.int32((bits & np.int32(0x8000)) << np.int32(16))
    return float_of(np.int32(value | sign))


@compiled
def brain_to_float(raw):
    """A bfloat16's bits (uint16) as float32, exactly."""
    return float_of(np.int32(np.int32(raw) << np.int32(16)))


@compiled
def float_to_brain(value):
    """float32 to bfloat16 bits, nearest even; NaN is 0x7FC0."""
    if value != value:
        return np.uint16(0x7FC0)
    bits = np.int64(bits_of(value)) & np.int64(0xFFFFFFFF)
    odd = (bits >> np.int64(16)) & np.int64(1)
    return np.uint16(((bits + np.int64(0x7FFF) + odd) >> np.int64(16)) & np.int64(0xFFFF))


@compiled
def float_to_half(value):
    """float32 to float16 bits, nearest even; NaN is 0x7E00."""
    if value != value:
        return np.uint16(0x7E00)
    bits = np.int64(bits_of(value)) & np.int64(0xFFFFFFFF)
    sign = (bits >> np.int64(16)) & np.int64(0x8000)
    magnitude = bits & np.int64(0x7FFFFFFF)
    if magnitude >= np.int64(0x477FF000):  # rounds to 2**16 or more
        return np.uint16(sign | np.int64(0x7C00))
    if magnitude < np.int64(0x38800000):  # a subnormal: adding 1/2 leaves its steps of 2**-24
        shifted = float_of(np.int32(magnitude)) + np.float32(0.5)
        return np.uint16(sign | (np.int64(bits_of(shifted)) - np.int64(0x3F000000)))
    odd = (magnitude >> np.int64(13)) & np.int64(1)
    rounded = (magnitude + np.int64(0xFFF) + odd) >> np.int64(13)
    return np.uint16(sign | (rounded - np.int64(112 << 10)))


@compiled
def float_to_integer(value, low, high):
    """Nearest even integer, saturated to low .. high; NaN is 0."""
    if value != value:
        return np.int64(0)
    whole = np.float64(np.rint(value))
    if whole < low:
        return np.int64(low)
    if whole > high:
        return np.int64(high)
    return np.int64(whole)


@compiled
def load_element(format, address):
    """One stored element as float32."""
    if format == F32:
        return floats_at(address, 1)[0]
    if format == BF16:
        return brain_to_float(shorts_at(address, 1)[0])
    if format == F16:
        return half_to_float(shorts_at(address, 1)[0])
    if format == I32:
        return np.float32(integers_at(address, 1)[0])
    if format == I8:
        return np.float32(signed_bytes_at(address, 1)[0])
    return np.float32(bytes_at(address, 1)[0])


@compiled
def load_row(format, address, count, out):
    """`count` contiguous elements as float32 into the array `out`."""
    if format == F32:
        source = floats_at(address, count)
        for i in range(count):
            out[i] = source[i]
    elif format == BF16:
        raw = shorts_at(address, count)
        for i in range(count):
            out[i] = brain_to_float(raw[i])
    elif format == F16:
        raw = shorts_at(address, count)
        for i in range(count):
            out[i] = half_to_float(raw[i])
    elif format == I32:
        whole = integers_at(address, count)
        for i in range(count):
            out[i] = np.float32(whole[i])
    elif format == I8:
        small = signed_bytes_at(address, count)
        for i in range(count):
            out[i] = np.float32(small[i])
    else:
        octets = bytes_at(address, count)
        for i in range(count):
            out[i] = np.float32(octets[i])


@compiled
def store_row(format, address, count, values):
    """`count` float32 of the array `values` as contiguous elements."""
    if format == F32:
        out = floats_at(address, count)
        for i in range(count):
            out[i] = values[i]
    elif format == BF16:
        raw = shorts_at(address, count)
        for i in range(count):
            raw[i] = float_to_brain(values[i])
    elif format == F16:
        raw = shorts_at(address, count)
        for i in range(count):
            raw[i] = float_to_half(values[i])
    elif format == I32:
        whole = integers_at(address, count)
        for i in range(count):
            whole[i] = np.int32(float_to_integer(values[i], -2147483648, 2147483647))
    elif format == I8:
        small = signed_bytes_at(address, count)
        for i in range(count):
            small[i] = np.int8(float_to_integer(values[i], -128, 127))
    elif format == U8:
        octets = bytes_at(address, count)
        for i in range(count):
            octets[i] = np.uint8(float_to_integer(values[i], 0, 255))
