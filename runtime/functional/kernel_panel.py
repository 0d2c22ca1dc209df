"""Right operands of the matrix unit as float32 panels [k, PANEL], columns beyond the last zero."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .kernel_base import bytes_at, floats_at, halves_16, make_decode, transpose_16
from .kernel_convert import half_to_float, load_element, load_row
from .kernel_jit import compiled
from .layout import (
    BLOCK,
    BLOCK_BYTES,
    CODE_BITS,
    DENSE,
    ELEMENT,
    F32,
    HEADER,
    MINIMA,
    NK,
    ZERO,
    ZERO_CONSTANT,
    ZERO_STORED,
)

PANEL = 64
"""Columns of a panel: four vectors of 16."""

decode_byte = make_decode(8, "none")
decode_nibble = make_decode(4, "none")
decode_constant = make_decode(4, "constant")
decode_stored = make_decode(4, "stored")


@compiled
def dense_panel(format, order, transposed, b, s0, s1, k0, n0, depth, columns, out):
    """Rows k0.. and columns n0.. of a dense operand, `depth` by `columns`, at `out`."""
    element = ELEMENT[format]
    if transposed:
        _transposed_panel(format, b + n0 * s0 + k0 * (element if s1 or order != DENSE else 0),
                          s0, s1 if order == DENSE else element, depth, columns, out)  # fmt: skip
        return
    for k in range(depth):
        row = floats_at(out + k * PANEL * 4, PANEL)
        line = b + (k0 + k) * s0
        if order == DENSE and s1 == 0:
            row[:columns] = load_element(format, line)
        else:
            load_row(format, line + n0 * element, columns, row)
        row[columns:] = np.float32(0)


@compiled
def _transposed_panel(format, b, s0, s1, depth, columns, out):
    if format == F32 and s1 == 4 and columns == PANEL and depth % 16 == 0:
        for n in range(0, PANEL, 16):
            for k in range(0, depth, 16):
                transpose_16(b + n * s0 + 4 * k, s0, out + (k * PANEL + n) * 4, PANEL * 4)
        return
    panel = floats_at(out, depth * PANEL)
    for n in range(columns):
        for k in range(depth):
            panel[k * PANEL + n] = load_element(format, b + n * s0 + k * s1)
    for k in range(depth):
        panel[k * PANEL + columns : (k + 1) * PANEL] = np.float32(0)


@compiled
def half_at(address):
    """A float16 at any byte address, as float32."""
    raw = bytes_at(address, 2)
    return half_to_float(np.int32(raw[0]) | (np.int32(raw[1]) << np.int32(8)))


@compiled
def row_code(format, block, k):
    """code - zero of value k of the `nk` block at address `block`, as an integer."""
    codes = block + HEADER[format]
    if CODE_BITS[format] == 8:
        raw = np.int64(bytes_at(codes + k, 1)[0])
        return raw - 256 if raw > 127 else raw
    octet = np.int64(bytes_at(codes + k // 2, 1)[0])
    code = octet >> 4 if k & 1 else octet & 15
    if ZERO[format] == ZERO_CONSTANT:
        return code - 8
    if ZERO[format] == ZERO_STORED:
        return code - np.int64(bytes_at(block + 2, 1)[0])
    return code


@compiled
def column_code(format, block, width, k, n):
    """code - zero of value k of column n of the `kn` block at address `block`, as an integer."""
    codes = block + HEADER[format] * width
    if CODE_BITS[format] == 8:
        raw = np.int64(bytes_at(codes + k * width + n, 1)[0])
        return raw - 256 if raw > 127 else raw
    octet = np.int64(bytes_at(codes + k // 2 * width + n, 1)[0])
    code = octet >> 4 if k & 1 else octet & 15
    if ZERO[format] == ZERO_CONSTANT:
        return code - 8
    if ZERO[format] == ZERO_STORED:
        return code - np.int64(bytes_at(block + 2 * width + n, 1)[0])
    return code


@compiled
def decode_panel(format, order, b, s0, s1, index, n0, columns, out, scales, lows):
    """Block `index` of K of a packed operand: code - zero at `out`, scales and minima widened."""
    if order == NK:
        _decode_rows(format, b + n0 * s0 + index * s1, s0, columns, out, scales, lows)
        return
    block = b + index * s0
    width = s1
    codes = block + HEADER[format] * width
    code_rows = BLOCK[format] * CODE_BITS[format] // 8
    for n in range(0, PANEL, 16):
        at = n0 + n
        if n >= columns:
            floats_at(scales + 4 * n, 16)[:] = np.float32(0)
            floats_at(lows + 4 * n, 16)[:] = np.float32(0)
            for k in range(BLOCK[format]):
                floats_at(out + (k * PANEL + n) * 4, 16)[:] = np.float32(0)
            continue
        halves_16(block + 2 * at, scales + 4 * n)
        target, line = out + 4 * n, codes + at
        if MINIMA[format]:
            halves_16(block + 2 * width + 2 * at, lows + 4 * n)
        if CODE_BITS[format] == 8:
            decode_byte(line, width, 0, target, PANEL * 4, code_rows, s0)
        elif ZERO[format] == ZERO_CONSTANT:
            decode_constant(line, width, 0, target, PANEL * 4, code_rows, s0)
        elif ZERO[format] == ZERO_STORED:
            decode_stored(line, width, block + 2 * width + at, target, PANEL * 4, code_rows, s0)
        else:
            decode_nibble(line, width, 0, target, PANEL * 4, code_rows, s0)


@compiled
def _decode_rows(format, b, row_bytes, columns, out, scales, lows):
    panel = floats_at(out, BLOCK[format] * PANEL)
    scale, low = floats_at(scales, PANEL), floats_at(lows, PANEL)
    panel[:] = np.float32(0)
    scale[:] = np.float32(0)
    low[:] = np.float32(0)
    for n in range(columns):
        block = b + n * row_bytes
        scale[n] = half_at(block)
        if MINIMA[format]:
            low[n] = half_at(block + 2)
        for k in range(BLOCK[format]):
            panel[k * PANEL + n] = np.float32(row_code(format, block, k))


@compiled
def load_packed_row(format, order, base, s0, s1, row, first, count, out):
    """`count` dequantised values of row `row` from column `first` on, into the array `out`.

    fl(fl(code - zero) * scale) + minimum, each rounded; rows are the view's first axis.
    """
    size = BLOCK[format]
    for i in range(count):
        column = first + i
        if order == NK:
            block = base + row * s0 + column // size * s1
            code = row_code(format, block, column % size)
            scale, low = half_at(block), block + 2
        else:
            block = base + row // size * s0
            code = column_code(format, block, s1, row % size, column)
            scale, low = half_at(block + 2 * column), block + 2 * s1 + 2 * column
        value = np.float32(code) * scale
        if MINIMA[format]:
            value = value + half_at(low)
        out[i] = value


@compiled
def packed_block_bytes(format):
    """Bytes of one block of one row."""
    return BLOCK_BYTES[format]
