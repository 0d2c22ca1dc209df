"""Copies of boxes on absolute addresses: copy, fill, one row of gather and scatter."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .kernel_base import bytes_at, copy_bytes, floats_at, integers_at, shorts_at
from .kernel_convert import store_row
from .kernel_jit import compiled
from .layout import ELEMENT, FORMAT, STRIDE


@compiled
def _zero(address, nbytes):
    out = bytes_at(address, nbytes)
    for i in range(nbytes):
        out[i] = np.uint8(0)


@compiled
def _copy_run(out, source, box, inside, source_stride, item):
    """A row of `box` elements, `inside` of them from the source, the others zero."""
    if source_stride == item or inside <= 1:
        copy_bytes(out, source, inside * item)
    else:
        for i in range(inside):
            copy_bytes(out + i * item, source + i * source_stride, item)
    if box > inside:
        _zero(out + inside * item, (box - inside) * item)


@compiled
def copy_box(dst, out, src, source, box, inside):
    """dst = src inside `inside`, zero in the rest of `box`; both have five axes."""
    item = ELEMENT[dst[FORMAT]]
    axis, run, run_inside, step = 4, box[4], inside[4], src[STRIDE + 4]
    # Outer axes that continue a run on both sides make it longer.
    while axis > 0 and run_inside == run and (step == item or run == 1):
        outer = axis - 1
        if box[outer] != 1 and (
            dst[STRIDE + outer] != run * item or src[STRIDE + outer] != run * item
        ):
            break
        run_inside = run * inside[outer]
        run *= box[outer]
        if box[outer] != 1:
            step = item
        axis = outer
    e0 = box[0] if axis > 0 else 1
    e1 = box[1] if axis > 1 else 1
    e2 = box[2] if axis > 2 else 1
    e3 = box[3] if axis > 3 else 1
    for i in range(e0):
        for j in range(e1):
            for k in range(e2):
                for n in range(e3):
                    a, b, kept = out, source, True
                    if axis > 0:
                        a += i * dst[STRIDE]
                        b += i * src[STRIDE]
                        kept = i < inside[0]
                    if axis > 1:
                        a += j * dst[STRIDE + 1]
                        b += j * src[STRIDE + 1]
                        kept = kept and j < inside[1]
                    if axis > 2:
                        a += k * dst[STRIDE + 2]
                        b += k * src[STRIDE + 2]
                        kept = kept and k < inside[2]
                    if axis > 3:
                        a += n * dst[STRIDE + 3]
                        b += n * src[STRIDE + 3]
                        kept = kept and n < inside[3]
                    _copy_run(a, b, run, run_inside if kept else 0, step, item)


@compiled
def fill_runs(format, place, run, value, scratch):
    """The constant `value` in every element of the runs of a place."""
    one = floats_at(scratch, 1)
    one[0] = value
    store_row(format, scratch + 8, 1, one)
    item = ELEMENT[format]
    count = run[1] // item
    for i in range(run[2]):
        for j in range(run[4]):
            for k in range(run[6]):
                for n in range(run[8]):
                    start = place + run[0] + i * run[3] + j * run[5] + k * run[7] + n * run[9]
                    if item == 4:
                        integers_at(start, count)[:] = integers_at(scratch + 8, 1)[0]
                    elif item == 2:
                        shorts_at(start, count)[:] = shorts_at(scratch + 8, 1)[0]
                    else:
                        bytes_at(start, count)[:] = bytes_at(scratch + 8, 1)[0]
