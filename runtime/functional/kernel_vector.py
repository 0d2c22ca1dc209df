"""The vector unit on absolute addresses, a row at a time in chunks that stay in the first cache.

`address[i]` is that of operand i's element (0, 0, 0), `shape` the clipped (rows, mid, columns).
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .kernel_base import copy_bytes, float_of, floats_at, integers_at
from .kernel_chunk import (
    ABSMAX,
    apply_function,
    apply_operation,
    finish_reduction,
    mask_chunk,
    reduce_chunk,
    start_reduction,
)
from .kernel_convert import load_element, load_row, store_row
from .kernel_jit import compiled
from .kernel_panel import load_packed_row
from .layout import (
    ALWAYS,
    AXIS,
    BLOCK,
    CONSTANT_BITS,
    CONSTANT_KIND,
    DENSE,
    ELEMENT,
    F32,
    FILL_BITS,
    FORMAT,
    KIND,
    NEVER,
    OPERAND_WIDTH,
    OPERANDS,
    OPERATION,
    ORDER,
    REDUCTION,
    SHAPE,
    STEP,
    STRIDE,
    F,
)

CHUNK = 1024
"""Columns of a chunk: a multiple of 16, so that partials go on from chunk to chunk."""
VECTOR_BYTES = 4 * (6 * CHUNK + 16)
"""Scratch: five operand chunks, the value, partials."""
f32 = np.float32


@compiled
def operand_of(row, index):
    """The columns of operand `index`."""
    low = OPERANDS + index * OPERAND_WIDTH
    return row[low : low + OPERAND_WIDTH]


@compiled
def element_address(operand, base, i, j, column):
    """Address of element (i, j, column) of a dense operand."""
    at = base + i * operand[STRIDE] + j * operand[STRIDE + 1]
    return at + column * operand[STRIDE + 2]


@compiled
def chunk_of(operand, base, i, j, first, count, buffer):
    """Columns first .. of row (i, j) as float32: the memory itself or a copy in `buffer`."""
    room = floats_at(buffer, count)
    if operand[KIND] == CONSTANT_KIND:
        room[:] = float_of(np.int32(operand[CONSTANT_BITS]))
        return room
    form = operand[FORMAT]
    if BLOCK[form] > 1:
        load_packed_row(form, operand[ORDER], base, operand[STRIDE], operand[STRIDE + 2], i, first,
                        count, room)  # fmt: skip
        return room
    if operand[ORDER] != DENSE:
        load_row(form, base + i * operand[STRIDE] + first * ELEMENT[form], count, room)
        return room
    at = element_address(operand, base, i, j, first)
    if operand[STRIDE + 2] == 0:
        room[:] = load_element(form, at)
        return room
    if form == F32:
        return floats_at(at, count)
    load_row(form, at, count, room)
    return room


@compiled
def vec(row, address, shape, low, high, scratch):
    """v = f(a * b + c) op d with a band; low and high are the band's limits in row 0."""
    dst, red = operand_of(row, 0), operand_of(row, 1)
    a, b, c, d = operand_of(row, 2), operand_of(row, 3), operand_of(row, 4), operand_of(row, 5)
    t = floats_at(scratch, CHUNK)
    partials = floats_at(scratch + 4 * 6 * CHUNK, 16)
    room = scratch + 4 * CHUNK
    rop, columns = row[REDUCTION], shape[2]
    banded = low != NEVER or high != ALWAYS
    fill = float_of(np.int32(row[FILL_BITS]))
    for i in range(shape[0]):
        for j in range(shape[1]):
            shift = row[STEP] * (j if row[AXIS] else i)
            start_reduction(rop, partials)
            for first in range(0, columns, CHUNK):
                n = min(CHUNK, columns - first)
                x = chunk_of(a, address[2], i, j, first, n, room)
                if b[KIND]:
                    y = chunk_of(b, address[3], i, j, first, n, room + 4 * CHUNK)
                    for k in range(n):
                        t[k] = x[k] * y[k]
                else:
                    t[:n] = x[:n]
                if c[KIND]:
                    z = chunk_of(c, address[4], i, j, first, n, room + 8 * CHUNK)
                    for k in range(n):
                        t[k] = t[k] + z[k]
                apply_function(row[F], t, n)
                if d[KIND]:
                    w = chunk_of(d, address[5], i, j, first, n, room + 12 * CHUNK)
                    apply_operation(row[OPERATION], t, w, n)
                if banded:
                    mask_chunk(t, first, n, low + shift, high + shift, fill)
                if red[KIND]:
                    reduce_chunk(rop, partials, t, n)
                if dst[KIND]:
                    at = element_address(dst, address[0], i, j, first)
                    store_row(dst[FORMAT], at, n, t)
            if red[KIND]:
                t[0] = finish_reduction(rop, partials)
                store_row(red[FORMAT], element_address(red, address[1], i, j, 0), 1, t)


@compiled
def vsel(row, address, shape, scratch):
    """dst = a where mask is not zero, else b."""
    dst, mask, a, b = (operand_of(row, 0), operand_of(row, 1), operand_of(row, 2),
                       operand_of(row, 3))  # fmt: skip
    t = floats_at(scratch, CHUNK)
    room = scratch + 4 * CHUNK
    for i in range(shape[0]):
        for j in range(shape[1]):
            for first in range(0, shape[2], CHUNK):
                n = min(CHUNK, shape[2] - first)
                m = chunk_of(mask, address[1], i, j, first, n, room)
                x = chunk_of(a, address[2], i, j, first, n, room + 4 * CHUNK)
                y = chunk_of(b, address[3], i, j, first, n, room + 8 * CHUNK)
                for k in range(n):
                    t[k] = x[k] if m[k] != f32(0) else y[k]
                store_row(dst[FORMAT], element_address(dst, address[0], i, j, first), n, t)


@compiled
def vquant(row, address, shape, scratch):
    """Blocks of a as int8 codes with a scale of their own."""
    codes, scales, a = operand_of(row, 0), operand_of(row, 1), operand_of(row, 2)
    block = codes[SHAPE + 2] // scales[SHAPE + 2]
    blocks = (shape[2] + block - 1) // block
    t = floats_at(scratch, CHUNK)
    room = scratch + 4 * CHUNK
    partials = floats_at(scratch + 4 * 6 * CHUNK, 16)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for index in range(blocks):
                first = index * block
                last = min(first + block, shape[2])
                start_reduction(ABSMAX, partials)
                for k in range(first, last, CHUNK):
                    n = min(CHUNK, last - k)
                    reduce_chunk(ABSMAX, partials, chunk_of(a, address[2], i, j, k, n, room), n)
                scale = finish_reduction(ABSMAX, partials) / f32(127)
                factor = f32(0) if scale == f32(0) else f32(1) / scale
                for k in range(first, last, CHUNK):
                    n = min(CHUNK, last - k)
                    x = chunk_of(a, address[2], i, j, k, n, room)
                    for m in range(n):
                        code = np.rint(x[m] * factor)
                        code = f32(-127) if code < f32(-127) else code
                        t[m] = f32(127) if code > f32(127) else code
                    store_row(codes[FORMAT], element_address(codes, address[0], i, j, k), n, t)
                t[0] = scale
                store_row(scales[FORMAT], element_address(scales, address[1], i, j, index), 1, t)


@compiled
def vtopk(row, address, shape, scratch):
    """The largest of each row and its column; a NaN is largest; ties to the lowest column."""
    values, indices, a = operand_of(row, 0), operand_of(row, 1), operand_of(row, 2)
    t = floats_at(scratch, CHUNK)
    room = scratch + 4 * CHUNK
    for i in range(shape[0]):
        for j in range(shape[1]):
            best, where = f32(-np.inf), -1
            for first in range(0, shape[2], CHUNK):
                n = min(CHUNK, shape[2] - first)
                x = chunk_of(a, address[2], i, j, first, n, room)
                for k in range(n):
                    if best == best and (x[k] > best or x[k] != x[k] or where < 0):
                        best, where = x[k], first + k
            t[0] = best
            store_row(values[FORMAT], element_address(values, address[0], i, j, 0), 1, t)
            integers_at(element_address(indices, address[1], i, j, 0), 1)[0] = np.int32(where)


@compiled
def vtr(row, address, shape):
    """dst[c, r] = a[r, c] as bits."""
    dst, a = operand_of(row, 0), operand_of(row, 1)
    item = ELEMENT[a[FORMAT]]
    for r in range(shape[0]):
        for c in range(shape[2]):
            copy_bytes(element_address(dst, address[0], c, 0, r),
                       element_address(a, address[1], r, 0, c), item)  # fmt: skip
