"""Fast-forward of the compiled timing emulator: loops whose trips repeat are added up.

When the reference engine has come round a loop and all engines stand blocked, the state is written
down relative to main memory's time. If it equals an earlier one of the same run of that loop, what
happened between both happens again for as long as every loop that went on has trips left.

A counter that can reach a bound belongs to the state: a loop that clips its own last tile never
repeats by itself, only as a part of the loops around it.

A memory of `m`, one for each loop: a header, the exact part, the shifted part, all totals.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from ..functional.kernel_jit import compiled
from .layout import (
    C_ACQUIRED,
    C_COMMITTED,
    C_CONSUMER,
    C_CONSUMERS,
    C_SLOTS,
    C_TIMES,
    CHANNEL_COUNT,
    CHANNEL_WIDTH,
    CHANNELS,
    COUNTER,
    E_BEGUN,
    E_COUNTER,
    E_DEPTH,
    E_DONE,
    E_END_ROOM,
    E_ENDS,
    E_EXECUTED,
    E_FIRST_END,
    E_FLIGHT,
    E_HALTED,
    E_LARGEST,
    E_NEXT,
    E_NEXT_END,
    E_OLDEST,
    E_POPPED,
    E_QUEUE,
    E_READ,
    E_REGISTER,
    E_ROOM,
    E_ROW,
    E_STACK,
    E_TIME,
    E_UNSERVED,
    END_WIDTH,
    ENGINE_COUNT,
    ENGINE_SHIFT,
    ENGINE_WIDTH,
    ENGINES,
    FREE_AT,
    LAST_QUEUE,
    LIVE,
    LOOP_MEMORY,
    LOOPED,
    LOOPED_DEPTH,
    M_AT,
    M_BAD,
    M_COUNT,
    M_ENTRY,
    M_LENGTH,
    M_MARKS,
    M_ROWS,
    M_VALID,
    MARKS,
    MEMORY_EXACT,
    MEMORY_HEADER,
    MEMORY_SHIFTED,
    N_CODE,
    N_FLOOR,
    N_MOVE,
    NEVER,
    Q_BURSTS,
    Q_DONE,
    Q_HANDED,
    Q_HELD,
    Q_LATENCY,
    Q_LEFT,
    QUEUE_WIDTH,
    REFERENCE,
    ROW_WIDTH,
    SKIPPED,
    SKIPS,
    STACK_WIDTH,
    WORTH,
)

PATIENCE = 40
"""After so many trips without a repetition, look only at trips that are powers of two."""
TOO_LONG = -1
EXACT = MEMORY_HEADER
SHIFTED = EXACT + MEMORY_EXACT
TOTALS = SHIFTED + MEMORY_SHIFTED
ROOM_FOR_ONE = 64
"""Most columns that are written between two looks at the room that is left."""


@compiled
def after(x, now):
    """How long from now; a past time has no meaning any more."""
    return x - now if x > now else 0


@compiled
def write_engine(code, s, m, k, end, g, now):
    """The exact part of an engine; the next free column, or TOO_LONG."""
    m[k], m[k + 1] = s[g + E_ROW], s[g + E_BEGUN]
    m[k + 2], m[k + 3] = s[g + E_HALTED], s[g + E_DEPTH]
    m[k + 4], m[k + 5] = after(s[g + E_READ], now), after(s[g + E_DONE], now)
    m[k + 6] = s[g + E_POPPED]
    k += 7
    for d in range(s[g + E_DEPTH]):
        m[k] = s[g + E_STACK + d * STACK_WIDTH]
        k += 1
    live = code[s[g + E_ROW] * ROW_WIDTH + LIVE]
    register = 0
    while live >> register:
        if live >> register & 1:
            m[k] = s[g + E_REGISTER + register]
            k += 1
        register += 1
    if s[g + E_QUEUE] < 0:
        return k
    room = s[g + E_ROOM]
    # Moves that are done count no more: nothing will be issued before now.
    while s[g + E_OLDEST] < s[g + E_UNSERVED]:
        move = s[g + E_QUEUE] + s[g + E_OLDEST] % room * QUEUE_WIDTH
        if s[move + Q_DONE] > now:
            break
        s[g + E_FLIGHT] -= s[move + Q_BURSTS]
        s[g + E_OLDEST] += 1
    oldest = s[g + E_OLDEST]
    m[k], m[k + 1] = s[g + E_UNSERVED] - oldest, s[g + E_NEXT] - oldest
    m[k + 2], m[k + 3] = s[g + E_LARGEST], s[g + E_NEXT_END] - s[g + E_FIRST_END]
    k += 4
    for i in range(oldest, s[g + E_NEXT]):
        if k + ROOM_FOR_ONE > end:
            return TOO_LONG
        move = s[g + E_QUEUE] + i % room * QUEUE_WIDTH
        m[k], m[k + 1] = s[move + Q_BURSTS], s[move + Q_HELD]
        if i < s[g + E_UNSERVED]:
            m[k + 2] = s[move + Q_DONE] - now
            k += 3
        else:
            m[k + 2], m[k + 3] = after(s[move + Q_HANDED], now), s[move + Q_LEFT]
            m[k + 4] = s[move + Q_LATENCY]
            k += 5
    for i in range(s[g + E_FIRST_END], s[g + E_NEXT_END]):
        if k + ROOM_FOR_ONE > end:
            return TOO_LONG
        at = s[g + E_ENDS] + i % s[g + E_END_ROOM] * END_WIDTH
        m[k], m[k + 1] = s[at + N_MOVE] - oldest, after(s[at + N_FLOOR], now)
        m[k + 2] = s[at + N_CODE]
        k += 3
    return k


@compiled
def least_free(s, c, now):
    """Slots of a channel that are free for good: released by all consumers by now."""
    slots, least = s[c + C_SLOTS], s[c + C_ACQUIRED]
    for j in range(s[c + C_CONSUMERS]):
        number = s[c + C_CONSUMER + 2 * j + 1]
        times = s[c + C_TIMES] + (1 + j) * slots
        first = max(0, s[c + C_ACQUIRED] - slots)
        while number > first and s[times + (number - 1) % slots] > now:
            number -= 1
        least = min(least, number)
    return least


@compiled
def write_channel(s, m, k, end, c, now):
    """The exact part of a channel; the next free column, or TOO_LONG."""
    slots, times = s[c + C_SLOTS], s[c + C_TIMES]
    base = least_free(s, c, now)
    consumers = s[c + C_CONSUMERS]
    if k + (1 + consumers) * (3 + s[c + C_ACQUIRED] - base) + ROOM_FOR_ONE > end:
        return TOO_LONG
    m[k], m[k + 1] = s[c + C_ACQUIRED] - base, s[c + C_COMMITTED] - base
    k += 2
    for i in range(base, s[c + C_COMMITTED]):
        m[k] = after(s[times + i % slots], now)
        k += 1
    for j in range(consumers):
        released = s[c + C_CONSUMER + 2 * j + 1]
        m[k], m[k + 1] = s[c + C_CONSUMER + 2 * j] - base, released - base
        k += 2
        for i in range(base, released):
            m[k] = after(s[times + (1 + j) * slots + i % slots], now)
            k += 1
    return k


@compiled
def write_down(code, s, m, base):
    """The state at `base`: columns of the exact part, or TOO_LONG."""
    now, end = s[FREE_AT], base + SHIFTED
    k = base + EXACT
    m[k] = s[LAST_QUEUE]
    k += 1
    for e in range(s[ENGINE_COUNT]):
        g = s[ENGINES] + e * ENGINE_WIDTH
        if k + ROOM_FOR_ONE > end:
            return TOO_LONG
        k = write_engine(code, s, m, k, end, g, now)
        if k < 0:
            return TOO_LONG
        at = base + SHIFTED + e * ENGINE_SHIFT
        m[at], m[at + 1] = s[g + E_TIME], s[g + E_EXECUTED]
        for d in range(s[g + E_DEPTH]):
            level = g + E_STACK + d * STACK_WIDTH
            m[at + 2 + 2 * d], m[at + 3 + 2 * d] = s[level + 1], s[level + 2]
    for i in range(s[CHANNEL_COUNT]):
        k = write_channel(s, m, k, end, s[CHANNELS] + i * CHANNEL_WIDTH, now)
        if k < 0:
            return TOO_LONG
    return k - base - EXACT


@compiled
def repetitions(s, m, old, new, dt):
    """How often what happened from `old` to `new` will happen again; 0 where it will not."""
    most = NEVER
    for e in range(s[ENGINE_COUNT]):
        g = s[ENGINES] + e * ENGINE_WIDTH
        a, b = old + SHIFTED + e * ENGINE_SHIFT, new + SHIFTED + e * ENGINE_SHIFT
        if m[a + 1] == m[b + 1]:
            if m[a] != m[b]:
                return 0
        elif m[b] - m[a] != dt:
            return 0
        for d in range(s[g + E_DEPTH]):
            gone = m[a + 2 + 2 * d] - m[b + 2 + 2 * d]
            if gone == 0:
                continue
            # Another entry of the loop must stand where the first stood.
            if m[a + 3 + 2 * d] != m[b + 3 + 2 * d] or gone < 0:
                return 0
            most = min(most, m[b + 2 + 2 * d] // gone)
    return most if most < NEVER else 0


@compiled
def skip(code, s, m, old, new, times, dt):
    """Let `times` repetitions of `dt` picoseconds pass at once, but for totals and marks."""
    now, shift = s[FREE_AT], times * dt
    for e in range(s[ENGINE_COUNT]):
        g = s[ENGINES] + e * ENGINE_WIDTH
        a, b = old + SHIFTED + e * ENGINE_SHIFT, new + SHIFTED + e * ENGINE_SHIFT
        moved = m[b + 1] - m[a + 1]
        if moved:
            s[g + E_TIME] += shift
        s[g + E_EXECUTED] += times * moved
        s[SKIPPED] += times * moved
        for d in range(s[g + E_DEPTH]):
            gone = m[a + 2 + 2 * d] - m[b + 2 + 2 * d]
            level = g + E_STACK + d * STACK_WIDTH
            s[level + 1] -= times * gone
            s[g + E_COUNTER + code[s[level] * ROW_WIDTH + COUNTER]] += times * gone
        for column in (E_READ, E_DONE):
            if s[g + column] > now:
                s[g + column] += shift
        if s[g + E_QUEUE] < 0:
            continue
        for i in range(s[g + E_OLDEST], s[g + E_NEXT]):
            move = s[g + E_QUEUE] + i % s[g + E_ROOM] * QUEUE_WIDTH
            for column in (Q_DONE, Q_HANDED):
                if s[move + column] > now:
                    s[move + column] += shift
        for i in range(s[g + E_FIRST_END], s[g + E_NEXT_END]):
            at = s[g + E_ENDS] + i % s[g + E_END_ROOM] * END_WIDTH
            if s[at + N_FLOOR] > now:
                s[at + N_FLOOR] += shift
    for i in range(s[CHANNEL_COUNT]):
        c = s[CHANNELS] + i * CHANNEL_WIDTH
        for at in range(s[c + C_TIMES], s[c + C_TIMES] + (1 + s[c + C_CONSUMERS]) * s[c + C_SLOTS]):
            if s[at] > now:
                s[at] += shift
    s[FREE_AT] += shift


@compiled
def consider(code, s, totals, marks, m):
    """Look at the loop that came round; skip what repeats."""
    g = s[ENGINES] + s[REFERENCE] * ENGINE_WIDTH
    if s[LOOPED_DEPTH] >= s[g + E_DEPTH]:
        return
    level = g + E_STACK + s[LOOPED_DEPTH] * STACK_WIDTH
    if s[level] != s[LOOPED]:
        return
    width = TOTALS + totals.shape[0]
    spare = m.shape[0] - width
    base = code[s[level] * ROW_WIDTH + LOOP_MEMORY] * width
    if m[base + M_ENTRY] != s[level + 2] + 1:
        m[base + M_ENTRY], m[base + M_COUNT], m[base + M_VALID] = s[level + 2] + 1, 0, 0
    executed = 0
    for e in range(s[ENGINE_COUNT]):
        executed += s[s[ENGINES] + e * ENGINE_WIDTH + E_EXECUTED]
    trip = executed - m[base + M_ROWS]
    m[base + M_ROWS] = executed
    m[base + M_COUNT] += 1
    count, left = m[base + M_COUNT], s[level + 1]
    power = count & (count - 1) == 0
    if left < 1 or count == 1 or left * trip < s[WORTH] or (count > PATIENCE and not power):
        return
    if m[base + M_BAD] > PATIENCE:
        return
    length = write_down(code, s, m, spare)
    if length == TOO_LONG:
        m[base + M_BAD] += 1
        return
    same = m[base + M_VALID] == 1 and m[base + M_LENGTH] == length
    i = 0
    while same and i < length:
        same = m[base + EXACT + i] == m[spare + EXACT + i]
        i += 1
    dt = s[FREE_AT] - m[base + M_AT]
    times = repetitions(s, m, base, spare, dt) if same else 0
    if times > 0:
        add_up(s, totals, marks, m, base, times, dt)
        skip(code, s, m, base, spare, times, dt)
        s[SKIPS] += 1
        m[base + M_BAD] = 0
    elif power or m[base + M_VALID] == 0:
        m[base + M_VALID], m[base + M_LENGTH], m[base + M_AT] = 1, length, s[FREE_AT]
        m[base + M_MARKS] = s[MARKS]
        m[base + M_BAD] += 1
        for i in range(length):
            m[base + EXACT + i] = m[spare + EXACT + i]
        for i in range(s[ENGINE_COUNT] * ENGINE_SHIFT):
            m[base + SHIFTED + i] = m[spare + SHIFTED + i]
        for i in range(totals.shape[0]):
            m[base + TOTALS + i] = totals[i]


@compiled
def add_up(s, totals, marks, m, base, times, dt):
    """Totals, and the marks of layers, of the repetitions."""
    for i in range(totals.shape[0]):
        totals[i] += times * (totals[i] - m[base + TOTALS + i])
    first, end = m[base + M_MARKS], s[MARKS]
    for r in range(times):
        for i in range(first, end):
            marks[s[MARKS]] = marks[i] + (r + 1) * dt
            s[MARKS] += 1
