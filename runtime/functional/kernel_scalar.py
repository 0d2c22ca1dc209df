"""Plain Python twins of `kernel_vectors`, used when NUMBA_DISABLE_JIT is set.

Same names, same arguments, same bits; slow. Addresses and strides are bytes.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false, reportArgumentType=false
# The twins follow the signatures of functions that have no type stubs.

import ctypes

import numpy as np

LANES = 16


def _memory(address, count, dtype):
    size = int(count) * np.dtype(dtype).itemsize
    if not size:
        return np.zeros(0, dtype)
    return np.frombuffer((ctypes.c_uint8 * size).from_address(int(address)), dtype)


def _halves(address, count):
    return _memory(address, count, np.float16).astype(np.float32)


def _decode_row(bits, zero_mode, raw, zeros):
    if bits == 8:
        return [raw.view(np.int8).astype(np.float32)]
    nibbles = [(raw & 15).astype(np.int32), (raw >> 4).astype(np.int32)]
    if zero_mode == "constant":
        nibbles = [part - 8 for part in nibbles]
    elif zero_mode == "stored":
        nibbles = [part - zeros for part in nibbles]
    return [part.astype(np.float32) for part in nibbles]


def make_decode(bits, zero_mode):
    """Codes of one block of K, 16 columns, as float32 rows."""

    def decode(codes, width, zeros, out, out_stride, code_rows, ahead):
        stored = _memory(zeros, LANES, np.uint8) if zero_mode == "stored" else None
        row = 0
        for j in range(code_rows):
            raw = _memory(codes + j * width, LANES, np.uint8)
            for value in _decode_row(bits, zero_mode, raw, stored):
                _memory(out + row * out_stride, LANES, np.float32)[:] = value
                row += 1

    return decode


def make_gemv(rows, groups, bits, zero_mode, minima):
    """One block of K for `rows` rows of A and groups * 16 columns of packed B."""
    decode = make_decode(bits, zero_mode)
    block = make_block(rows, 1, minima)

    def gemv(acc, acc_stride, x, x_stride, codes, width, scales, extra, sums, sums_stride,
             code_rows, ahead):  # fmt: skip
        depth = code_rows * (1 if bits == 8 else 2)
        panel = np.zeros((depth, LANES), np.float32)
        for g in range(groups):
            first = g * LANES
            decode(codes + first, width, extra + first, panel.ctypes.data, 4 * LANES, code_rows, 0)
            scale = _halves(scales + 2 * first, LANES)
            low = _halves(extra + 2 * first, LANES) if minima else scale
            block(acc + 4 * first, acc_stride, x, x_stride, panel.ctypes.data, 4 * LANES,
                  scale.ctypes.data, low.ctypes.data, sums, sums_stride, depth)  # fmt: skip

    return gemv


def make_chain(rows, groups):
    """acc = acc + x_k * w_k for k ascending."""

    def chain(acc, acc_stride, x, x_stride, w, w_stride, depth):
        for r in range(rows):
            total = _memory(acc + r * acc_stride, groups * LANES, np.float32)
            factors = _memory(x + r * x_stride, depth, np.float32)
            for k in range(depth):
                total[:] = total + factors[k] * _memory(w + k * w_stride, groups * LANES, "f4")

    return chain


def make_block(rows, groups, minima):
    """One block of decoded codes: S from +0, acc = acc + S * scale, acc = acc + X * m."""
    chain = make_chain(1, groups)

    def block(acc, acc_stride, x, x_stride, w, w_stride, scales, lows, sums, sums_stride,
              depth):  # fmt: skip
        columns = groups * LANES
        for r in range(rows):
            partial = np.zeros(columns, np.float32)
            chain(partial.ctypes.data, 0, x + r * x_stride, 0, w, w_stride, depth)
            total = _memory(acc + r * acc_stride, columns, np.float32)
            total[:] = total + partial * _memory(scales, columns, np.float32)
            if minima:
                x_sum = _memory(sums + r * sums_stride, 1, np.float32)
                total[:] = total + x_sum * _memory(lows, columns, np.float32)

    return block


def halves_16(source, out):
    """16 float16 at `source` as float32 at `out`."""
    _memory(out, LANES, np.float32)[:] = _halves(source, LANES)


def transpose_16(source, source_stride, out, out_stride):
    """16 rows of 16 float32 at `source` as 16 columns at `out`."""
    rows = [_memory(source + r * source_stride, LANES, np.float32) for r in range(LANES)]
    for c in range(LANES):
        _memory(out + c * out_stride, LANES, np.float32)[:] = [row[c] for row in rows]


def copy_bytes(out, source, count):
    """memcpy; the ranges do not overlap."""
    ctypes.memmove(int(out), int(source), int(count))


UNITS = {}
"""Address of a unit to the Python function that stands for it."""


def unit(function):
    """Decorator of a unit; gives it an address that `call_unit` understands."""
    function.address = id(function)
    UNITS[function.address] = function
    return function


def call_unit(function, row, place, shape, low, high, scratch):
    """Call a unit by its address."""
    UNITS[int(function)](row, place, shape, low, high, scratch)


def bits_of(value):
    """The bits of a float32 as int32."""
    return np.float32(value).view(np.int32)


def float_of(value):
    """The float32 of 32 bits."""
    return np.int32(value).view(np.float32)


def bytes_at(address, count):
    """uint8 array over memory."""
    return _memory(address, count, np.uint8)


def signed_bytes_at(address, count):
    """int8 array over memory."""
    return _memory(address, count, np.int8)


def shorts_at(address, count):
    """uint16 array over memory."""
    return _memory(address, count, np.uint16)


def integers_at(address, count):
    """int32 array over memory."""
    return _memory(address, count, np.int32)


def floats_at(address, count):
    """float32 array over memory."""
    return _memory(address, count, np.float32)


def words_at(address, count):
    """int64 array over memory."""
    return _memory(address, count, np.int64)
