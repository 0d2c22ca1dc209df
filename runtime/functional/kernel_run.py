"""The whole launch in one compiled function: scalar instructions, turns of engines, the end.

Compiled once for one signature and cached on disk; everything below it is compiled into it.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

import numpy as np
from numba import njit

from ...backend.isa.field import REGISTERS
from ...backend.isa.rows_scalar import SYNC_KINDS
from .faults import (
    COMMIT_FAULT,
    DEADLOCK_FAULT,
    POP_FAULT,
    RELEASE_FAULT,
    TABLE_FAULT,
    UNFINISHED_FAULT,
)
from .kernel_access import F_CHANNEL, F_X, F_Y, first_unwritten
from .kernel_alu import alu
from .kernel_base import integers_at, words_at
from .kernel_channel import (
    begin_operands,
    begin_slot,
    end_operands,
    end_slot,
    find_halt_fault,
    held_slots,
    least_released,
)
from .kernel_jit import compiled
from .kernel_memory import step_memory
from .layout import (
    ALU,
    BEGUN,
    C_ADDRESS,
    C_BYTES,
    C_MAX,
    C_PRIMED,
    C_SHADOW,
    C_SLOTS,
    CHANNEL_NUMBER,
    COUNT,
    COUNTER,
    EXECUTED,
    FUNCTION,
    HALT,
    HALTED,
    IMMEDIATE,
    LDP,
    LI,
    LOOP,
    LOOP_COUNT,
    NEXT,
    OP,
    PAIR,
    PC,
    POP,
    RA,
    RB,
    RD,
    REGISTER,
    SYNC,
)
from .orders import MAX_RANDOM_QUANTUM

ACQUIRE, WAIT, COMMIT = (SYNC_KINDS.index(k) for k in ("acquire", "wait", "commit"))
BLOCKED, DONE = -1, 0
COUNTERS = REGISTER + REGISTERS


@compiled
def pop_word(row, engine, state, channels, consumers, steps, reads, checks, fault):
    """Take a word out of a scalar channel."""
    c = row[CHANNEL_NUMBER]
    if not begin_slot(engine, c, channels, consumers, steps, reads):
        return BLOCKED
    size = channels[c, C_BYTES]
    offset = reads[c, engine, 1] % channels[c, C_SLOTS] * size + row[IMMEDIATE]
    word = np.int64(integers_at(channels[c, C_ADDRESS] + offset, 1)[0])
    fault[F_CHANNEL], fault[F_Y] = c, channels[c, C_MAX]
    unwritten = checks and first_unwritten(channels[c, C_SHADOW], offset, offset + 4) >= 0
    if unwritten or word < 0 or word > channels[c, C_MAX]:
        fault[F_X] = -1 if unwritten else word
        return POP_FAULT
    state[REGISTER + row[RD]] = word
    end_slot(engine, c, channels, steps, reads)
    return DONE


@compiled
def sync(row, engine, state, channels, consumers, steps, reads, fault):
    """n steps of a channel; those done before a block are counted in BEGUN."""
    c, kind = row[CHANNEL_NUMBER], row[FUNCTION]
    while state[BEGUN] < row[COUNT]:
        if kind == ACQUIRE or kind == WAIT:
            if not begin_slot(engine, c, channels, consumers, steps, reads):
                return BLOCKED
        else:
            if held_slots(engine, c, channels, steps, reads) < 1:
                fault[F_CHANNEL] = c
                return COMMIT_FAULT if kind == COMMIT else RELEASE_FAULT
            end_slot(engine, c, channels, steps, reads)
        state[BEGUN] += 1
    return DONE


@compiled
def step(row, engine, state, channels, consumers, regions, steps, reads, words, place, shape,
         checks, scratch, units, fault):  # fmt: skip
    """Execute one instruction: DONE, BLOCKED, or a fault's number."""
    op = row[OP]
    following = state[PC] + 1
    code = DONE
    if op == LI:
        state[REGISTER + row[RD]] = row[IMMEDIATE]
    elif op == ALU:
        b = row[IMMEDIATE] if row[RB] < 0 else state[REGISTER + row[RB]]
        state[REGISTER + row[RD]] = alu(row[FUNCTION], state[REGISTER + row[RA]], b)
    elif op == LDP:
        index = row[IMMEDIATE] + (0 if row[RA] < 0 else state[REGISTER + row[RA]])
        if index < 0 or index >= words.size:
            fault[F_X], fault[F_Y] = index, words.size - 1
            return TABLE_FAULT
        state[REGISTER + row[RD]] = words[index]
    elif op == LOOP:
        count = row[IMMEDIATE] if row[RB] < 0 else state[REGISTER + row[RB]]
        state[LOOP_COUNT + row[COUNTER]] = count
        state[COUNTERS + row[COUNTER]] = 0
        if count <= 0:
            following = row[PAIR] + 1
    elif op == NEXT:
        counter = row[COUNTER]
        state[COUNTERS + counter] += 1
        if state[COUNTERS + counter] < state[LOOP_COUNT + counter]:
            following = row[PAIR] + 1
    elif op == POP:
        code = pop_word(row, engine, state, channels, consumers, steps, reads, checks, fault)
    elif op == SYNC:
        code = sync(row, engine, state, channels, consumers, steps, reads, fault)
    elif op == HALT:
        code = find_halt_fault(engine, channels, consumers, steps, reads, fault)
        state[HALTED] = 1
        following = state[PC]
    else:
        if not begin_operands(row, engine, state, channels, consumers, steps, reads):
            return BLOCKED
        code = step_memory(row, engine, state, channels, regions, steps, reads, place, shape,
                           checks, scratch, units, fault)  # fmt: skip
        if code == DONE:
            end_operands(row, engine, channels, steps, reads)
    if code == DONE:
        state[PC] = following
        state[BEGUN] = 0
        state[EXECUTED] += 1
    return code


@compiled
def next_random(state):
    """One step of a 32-bit xorshift generator; never 0."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    return state ^ ((state << 5) & 0xFFFFFFFF)


@compiled
def shuffle(turns, state):
    """Shuffle the engines; the generator's next state."""
    for i in range(len(turns) - 1, 0, -1):
        state = next_random(state)
        j = state % (i + 1)
        turns[i], turns[j] = turns[j], turns[i]
    return next_random(state)


@compiled
def unowned(table):
    """The same memory as an array without an owner: slices of it count no references.

    Counting is an atomic operation for each slice taken; it was two fifths of a decode step.
    """
    return words_at(table.ctypes.data, table.size).reshape(table.shape)


@njit(
    "int64(int64[:,::1], int64[::1], int64[:,::1], int64[:,::1], int64[:,::1], int64[:,::1],"
    " int64[:,::1], int64[:,:,::1], int64[::1], int64[:,::1], int64[:,::1], int64[::1], int64,"
    " int64, int64, int64, int64, int64[::1], int64[::1])",
    nogil=True,
    error_model="numpy",
    cache=True,
)
def run(rows, starts, channels, consumers, regions, engines, steps, reads, words, place, shape,
        turns, quantum, restart, seed, checks, scratch, units, fault):  # fmt: skip
    """One launch: 0, or a fault's number with its numbers in `fault` (the engine in the last)."""
    rows, starts, channels = unowned(rows), unowned(starts), unowned(channels)
    consumers, regions, engines = unowned(consumers), unowned(regions), unowned(engines)
    steps, reads, words = unowned(steps), unowned(reads), unowned(words)
    place, shape, turns = unowned(place), unowned(shape), unowned(turns)
    units, fault = unowned(units), unowned(fault)
    random, left = seed, quantum
    live = 0
    for i in range(len(turns)):
        live += 1 - engines[i, HALTED]
    while live > 0:
        if random:
            random = shuffle(turns, random)
            left = 1 + random % MAX_RANDOM_QUANTUM
        progress = False
        for i in range(len(turns)):
            engine = turns[i]
            state = engines[engine]
            count = 0
            while count < left and not state[HALTED]:
                row = rows[starts[engine] + state[PC]]
                code = step(row, engine, state, channels, consumers, regions, steps, reads, words,
                            place, shape, checks, scratch, units, fault)  # fmt: skip
                if code == BLOCKED:
                    break
                if code != DONE:
                    fault[-1] = engine
                    return code
                count += 1
                progress = True
                if state[HALTED]:
                    live -= 1
            if progress and restart:
                break
        if not progress:
            return DEADLOCK_FAULT
    for c in range(channels.shape[0]):
        over = steps[c, 1] - least_released(consumers, reads, c)
        if over != channels[c, C_PRIMED]:
            fault[F_CHANNEL], fault[F_X], fault[F_Y] = c, over, channels[c, C_PRIMED]
            return UNFINISHED_FAULT
    return DONE
