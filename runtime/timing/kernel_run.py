"""The timing emulator as one compiled function over flat int64 tables.

`code` holds rows, `s` the state, `v` variants, `totals` all that only grows, `marks` the times of
layers, `m` memories of earlier states (kernel_skip). Columns are those of layout.py.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from numba import njit

from ..functional.kernel_alu import alu
from ..functional.kernel_jit import compiled
from .kernel_skip import consider
from .kernel_steps import begin, find_variant, finish, issue, serve
from .layout import (
    ALU,
    ASKED,
    BAD_WORD,
    BEFORE,
    BEGIN,
    BEGINS,
    COST,
    COUNTER,
    E_BEGUN,
    E_COUNTER,
    E_DEPTH,
    E_ENTERED,
    E_EXECUTED,
    E_HALTED,
    E_POP_COUNT,
    E_POPPED,
    E_POPS,
    E_REGISTER,
    E_ROW,
    E_STACK,
    E_TIME,
    END,
    ENGINE_COUNT,
    ENGINE_WIDTH,
    ENGINES,
    FINISHED,
    FIRST_BEGIN,
    FUNCTION,
    HALT,
    IMMEDIATE,
    IS_LAYERS,
    KIND,
    LDP,
    LI,
    LOOP,
    LOOPED,
    LOOPED_DEPTH,
    MARKS,
    MOVE,
    NEED_MARKS,
    NEED_VARIANT,
    NEED_WORD,
    NEXT,
    PAIR,
    POP,
    RA,
    RB,
    RD,
    REFERENCE,
    ROW_WIDTH,
    STACK_WIDTH,
    STUCK,
    TOO_MANY,
    V_BUSY,
    V_LATE,
    VARIANT_TOTALS,
    VARIANT_WIDTH,
    WAITED,
    WAKE,
    WORD_COUNT,
    WORDS,
    WORK,
)


@compiled
def scalar(code, c, s, g, kind):
    """li, alu, ldp; 0 or BAD_WORD."""
    if kind == LI:
        s[g + E_REGISTER + code[c + RD]] = code[c + IMMEDIATE]
    elif kind == ALU:
        b = code[c + IMMEDIATE]
        if code[c + RB] >= 0:
            b = s[g + E_REGISTER + code[c + RB]]
        a = s[g + E_REGISTER + code[c + RA]]
        s[g + E_REGISTER + code[c + RD]] = alu(code[c + FUNCTION], a, b)
    else:
        index = code[c + IMMEDIATE]
        if code[c + RA] >= 0:
            index += s[g + E_REGISTER + code[c + RA]]
        if index < 0 or index >= s[WORD_COUNT]:
            s[ASKED] = index
            return BAD_WORD
        s[g + E_REGISTER + code[c + RD]] = s[s[WORDS] + index]
    return 0


@compiled
def enter(code, c, s, g, row, t, marks):
    """loop: the next row, or -1 where `marks` must grow."""
    count = code[c + IMMEDIATE]
    if code[c + RB] >= 0:
        count = s[g + E_REGISTER + code[c + RB]]
    if code[c + IS_LAYERS] and s[MARKS] + count >= marks.shape[0]:
        s[ASKED] = s[MARKS] + count + 1
        return -1
    s[g + E_COUNTER + code[c + COUNTER]] = 0
    if count <= 0:
        return code[c + PAIR] + 1
    level = g + E_STACK + s[g + E_DEPTH] * STACK_WIDTH
    s[level], s[level + 1], s[level + 2] = row, count - 1, s[g + E_ENTERED]
    s[g + E_DEPTH] += 1
    s[g + E_ENTERED] += 1
    if code[c + IS_LAYERS]:
        marks[s[MARKS]] = t
        s[MARKS] += 1
    return row + 1


@compiled
def come_round(code, c, s, g, e, row, t, marks):
    """next: the following row."""
    s[g + E_COUNTER + code[c + COUNTER]] += 1
    depth = s[g + E_DEPTH] - 1
    level = g + E_STACK + depth * STACK_WIDTH
    if code[c + IS_LAYERS]:
        marks[s[MARKS]] = t
        s[MARKS] += 1
    if s[level + 1] <= 0:
        s[g + E_DEPTH] = depth
        return row + 1
    s[level + 1] -= 1
    if e == s[REFERENCE] and (s[LOOPED] < 0 or depth <= s[LOOPED_DEPTH]):
        s[LOOPED], s[LOOPED_DEPTH] = s[level], depth
    return s[level] + 1


@compiled
def advance(code, s, v, totals, marks, e):
    """Run an engine until it blocks or halts: 0, or what is needed from outside before it can."""
    g = s[ENGINES] + e * ENGINE_WIDTH
    row, t, begun = s[g + E_ROW], s[g + E_TIME], s[g + E_BEGUN]
    executed = answer = 0
    if s[g + E_HALTED]:
        return answer
    while True:
        c = row * ROW_WIDTH
        if begun == 0:
            t += code[c + BEFORE]
            begun = 1
        kind = code[c + KIND]
        many = code[c + BEGINS]
        while begun <= many:
            i = 0 if kind == BEGIN else begun - 1
            x = begin(s, code[c + FIRST_BEGIN + i])
            if x < 0:
                break
            if x > t:
                totals[code[c + WAITED] + i] += x - t
                t = x
            begun += 1
        if begun <= many:
            break
        following = row + 1
        if kind <= LDP:
            answer = scalar(code, c, s, g, kind)
            if answer:
                break
            t += code[c + COST]
        elif kind == WORK or kind == MOVE:
            variant = find_variant(code, c, s, v, g)
            if variant < 0:
                s[ASKED] = row
                answer = NEED_VARIANT
                break
            if kind == WORK:
                t += v[variant * VARIANT_WIDTH + V_BUSY]
                finish(code, c, s, g, t, t + v[variant * VARIANT_WIDTH + V_LATE])
            else:
                x = issue(code, c, s, v, totals, g, variant, t)
                if x < 0:
                    answer = TOO_MANY if x < -1 else 0
                    break
                t = x
            totals[s[VARIANT_TOTALS] + variant] += 1
        elif kind == NEXT:
            following = come_round(code, c, s, g, e, row, t, marks)
        elif kind == LOOP:
            following = enter(code, c, s, g, row, t, marks)
            if following < 0:
                answer = NEED_MARKS
                break
        elif kind == END:
            finish(code, c, s, g, t, t)
        elif kind == POP:
            if s[g + E_POPPED] >= s[g + E_POP_COUNT]:
                s[ASKED] = row
                answer = NEED_WORD
                break
            s[g + E_REGISTER + code[c + RD]] = s[s[g + E_POPS] + s[g + E_POPPED]]
            s[g + E_POPPED] += 1
            t += code[c + COST]
            finish(code, c, s, g, t, t)
        totals[row] += 1
        executed += 1
        begun = 0
        if kind == HALT:
            s[g + E_HALTED] = 1
            break
        row = following
    s[g + E_ROW], s[g + E_TIME], s[g + E_BEGUN] = row, t, begun
    s[g + E_EXECUTED] += executed
    return answer


@njit(
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    error_model="numpy",
    cache=True,
)
def run(code, s, v, totals, marks, m):
    """Go on with a launch: FINISHED, STUCK, or what is needed before it can go on."""
    engines = s[ENGINE_COUNT]
    while True:
        while s[WAKE]:
            for e in range(engines):
                if s[WAKE] >> e & 1:
                    s[WAKE] ^= 1 << e
                    answer = advance(code, s, v, totals, marks, e)
                    if answer:
                        s[WAKE] |= 1 << e
                        return answer
        if s[LOOPED] >= 0:
            consider(code, s, totals, marks, m)
            s[LOOPED] = -1
        if not serve(s, totals):
            break
    for e in range(engines):
        if not s[s[ENGINES] + e * ENGINE_WIDTH + E_HALTED]:
            return STUCK
    return FINISHED
