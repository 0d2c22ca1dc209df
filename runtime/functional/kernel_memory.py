"""Memory instructions of the compiled engine: clip, open and check operands, run the kernel."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .faults import EXTENT_FAULT
from .kernel_access import F_OPERAND, F_X, F_Y, F_Z, mark_runs
from .kernel_base import call_unit, float_of, integers_at, words_at
from .kernel_channel import CHANNEL_KIND, open_operand
from .kernel_jit import compiled
from .kernel_move import copy_box, fill_runs
from .kernel_vector import operand_of
from .layout import (
    ALWAYS,
    BOUNDS,
    C_ADDRESS,
    C_ALIAS,
    C_BYTES,
    C_SLOTS,
    CONSTANT_BITS,
    CONSTANT_KIND,
    COPY,
    FILL,
    FORMAT,
    GATHER,
    HI,
    ID,
    KIND,
    KN,
    LO,
    MM,
    NEVER,
    NK,
    OP,
    ORDER,
    P_FIRST,
    P_PLACE,
    P_RUN,
    P_SHADOW,
    P_SIZE,
    P_SOME,
    RANK,
    REGISTER,
    SCATTER,
    SHAPE,
    STEP,
    STRIDE,
    TRANSPOSED,
    VEC,
    VQUANT,
    VTOPK,
    VTR,
)


@compiled
def clip(row, state, axis, extent):
    """An extent after its bound register."""
    register = row[BOUNDS + axis]
    if register < 0:
        return extent
    return max(0, min(extent, state[REGISTER + register]))


@compiled
def wrote(place, index):
    """Count what an open operand covers as written."""
    if place[index, P_SOME]:
        mark_runs(place[index, P_RUN:], place[index, P_SHADOW])


@compiled
def _pad(shape, rows, mid, columns):
    shape[0], shape[1], shape[2], shape[3], shape[4] = rows, mid, columns, 1, 1


@compiled
def step_copy(row, engine, state, channels, regions, steps, reads, place, shape, checks, fault):
    """copy."""
    dst, src = operand_of(row, 0), operand_of(row, 1)
    box, inside = shape[0], shape[1]
    for i in range(5):
        box[i] = clip(row, state, i, dst[SHAPE + i])
        inside[i] = min(box[i], src[SHAPE + i])
    code = open_operand(row, 0, box, 0, engine, state, channels, regions, steps, reads, place,
                        checks, fault)  # fmt: skip
    if code:
        return code
    code = open_operand(row, 1, inside, 0, engine, state, channels, regions, steps, reads, place,
                        checks, fault)  # fmt: skip
    if code:
        return code
    if not place[0, P_SOME]:
        return 0
    if dst[KIND] == CHANNEL_KIND and channels[dst[ID], C_ALIAS]:
        c = dst[ID]
        slot = (place[0, P_PLACE] - channels[c, C_ADDRESS]) // channels[c, C_BYTES]
        words = words_at(channels[c, C_ALIAS], channels[c, C_SLOTS])
        words[slot] = 0
        same = is_one_run(place[0, P_RUN:]) and is_one_run(place[1, P_RUN:])
        same = same and place[1, P_SOME] and place[0, P_RUN + 1] == place[1, P_RUN + 1]
        before = place[1, P_RUN] - place[0, P_RUN]
        # Unchecked, a program may read all of the slot: then all of it must be in the region.
        inside_region = before >= 0 and before + channels[c, C_BYTES] <= place[1, P_SIZE]
        if same and (checks or inside_region):
            words[slot] = place[1, P_PLACE] + before
            wrote(place, 0)
            return 0
    copy_box(dst, place[0, P_FIRST], src, place[1, P_FIRST], box, inside)
    wrote(place, 0)
    return 0


@compiled
def is_one_run(run):
    """Whether bytes follow each other without a gap, in the order of the elements."""
    return run[2] == 1 and run[4] == 1 and run[6] == 1 and run[8] == 1


@compiled
def step_fill(row, engine, state, channels, regions, steps, reads, place, shape, checks, scratch,
              fault):  # fmt: skip
    """fill."""
    dst, box = operand_of(row, 0), shape[0]
    for i in range(5):
        box[i] = clip(row, state, i, dst[SHAPE + i])
    code = open_operand(row, 0, box, 0, engine, state, channels, regions, steps, reads, place,
                        checks, fault)  # fmt: skip
    if code == 0 and place[0, P_SOME]:
        value = float_of(np.int32(operand_of(row, 1)[CONSTANT_BITS]))
        fill_runs(dst[FORMAT], place[0, P_PLACE], place[0, P_RUN:], value, scratch)
        wrote(place, 0)
    return code


@compiled
def step_rows(row, engine, state, channels, regions, steps, reads, place, shape, checks, fault):
    """gather and scatter."""
    gathers = row[OP] == GATHER
    listed, numbered = (0, 1) if gathers else (1, 0)
    whole, chosen = operand_of(row, listed), operand_of(row, numbered)
    index = operand_of(row, 2)
    box, one = shape[0], shape[1]
    axis = 5 - whole[RANK]
    for i in range(5):
        box[i] = one[i] = whole[SHAPE + i]
    count = clip(row, state, axis, whole[SHAPE + axis])
    box[axis], one[axis] = count, 1
    fault[F_OPERAND] = 2
    if index[SHAPE + 4] < count:
        fault[F_X], fault[F_Y], fault[F_Z] = index[SHAPE + 4], count, 0
        return EXTENT_FAULT
    shape[2, :4] = 1
    shape[2, 4] = count
    code = open_operand(row, 2, shape[2], 0, engine, state, channels, regions, steps, reads, place,
                        checks, fault)  # fmt: skip
    if code:
        return code
    code = open_operand(row, listed, box, 0, engine, state, channels, regions, steps, reads, place,
                        checks, fault)  # fmt: skip
    if code or not place[listed, P_SOME]:
        return code
    inside = shape[2]
    for i in range(count):
        number = np.int64(integers_at(place[2, P_FIRST] + i * index[STRIDE + 4], 1)[0])
        known = 0 <= number < chosen[SHAPE + axis]
        if not known and not gathers:
            continue
        if known:
            more = number * chosen[STRIDE + axis]
            code = open_operand(row, numbered, one, more, engine, state, channels, regions, steps,
                                reads, place, checks, fault)  # fmt: skip
            if code:
                return code
        inside[:] = one
        if not known:
            inside[4] = 0
        line = place[listed, P_FIRST] + i * whole[STRIDE + axis]
        if gathers:
            copy_box(whole, line, chosen, place[1, P_FIRST], one, inside)
        else:
            copy_box(chosen, place[0, P_FIRST], whole, line, one, inside)
            wrote(place, 0)
    if gathers:
        wrote(place, 0)
    return 0


@compiled
def _short(fault, index, have, wanted, axis):
    fault[F_OPERAND], fault[F_X], fault[F_Y], fault[F_Z] = index, have, wanted, axis
    return have < wanted


@compiled
def step_mm(row, engine, state, channels, regions, steps, reads, place, shape, checks, scratch,
            units, fault):  # fmt: skip
    """mm."""
    acc, a, b = operand_of(row, 0), operand_of(row, 1), operand_of(row, 2)
    m = clip(row, state, 0, acc[SHAPE])
    n = clip(row, state, 1, acc[SHAPE + 2])
    k = clip(row, state, 2, a[SHAPE + 2])
    turned = row[TRANSPOSED] != 0 or b[ORDER] == NK
    if _short(fault, 1, a[SHAPE], m, 0):
        return EXTENT_FAULT
    if _short(fault, 2, b[SHAPE], n if turned else k, 0):
        return EXTENT_FAULT
    columns = b[SHAPE + 2]
    if b[ORDER] == KN:
        columns = min(columns, b[STRIDE + 2])
    if _short(fault, 2, columns, k if turned else n, 1):
        return EXTENT_FAULT
    if m == 0 or n == 0 or k == 0:
        return 0
    box = shape[0]
    for index in range(3):
        if index == 0:
            _pad(box, m, 1, n)
        elif index == 1:
            _pad(box, m, 1, k)
        elif turned:
            _pad(box, n, 1, k)
        else:
            _pad(box, k, 1, n)
        code = open_operand(row, index, box, 0, engine, state, channels, regions, steps, reads,
                            place, checks, fault)  # fmt: skip
        if code:
            return code
    _pad(box, m, n, k)
    call_unit(units[0], row.ctypes.data, place.ctypes.data, box.ctypes.data, 0, 0, scratch)
    wrote(place, 0)
    return 0


@compiled
def step_vector(row, engine, state, channels, regions, steps, reads, place, shape, checks, scratch,
                units, fault):  # fmt: skip
    """All instructions of the vector unit."""
    op = row[OP]
    first = 0
    if op == VTOPK or (op == VEC and operand_of(row, 0)[KIND] == 0):
        first = 2
    elif op == VTR:
        first = 1
    shaped = operand_of(row, first)
    box, other = shape[0], shape[1]
    _pad(box, clip(row, state, 0, shaped[SHAPE]), clip(row, state, 1, shaped[SHAPE + 1]),
         clip(row, state, 2, shaped[SHAPE + 2]))  # fmt: skip
    for index in range(6):
        operand = operand_of(row, index)
        if operand[KIND] == 0 or operand[KIND] == CONSTANT_KIND:
            continue
        other[:] = box
        if op == VTR and index == 0:
            other[0], other[2] = box[2], box[0]
        elif (op == VEC and index == 1) or (op == VTOPK and index < 2):
            other[2] = 1
        elif op == VQUANT and index == 1:
            block = operand_of(row, 0)[SHAPE + 2] // operand[SHAPE + 2]
            other[2] = (box[2] + block - 1) // block
        code = open_operand(row, index, other, 0, engine, state, channels, regions, steps, reads,
                            place, checks, fault)  # fmt: skip
        if code:
            return code
    low = state[REGISTER + row[LO]] if op == VEC and row[LO] >= 0 else NEVER
    high = state[REGISTER + row[HI]] if op == VEC and row[HI] >= 0 else ALWAYS
    if op == VEC and row[STEP] and shaped[RANK] == 1:
        # The band's row is the column itself: a limit keeps all columns or none.
        low = NEVER if low <= 0 else ALWAYS
        high = ALWAYS if high > 0 else NEVER
    call_unit(units[1], row.ctypes.data, place.ctypes.data, box.ctypes.data, low, high, scratch)
    for index in range(2):
        operand = operand_of(row, index)
        if operand[KIND] != 0 and (index == 0 or op == VEC or op == VQUANT or op == VTOPK):
            wrote(place, index)
    return 0


@compiled
def step_memory(row, engine, state, channels, regions, steps, reads, place, shape, checks, scratch,
                units, fault):  # fmt: skip
    """One memory instruction whose slots have begun; 0 or a fault's number."""
    op = row[OP]
    if op == MM:
        return step_mm(row, engine, state, channels, regions, steps, reads, place, shape, checks,
                       scratch, units, fault)  # fmt: skip
    if op == COPY:
        return step_copy(row, engine, state, channels, regions, steps, reads, place, shape, checks,
                         fault)  # fmt: skip
    if op == FILL:
        return step_fill(row, engine, state, channels, regions, steps, reads, place, shape, checks,
                         scratch, fault)  # fmt: skip
    if op == GATHER or op == SCATTER:
        return step_rows(row, engine, state, channels, regions, steps, reads, place, shape, checks,
                         fault)  # fmt: skip
    return step_vector(row, engine, state, channels, regions, steps, reads, place, shape, checks,
                       scratch, units, fault)  # fmt: skip
