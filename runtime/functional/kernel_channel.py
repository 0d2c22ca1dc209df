"""Channel steps and places of operands in the compiled engine.

`steps` is [channels, 2]: acquired, committed. `reads` is [channels, engines, 2]: waited, released.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np

from .faults import AGE_FAULT, HELD_FAULT
from .kernel_access import (
    F_CHANNEL,
    F_OPERAND,
    F_X,
    F_Y,
    FULL,
    check_runs,
    clear_lines,
    runs_of,
)
from .kernel_base import bytes_at, words_at
from .kernel_jit import compiled
from .kernel_vector import operand_of
from .layout import (
    ACCESS,
    AGE,
    BEGIN,
    BEGUN,
    C_ADDRESS,
    C_ALIAS,
    C_BYTES,
    C_PRODUCER,
    C_SHADOW,
    C_SLOTS,
    C_SPACE,
    END,
    ID,
    KIND,
    MAX_OPERANDS,
    OFFSET,
    P_FIRST,
    P_PLACE,
    P_RUN,
    P_SHADOW,
    P_SIZE,
    P_SOME,
    PRODUCER,
    R_ADDRESS,
    R_BYTES,
    R_SHADOW,
    REG,
    REGISTER,
    SPACE_ACC,
    SPACE_NONE,
    WRITE,
)

CHANNEL_KIND = 1


@compiled
def least_released(consumers, reads, channel):
    """What every consumer of a channel has released."""
    least = np.int64(2**62)
    for e in range(consumers.shape[1]):
        if consumers[channel, e]:
            least = min(least, reads[channel, e, 1])
    return least


@compiled
def begin_slot(engine, channel, channels, consumers, steps, reads):
    """Acquire or wait for one slot; False where that blocks."""
    if channels[channel, C_PRODUCER] != engine:
        if steps[channel, 1] <= reads[channel, engine, 0]:
            return False
        reads[channel, engine, 0] += 1
        return True
    slots = channels[channel, C_SLOTS]
    if steps[channel, 0] - least_released(consumers, reads, channel) >= slots:
        return False
    if channels[channel, C_SPACE] != SPACE_NONE:
        size = channels[channel, C_BYTES]
        offset = steps[channel, 0] % slots * size
        shadow = channels[channel, C_SHADOW] + offset // 8
        if channels[channel, C_SPACE] == SPACE_ACC:
            bytes_at(channels[channel, C_ADDRESS] + offset, size)[:] = np.uint8(0)
            clear_lines(shadow, size, FULL)
        else:
            clear_lines(shadow, size, np.uint8(0))
    steps[channel, 0] += 1
    return True


@compiled
def held_slots(engine, channel, channels, steps, reads):
    """Slots that an engine holds of a channel."""
    if channels[channel, C_PRODUCER] == engine:
        return steps[channel, 0] - steps[channel, 1]
    return reads[channel, engine, 0] - reads[channel, engine, 1]


@compiled
def end_slot(engine, channel, channels, steps, reads):
    """Commit or release the oldest held slot."""
    if channels[channel, C_PRODUCER] == engine:
        steps[channel, 1] += 1
    else:
        reads[channel, engine, 1] += 1


@compiled
def begin_operands(row, engine, state, channels, consumers, steps, reads):
    """All begins of an instruction, in the order of its operands; False where one blocks."""
    for i in range(MAX_OPERANDS):
        operand = operand_of(row, i)
        if operand[BEGIN] and not (state[BEGUN] >> i) & 1:
            if not begin_slot(engine, operand[ID], channels, consumers, steps, reads):
                return False
            state[BEGUN] |= 1 << i
    return True


@compiled
def end_operands(row, engine, channels, steps, reads):
    """All ends of an instruction, in the order of its operands."""
    for i in range(MAX_OPERANDS):
        operand = operand_of(row, i)
        if operand[END]:
            end_slot(engine, operand[ID], channels, steps, reads)


@compiled
def find_halt_fault(engine, channels, consumers, steps, reads, fault):
    """A halting engine holds nothing."""
    for c in range(channels.shape[0]):
        if channels[c, C_PRODUCER] == engine or consumers[c, engine]:
            held = held_slots(engine, c, channels, steps, reads)
            if held:
                fault[F_CHANNEL], fault[F_X] = c, held
                return HELD_FAULT
    return 0


@compiled
def open_operand(row, index, shape, more, engine, state, channels, regions, steps, reads, place,
                 checks, fault):  # fmt: skip
    """Find and check an operand with a clipped shape, `more` bytes further than it says.

    Fills `place[index]`; 0 or a fault's number.
    """
    operand = operand_of(row, index)
    out = place[index]
    number = operand[ID]
    fault[F_OPERAND] = index
    if operand[KIND] == CHANNEL_KIND:
        held = held_slots(engine, number, channels, steps, reads)
        if operand[AGE] >= held:
            fault[F_X], fault[F_Y] = operand[AGE], held
            return AGE_FAULT
        oldest = steps[number, 1] if operand[PRODUCER] else reads[number, engine, 1]
        size = channels[number, C_BYTES]
        offset = (oldest + operand[AGE]) % channels[number, C_SLOTS] * size
        out[P_PLACE] = channels[number, C_ADDRESS] + offset
        out[P_SIZE], out[P_SHADOW] = size, channels[number, C_SHADOW] + offset // 8
        if channels[number, C_ALIAS] and not operand[PRODUCER]:
            other = words_at(channels[number, C_ALIAS], channels[number, C_SLOTS])[offset // size]
            if other:
                out[P_PLACE] = other
    else:
        out[P_PLACE], out[P_SIZE] = regions[number, R_ADDRESS], regions[number, R_BYTES]
        out[P_SHADOW] = regions[number, R_SHADOW]
    if not checks:
        out[P_SHADOW] = 0
    shift = more
    if operand[REG] >= 0:
        shift += state[REGISTER + operand[REG]]
    out[P_FIRST] = out[P_PLACE] + operand[OFFSET] + shift
    run = out[P_RUN:]
    out[P_SOME] = 1 if runs_of(operand, shift, shape, run) else 0
    if not out[P_SOME]:
        return 0
    return check_runs(operand, run, out[P_SIZE], out[P_SHADOW], operand[ACCESS] != WRITE, fault)
