"""Bytes of operands in the compiled engine: addresses, bounds, and which bytes are written.

`shadow` addresses hold a bit for each byte of memory. A place that is always initialised has
shadow 0. Functions that check return 0 or a fault's number and put its numbers into `fault`.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .faults import ALIGNMENT_FAULT, BOUNDS_FAULT, UNINITIALISED_FAULT
from .kernel_base import bytes_at, words_at
from .kernel_jit import compiled
from .layout import (
    BLOCK,
    BLOCK_BYTES,
    DENSE,
    ELEMENT,
    FORMAT,
    KN,
    LINE,
    OFFSET,
    ORDER,
    STRIDE,
)

F_OPERAND, F_CHANNEL, F_X, F_Y, F_Z = range(5)
"""Columns of a fault's numbers."""
ALL = np.int64(-1)
FULL = np.uint8(255)


@compiled
def _line_mask(start, end):
    """Bits start .. end - 1 of a shadow word, 0 <= start < end <= LINE."""
    high = ALL if end == LINE else (np.int64(1) << np.int64(end)) - np.int64(1)
    return high & ~((np.int64(1) << np.int64(start)) - np.int64(1))


@compiled
def mark(shadow, start, end):
    """Count bytes [start, end) of a place as written; shadow is the place's, at a line."""
    if shadow == 0 or end <= start:
        return
    first, last = start // LINE, (end - 1) // LINE
    words = words_at(shadow, last + 1)
    if first == last:
        words[first] |= _line_mask(start - first * LINE, end - first * LINE)
        return
    words[first] |= _line_mask(start - first * LINE, LINE)
    for i in range(first + 1, last):
        words[i] = ALL
    words[last] |= _line_mask(0, end - last * LINE)


@compiled
def first_unwritten(shadow, start, end):
    """The first byte of [start, end) that is not written; -1: all are."""
    if shadow == 0 or end <= start:
        return -1
    first, last = start // LINE, (end - 1) // LINE
    words = words_at(shadow, last + 1)
    sound = True
    if first == last:
        mask = _line_mask(start - first * LINE, end - first * LINE)
        sound = words[first] & mask == mask
    else:
        mask = _line_mask(start - first * LINE, LINE)
        every = words[first] | ~mask
        for i in range(first + 1, last):
            every &= words[i]
        mask = _line_mask(0, end - last * LINE)
        sound = (every & (words[last] | ~mask)) == ALL
    if sound:
        return -1
    octets = bytes_at(shadow, (end - 1) // 8 + 1)
    for i in range(start, end):
        if not octets[i // 8] >> np.uint8(i % 8) & 1:
            return i
    return -1


@compiled
def clear_lines(shadow, nbytes, value):
    """Set the shadow of whole lines to one byte value."""
    octets = bytes_at(shadow, nbytes // 8)
    for i in range(nbytes // 8):
        octets[i] = value


@compiled
def runs_of(operand, shift, shape, run):
    """Bytes of one run and how runs step: run[0] first byte, run[1] bytes of a run, then up to
    four (count, stride) pairs, outermost first. Contiguous axes are merged. False: nothing."""
    form = operand[FORMAT]
    run[0] = operand[OFFSET] + shift
    for i in range(4):
        run[2 + 2 * i], run[3 + 2 * i] = 1, 0
    for i in range(5):
        if shape[i] == 0:
            return False
    if operand[ORDER] != DENSE:
        k = shape[0] if operand[ORDER] == KN else shape[2]
        n = shape[2] if operand[ORDER] == KN else shape[0]
        blocks = (k + BLOCK[form] - 1) // BLOCK[form]
        s0, s1 = operand[STRIDE], operand[STRIDE + 2]
        if operand[ORDER] == KN:
            run[1] = BLOCK_BYTES[form] * (n if BLOCK[form] == 1 else s1)
            run[2 + 6], run[3 + 6] = blocks, s0
        else:
            run[1] = BLOCK_BYTES[form]
            run[2 + 4], run[3 + 4] = n, s0
            run[2 + 6], run[3 + 6] = blocks, s1
        _merge(run, 3)
        return True
    run[1] = ELEMENT[form]
    slot = 3
    for i in range(4, -1, -1):
        extent, stride = shape[i], operand[STRIDE + i]
        if extent == 1 or stride == 0:
            continue
        if slot == 3 and stride == run[1]:
            run[1] *= extent
        else:
            run[2 + 2 * slot], run[3 + 2 * slot] = extent, stride
            slot -= 1
    return True


@compiled
def _merge(run, slot):
    """Take steps that follow each other without a gap into the run."""
    for i in range(slot, -1, -1):
        if run[2 + 2 * i] != 1 and run[3 + 2 * i] != run[1]:
            return
        run[1] *= run[2 + 2 * i]
        run[2 + 2 * i], run[3 + 2 * i] = 1, 0


@compiled
def check_runs(operand, run, size, shadow, reads, fault):
    """Alignment, bounds, and for reads that every byte is written."""
    item = ELEMENT[operand[FORMAT]]
    if operand[ORDER] == DENSE and run[0] % item != 0:
        fault[F_X], fault[F_Y] = run[0], item
        return ALIGNMENT_FAULT
    low = high = run[0]
    for i in range(4):
        step = (run[2 + 2 * i] - 1) * run[3 + 2 * i]
        low += min(step, 0)
        high += max(step, 0)
    high += run[1]
    if low < 0 or high > size:
        fault[F_X], fault[F_Y], fault[F_Z] = low, high, size
        return BOUNDS_FAULT
    if reads and shadow != 0:
        for i in range(run[2]):
            for j in range(run[4]):
                for k in range(run[6]):
                    start = run[0] + i * run[3] + j * run[5] + k * run[7]
                    for _ in range(run[8]):
                        where = first_unwritten(shadow, start, start + run[1])
                        if where >= 0:
                            fault[F_X] = where
                            return UNINITIALISED_FAULT
                        start += run[9]
    return 0


@compiled
def mark_runs(run, shadow):
    """Count every run as written."""
    if shadow == 0:
        return
    for i in range(run[2]):
        for j in range(run[4]):
            for k in range(run[6]):
                start = run[0] + i * run[3] + j * run[5] + k * run[7]
                for _ in range(run[8]):
                    mark(shadow, start, start + run[1])
                    start += run[9]
