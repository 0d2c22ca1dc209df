"""The matrix unit on absolute addresses: fused unpacking for few rows, decoded panels for many.

Both ways follow `backend.numerics.matrix` to the bit: columns are lanes, k ascends, a block's sum
is scaled once. `scratch` has room as `scratch_bytes` says.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .kernel_base import (
    copy_bytes,
    floats_at,
    integers_at,
    make_block,
    make_chain,
    make_gemv,
    signed_bytes_at,
)
from .kernel_convert import load_element, load_row
from .kernel_jit import compiled
from .kernel_panel import PANEL, decode_panel, dense_panel
from .layout import (
    BLOCK,
    CODE_BITS,
    DENSE,
    ELEMENT,
    F32,
    HEADER,
    KN,
    MINIMA,
    ZERO,
    ZERO_CONSTANT,
    ZERO_STORED,
)

DEPTH = 128
"""Rows of K of a dense panel."""
PANEL_BYTES = DEPTH * PANEL * 4
TILE_BYTES = 4 * PANEL * 4
FIXED_BYTES = PANEL_BYTES + TILE_BYTES + 2 * PANEL * 4
FEW_ROWS = 4
"""Up to this many rows unpacking is fused with the product."""

chain_4, chain_2, chain_1 = make_chain(4, 4), make_chain(2, 4), make_chain(1, 4)
block_4, block_2, block_1 = (make_block(rows, 4, False) for rows in (4, 2, 1))
lows_4, lows_2, lows_1 = (make_block(rows, 4, True) for rows in (4, 2, 1))

byte_4, byte_2, byte_1, byte_tail = (
    make_gemv(rows, groups, 8, "none", False) for rows, groups in ((4, 4), (2, 4), (1, 4), (1, 1))
)
nibble_4, nibble_2, nibble_1, nibble_tail = (
    make_gemv(rows, groups, 4, "constant", False)
    for rows, groups in ((4, 4), (2, 4), (1, 4), (1, 1))
)
zero_4, zero_2, zero_1, zero_tail = (
    make_gemv(rows, groups, 4, "stored", False) for rows, groups in ((4, 4), (2, 4), (1, 4), (1, 1))
)
low_4, low_2, low_1, low_tail = (
    make_gemv(rows, groups, 4, "none", True) for rows, groups in ((4, 4), (2, 4), (1, 4), (1, 1))
)


def scratch_bytes(rows: int, depth: int) -> int:
    """Scratch that a product of `rows` rows and `depth` K needs."""
    return FIXED_BYTES + rows * depth * 4 + rows * (depth // 32 + 1) * 4 + 256


@compiled
def block_sums(x, x_stride, rows, depth, block, sums):
    """X of every row and block, k ascending from +0: float32 [rows, blocks] at `sums`."""
    blocks = (depth + block - 1) // block
    for r in range(rows):
        line = floats_at(x + r * x_stride, depth)
        out = floats_at(sums + r * blocks * 4, blocks)
        for i in range(blocks):
            out[i] = np.float32(0)
        whole = depth // block
        for k in range(block):
            for i in range(whole):
                out[i] += line[i * block + k]
        for k in range(whole * block, depth):
            out[whole] += line[k]


@compiled
def gemv_group(
    kind, rows, acc, acc_s, x, x_s, codes, width, scales, extra, sums, sums_s, code_rows, ahead
):
    """64 columns of one block for 1 to 4 rows."""
    r = 0
    while r < rows:
        step = 4 if rows - r >= 4 else (2 if rows - r >= 2 else 1)
        c, a, s = acc + r * acc_s, x + r * x_s, sums + r * sums_s
        if kind == 0:
            if step == 4:
                low_4(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            elif step == 2:
                low_2(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            else:
                low_1(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        elif kind == 1:
            if step == 4:
                nibble_4(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            elif step == 2:
                nibble_2(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            else:
                nibble_1(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        elif kind == 2:
            if step == 4:
                zero_4(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            elif step == 2:
                zero_2(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
            else:
                zero_1(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        elif step == 4:
            byte_4(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        elif step == 2:
            byte_2(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        else:
            byte_1(c, acc_s, a, x_s, codes, width, scales, extra, s, sums_s, code_rows, ahead)
        r += step


@compiled
def gemv_tail(kind, acc, x, codes, width, scales, extra, sums, code_rows, ahead):
    """16 columns of one block for one row."""
    if kind == 0:
        low_tail(acc, 0, x, 0, codes, width, scales, extra, sums, 0, code_rows, ahead)
    elif kind == 1:
        nibble_tail(acc, 0, x, 0, codes, width, scales, extra, sums, 0, code_rows, ahead)
    elif kind == 2:
        zero_tail(acc, 0, x, 0, codes, width, scales, extra, sums, 0, code_rows, ahead)
    else:
        byte_tail(acc, 0, x, 0, codes, width, scales, extra, sums, 0, code_rows, ahead)


@compiled
def gemv_block(format, rows, columns, acc, acc_s, x, x_s, block, width, sums, sums_s, tile, ahead):
    """One whole block of K of a `kn` operand for 1 to 4 rows and all columns; `ahead` bytes to
    the next block."""
    kind = 3
    if MINIMA[format]:
        kind = 0
    elif ZERO[format] == ZERO_CONSTANT:
        kind = 1
    elif ZERO[format] == ZERO_STORED:
        kind = 2
    code_rows = BLOCK[format] * CODE_BITS[format] // 8
    extra_bytes = 2 if MINIMA[format] else 1
    extra, codes = block + 2 * width, block + HEADER[format] * width
    n = 0
    while n + 64 <= columns:
        gemv_group(kind, rows, acc + 4 * n, acc_s, x, x_s, codes + n, width, block + 2 * n,
                   extra + extra_bytes * n, sums, sums_s, code_rows, ahead)  # fmt: skip
        n += 64
    while n < columns:
        left = min(16, columns - n)
        for r in range(rows):
            target = acc + r * acc_s + 4 * n
            if left < 16:
                copy_bytes(tile, target, 4 * left)
            place = target if left == 16 else tile
            gemv_tail(kind, place, x + r * x_s, codes + n, width, block + 2 * n,
                      extra + extra_bytes * n, sums + r * sums_s, code_rows, ahead)  # fmt: skip
            if left < 16:
                copy_bytes(target, tile, 4 * left)
        n += 16


@compiled
def panel_rows(mode, rows, acc, acc_s, x, x_s, w, w_s, scales, lows, sums, sums_s, depth):
    """PANEL columns: mode 0 a plain chain, 1 a block with a scale, 2 with a minimum too."""
    r = 0
    while r < rows:
        step = 4 if rows - r >= 4 else (2 if rows - r >= 2 else 1)
        c, a, s = acc + r * acc_s, x + r * x_s, sums + r * sums_s
        if mode == 0:
            if step == 4:
                chain_4(c, acc_s, a, x_s, w, w_s, depth)
            elif step == 2:
                chain_2(c, acc_s, a, x_s, w, w_s, depth)
            else:
                chain_1(c, acc_s, a, x_s, w, w_s, depth)
        elif mode == 1:
            if step == 4:
                block_4(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
            elif step == 2:
                block_2(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
            else:
                block_1(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
        elif step == 4:
            lows_4(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
        elif step == 2:
            lows_2(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
        else:
            lows_1(c, acc_s, a, x_s, w, w_s, scales, lows, s, sums_s, depth)
        r += step


@compiled
def panel_product(mode, rows, columns, acc, acc_s, x, x_s, w, w_s, scales, lows, sums, sums_s,
                  depth, tile):  # fmt: skip
    """`panel_rows`, through a tile of PANEL columns where the accumulator has fewer."""
    if columns == PANEL:
        panel_rows(mode, rows, acc, acc_s, x, x_s, w, w_s, scales, lows, sums, sums_s, depth)
        return
    for first in range(0, rows, 4):
        some = min(4, rows - first)
        for r in range(some):
            copy_bytes(tile + r * PANEL * 4, acc + (first + r) * acc_s, 4 * columns)
        panel_rows(mode, some, tile, PANEL * 4, x + first * x_s, x_s, w, w_s, scales, lows,
                   sums + first * sums_s, sums_s, depth)  # fmt: skip
        for r in range(some):
            copy_bytes(acc + (first + r) * acc_s, tile + r * PANEL * 4, 4 * columns)


@compiled
def float_rows(format, rows, depth, a, a_s0, a_s1, out):
    """A as contiguous float32 [rows, depth] at `out`."""
    for r in range(rows):
        line = floats_at(out + r * depth * 4, depth)
        if a_s1:
            load_row(format, a + r * a_s0, depth, line)
        else:
            line[:] = load_element(format, a + r * a_s0)


@compiled
def integer_product(rows, columns, depth, acc, acc_s, a, a_s0, a_s1, b, k_step, n_step):
    """int32 accumulators: a and b are int8."""
    for r in range(rows):
        out = integers_at(acc + r * acc_s, columns)
        for n in range(columns):
            total = np.int64(0)
            for k in range(depth):
                left = signed_bytes_at(a + r * a_s0 + k * a_s1, 1)[0]
                right = signed_bytes_at(b + k * k_step + n * n_step, 1)[0]
                total += np.int64(left) * np.int64(right)
            out[n] = np.int32((np.int64(out[n]) + total) & np.int64(0xFFFFFFFF))


@compiled
def matmul(rows, columns, depth, acc, acc_s, acc_format, a_format, a, a_s0, a_s1,
           b_format, order, transposed, b, b_s0, b_s1, scratch):  # fmt: skip
    """acc [rows, columns] += A [rows, depth] @ B, addresses and byte strides."""
    if rows <= 0 or columns <= 0 or depth <= 0:
        return
    element = ELEMENT[b_format]
    if acc_format != F32:
        k_step = element if transposed else b_s0
        n_step = b_s0 if transposed else element
        if order == DENSE and b_s1 == 0:
            k_step, n_step = (0, b_s0) if transposed else (b_s0, 0)
        integer_product(rows, columns, depth, acc, acc_s, a, a_s0, a_s1, b, k_step, n_step)
        return
    tile = scratch + PANEL_BYTES
    scales = tile + TILE_BYTES
    lows = scales + PANEL * 4
    wide = scratch + FIXED_BYTES
    sums = wide + rows * depth * 4
    x, x_s = a, a_s0
    if a_format != F32 or a_s1 == 0:
        float_rows(a_format, rows, depth, a, a_s0, a_s1, wide)
        x, x_s = wide, depth * 4
    block = BLOCK[b_format]
    if block == 1:
        step = DEPTH
        for n in range(0, columns, PANEL):
            some = min(PANEL, columns - n)
            for k in range(0, depth, step):
                deep = min(step, depth - k)
                w, w_s = scratch, PANEL * 4
                plain = not transposed and b_format == F32 and some == PANEL
                if plain and (order == KN or b_s1 != 0):
                    w, w_s = b + k * b_s0 + n * 4, b_s0
                else:
                    dense_panel(b_format, order, transposed, b, b_s0, b_s1, k, n, deep, some,
                                scratch)  # fmt: skip
                panel_product(0, rows, some, acc + 4 * n, acc_s, x + 4 * k, x_s, w, w_s, scales,
                              lows, sums, 0, deep, tile)  # fmt: skip
        return
    blocks = (depth + block - 1) // block
    sums_s = blocks * 4
    if MINIMA[b_format]:
        block_sums(x, x_s, rows, depth, block, sums)
    whole = depth // block if order == KN and rows <= FEW_ROWS else 0
    for i in range(whole):
        gemv_block(b_format, rows, columns, acc, acc_s, x + 4 * i * block, x_s, b + i * b_s0, b_s1,
                   sums + 4 * i, sums_s, tile, b_s0)  # fmt: skip
    mode = 2 if MINIMA[b_format] else 1
    for n in range(0, columns, PANEL):
        some = min(PANEL, columns - n)
        for i in range(whole, blocks):
            deep = min(block, depth - i * block)
            decode_panel(b_format, order, b, b_s0, b_s1, i, n, some, scratch, scales, lows)
            panel_product(mode, rows, some, acc + 4 * n, acc_s, x + 4 * i * block, x_s, scratch,
                          PANEL * 4, scales, lows, sums + 4 * i, sums_s, deep, tile)  # fmt: skip
