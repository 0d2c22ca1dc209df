"""Steps of the compiled timing emulator: channels, variants, queues, main memory."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from ..functional.kernel_jit import compiled
from .layout import (
    AXES,
    BOUND,
    C_ACQUIRED,
    C_COMMIT_WAKES,
    C_COMMITTED,
    C_CONSUMER,
    C_CONSUMERS,
    C_RELEASE_WAKES,
    C_SLOTS,
    C_TIMES,
    CHANNEL_CODES,
    CHANNEL_WIDTH,
    CHANNELS,
    CHUNK,
    CHUNK_PS,
    E_DONE,
    E_END_ROOM,
    E_ENDS,
    E_FIRST_END,
    E_FLIGHT,
    E_LARGEST,
    E_NEXT,
    E_NEXT_END,
    E_OLDEST,
    E_QUEUE,
    E_READ,
    E_REGISTER,
    E_ROOM,
    E_UNSERVED,
    END,
    END_WIDTH,
    ENDS,
    ENGINE_WIDTH,
    ENGINES,
    FIRST_AXIS,
    FIRST_END,
    FREE_AT,
    HELD_UP,
    IN_FLIGHT,
    KIND,
    LAST_QUEUE,
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
    QUEUES,
    RATE,
    SCRATCH,
    SERVED,
    V_BURSTS,
    V_BUSY,
    V_EXTENT,
    V_LATENCY,
    V_NEXT,
    VARIANT_WIDTH,
    VARIANTS,
    WAKE,
)

PICOSECONDS = 10**12


@compiled
def begin(s, code):
    """Acquire or wait: when it is possible, -1 where that is not known."""
    c = s[CHANNELS] + code // CHANNEL_CODES * CHANNEL_WIDTH
    role = code % CHANNEL_CODES
    slots, times = s[c + C_SLOTS], s[c + C_TIMES]
    if role:
        at = c + C_CONSUMER + 2 * (role - 1)
        if s[c + C_COMMITTED] <= s[at]:
            return -1
        x = s[times + s[at] % slots]
        s[at] += 1
        return x
    number = s[c + C_ACQUIRED]
    x = 0
    if number >= slots:
        slot = number % slots
        for j in range(s[c + C_CONSUMERS]):
            if s[c + C_CONSUMER + 2 * j + 1] <= number - slots:
                return -1
            x = max(x, s[times + (1 + j) * slots + slot])
    s[c + C_ACQUIRED] = number + 1
    return x


@compiled
def end_at(s, code, read, done):
    """Commit at `done` or release at `read`."""
    c = s[CHANNELS] + code // CHANNEL_CODES * CHANNEL_WIDTH
    role = code % CHANNEL_CODES
    slots, times = s[c + C_SLOTS], s[c + C_TIMES]
    if role:
        at = c + C_CONSUMER + 2 * (role - 1) + 1
        s[times + role * slots + s[at] % slots] = read
        s[at] += 1
        s[WAKE] |= s[c + C_RELEASE_WAKES]
    else:
        s[times + s[c + C_COMMITTED] % slots] = done
        s[c + C_COMMITTED] += 1
        s[WAKE] |= s[c + C_COMMIT_WAKES]


@compiled
def finish(code, c, s, g, read, done):
    """The ends of an instruction that main memory has no part in."""
    waits = s[g + E_QUEUE] >= 0 and s[g + E_UNSERVED] < s[g + E_NEXT]
    if not waits:
        s[g + E_READ] = max(s[g + E_READ], read)
        s[g + E_DONE] = max(s[g + E_DONE], done)
    for i in range(code[c + ENDS]):
        end = code[c + FIRST_END + (0 if code[c + KIND] == END else i)]
        if waits:
            put_end(s, g, s[g + E_NEXT] - 1, read, end)
        else:
            end_at(s, end, s[g + E_READ], s[g + E_DONE])


@compiled
def put_end(s, g, move, floor, code):
    """An end that happens behind a move whose times are not known."""
    at = s[g + E_ENDS] + s[g + E_NEXT_END] % s[g + E_END_ROOM] * END_WIDTH
    s[at + N_MOVE], s[at + N_FLOOR], s[at + N_CODE] = move, floor, code
    s[g + E_NEXT_END] += 1


@compiled
def find_variant(code, c, s, v, g):
    """The variant of a row for the registers' extents, -1 for none; SCRATCH holds the extents."""
    variant = code[c + VARIANTS]
    axes = code[c + AXES]
    if axes == 0:
        return variant
    for i in range(axes):
        register = s[g + E_REGISTER + code[c + FIRST_AXIS + 2 * i + 1]]
        s[SCRATCH + i] = max(0, min(code[c + FIRST_AXIS + 2 * i], register))
    before = -1
    while variant >= 0:
        at = variant * VARIANT_WIDTH
        same = True
        for i in range(axes):
            same = same and v[at + V_EXTENT + i] == s[SCRATCH + i]
        if same:
            if before >= 0:
                v[before * VARIANT_WIDTH + V_NEXT] = v[at + V_NEXT]
                v[at + V_NEXT] = code[c + VARIANTS]
                code[c + VARIANTS] = variant
            return variant
        before, variant = variant, v[at + V_NEXT]
    return -1


@compiled
def issue(code, c, s, v, totals, g, variant, t):
    """A move: the end of its issue, -1 while the queue's bound forbids it, -2 at a full table."""
    at = variant * VARIANT_WIDTH
    bursts = v[at + V_BURSTS]
    queue, room = s[g + E_QUEUE], s[g + E_ROOM]
    if bursts == 0:
        t += v[at + V_BUSY]
        finish(code, c, s, g, t, t)
        return t
    s[g + E_LARGEST] = max(s[g + E_LARGEST], bursts)
    bound = s[IN_FLIGHT] + 2 * s[g + E_LARGEST]
    blocked_at, held = t, 0
    needed = False
    while s[g + E_OLDEST] < s[g + E_NEXT]:
        oldest = queue + s[g + E_OLDEST] % room * QUEUE_WIDTH
        known = s[g + E_OLDEST] < s[g + E_UNSERVED]
        if needed or not known or s[oldest + Q_DONE] > t:
            needed = True
            if s[g + E_FLIGHT] + bursts <= bound:
                break
            if not known:
                return -1
            t, held = max(t, s[oldest + Q_DONE]), s[oldest + Q_HELD]
        s[g + E_FLIGHT] -= s[oldest + Q_BURSTS]
        s[g + E_OLDEST] += 1
    if t > blocked_at:
        held = min(held, t - blocked_at)
        totals[code[c + BOUND]] += t - blocked_at - held
        totals[code[c + BOUND] + 1] += held
    if s[g + E_NEXT] - s[g + E_OLDEST] >= room:
        return -2
    t += v[at + V_BUSY]
    move = queue + s[g + E_NEXT] % room * QUEUE_WIDTH
    s[move + Q_HANDED], s[move + Q_LEFT], s[move + Q_HELD] = t, bursts, 0
    s[move + Q_BURSTS], s[move + Q_LATENCY] = bursts, v[at + V_LATENCY]
    s[g + E_FLIGHT] += bursts
    for i in range(code[c + ENDS]):
        put_end(s, g, s[g + E_NEXT], 0, code[c + FIRST_END + i])
    s[g + E_NEXT] += 1
    return t


@compiled
def head(s, g):
    """The first unserved move of an engine, -1 for none."""
    if s[g + E_QUEUE] < 0 or s[g + E_UNSERVED] >= s[g + E_NEXT]:
        return -1
    return s[g + E_QUEUE] + s[g + E_UNSERVED] % s[g + E_ROOM] * QUEUE_WIDTH


@compiled
def settle(s, g, move, now):
    """A move is served: its times and those of the ends behind it."""
    read = s[g + E_READ] = max(s[g + E_READ], now)
    done = s[g + E_DONE] = max(s[g + E_DONE], now + s[move + Q_LATENCY])
    s[move + Q_DONE] = done
    while s[g + E_FIRST_END] < s[g + E_NEXT_END]:
        at = s[g + E_ENDS] + s[g + E_FIRST_END] % s[g + E_END_ROOM] * END_WIDTH
        if s[at + N_MOVE] != s[g + E_UNSERVED]:
            break
        end_at(s, s[at + N_CODE], max(read, s[at + N_FLOOR]), max(done, s[at + N_FLOOR]))
        s[g + E_FIRST_END] += 1
    s[g + E_UNSERVED] += 1


@compiled
def serve(s, totals):
    """Chunks until a move is served; False where nothing stands before main memory."""
    queues = s[QUEUES]
    while True:
        first = NEVER
        for e in range(queues):
            move = head(s, s[ENGINES] + e * ENGINE_WIDTH)
            if move >= 0:
                first = min(first, s[move + Q_HANDED])
        if first == NEVER:
            return False
        now = max(s[FREE_AT], first)
        chosen = other = -1
        wanted = NEVER
        for k in range(queues):
            e = s[LAST_QUEUE] + 1 + k
            if e >= queues:
                e -= queues
            move = head(s, s[ENGINES] + e * ENGINE_WIDTH)
            if move < 0:
                continue
            if chosen < 0 and s[move + Q_HANDED] <= now:
                chosen, other = e, move
            else:
                wanted = min(wanted, s[move + Q_HANDED])
        # As many chunks as begin before another queue wants one, at least one.
        size = s[other + Q_LEFT]
        spent = chunks_ps(s, size)
        if wanted < now + spent:
            chunks = max(1, (wanted - now + s[CHUNK_PS] - 1) // s[CHUNK_PS])
            size = min(size, chunks * s[CHUNK])
            spent = chunks_ps(s, size)
        end = now + spent
        if wanted < end:
            for e in range(queues):
                move = head(s, s[ENGINES] + e * ENGINE_WIDTH)
                if e != chosen and move >= 0 and s[move + Q_HANDED] < end:
                    held = end - max(now, s[move + Q_HANDED])
                    s[move + Q_HELD] += held
                    totals[s[HELD_UP] + e] += held
        totals[s[SERVED] + chosen] += spent
        s[FREE_AT], s[LAST_QUEUE] = end, chosen
        s[other + Q_LEFT] -= size
        if s[other + Q_LEFT] == 0:
            settle(s, s[ENGINES] + chosen * ENGINE_WIDTH, other, end)
            s[WAKE] |= 1 << chosen
            return True


@compiled
def chunks_ps(s, nbytes):
    """Time of whole chunks and what is left."""
    left = nbytes % s[CHUNK]
    spent = nbytes // s[CHUNK] * s[CHUNK_PS]
    if left:
        spent += (left * PICOSECONDS + s[RATE] - 1) // s[RATE]
    return spent
