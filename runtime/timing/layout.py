"""Columns of the flat int64 tables that the compiled engine runs on."""

from ...backend.isa import COUNTERS, OPERANDS, REGISTERS

NEVER = 1 << 62
"""Later than any time, more than any count."""
MAX_AXES = 5
"""Axes of an instruction that registers may bound."""

# A row: one instruction with the dead scalars before it.
(LI, ALU, LDP, POP, LOOP, NEXT, BEGIN, END, WORK, MOVE, HALT) = range(11)
"""Kinds of rows; BEGIN and END are syncs."""
KIND, BEFORE, COST, RD, RA, RB, FUNCTION, IMMEDIATE, PAIR, COUNTER, IS_LAYERS = range(11)
"""BEFORE: picoseconds of the dead scalars. COST: its own, for scalars. RA and RB: -1 none.
PAIR: row of the matching loop or next. IS_LAYERS: 1 for the loop whose trips are recorded."""
BEGINS, FIRST_BEGIN = 11, 12
WAITED = FIRST_BEGIN + OPERANDS
"""How many begins, each CHANNEL_CODES * channel + role; the first of their totals."""
ENDS, FIRST_END = WAITED + 1, WAITED + 2
AXES, FIRST_AXIS = FIRST_END + OPERANDS, FIRST_END + OPERANDS + 1
"""How many bounded axes, each (extent, register)."""
VARIANTS = FIRST_AXIS + 2 * MAX_AXES
"""The row's variants, the latest used first; -1 none."""
LIVE = VARIANTS + 1
"""Mask of the registers that matter before the row."""
BOUND = VARIANTS + 2
"""The first of two totals of a move: memory, contention. Row i counts its executions in total i."""
LOOP_MEMORY = VARIANTS + 3
"""Which memory belongs to a loop of the reference engine; 0 elsewhere."""
ROW_WIDTH = VARIANTS + 4
CHANNEL_CODES = 16
"""Role 0 is the producer, 1 + j consumer j."""

# A variant: a row with certain extents.
V_NEXT, V_EXTENT = 0, 1
V_BUSY, V_LATE, V_BURSTS, V_LATENCY = (V_EXTENT + MAX_AXES + i for i in range(4))
"""V_NEXT: next variant of the row, -1 none. It counts its executions, too."""
VARIANT_WIDTH = V_LATENCY + 1

# The state: a header, engines, channels and their times, queues, one after the other.
(ENGINES, ENGINE_COUNT, CHANNELS, CHANNEL_COUNT, FREE_AT, LAST_QUEUE, CHUNK, CHUNK_PS, RATE,
 IN_FLIGHT, REFERENCE, LOOPED, LOOPED_DEPTH, MARKS, ASKED, WORDS, WORD_COUNT, VARIANT_TOTALS,
 VARIANT_COUNT, SERVED, HELD_UP, SKIPPED, SKIPS, WORTH, WAKE,
 QUEUES) = range(26)  # fmt: skip
"""Of the header. FREE_AT, LAST_QUEUE: of main memory. CHUNK_PS: of a whole chunk. RATE: bytes a
second. IN_FLIGHT: bytes that main memory delivers in its latency. REFERENCE: the engine whose loops
are watched; LOOPED: row of its outermost loop that came round lately, -1 none. MARKS: trips of the
layers recorded. ASKED: what is needed. WORDS: address of the launch parameters. VARIANT_TOTALS,
SERVED, HELD_UP: where these totals begin. SKIPPED: rows that were added up, not executed.
WORTH: rows that must be left in a loop to make a look worth its time.
WAKE: bits of the engines that may go on. QUEUES: only engines before this number move bytes."""
SCRATCH = 26
"""Extents of the row that runs."""
HEADER = SCRATCH + MAX_AXES

(E_ROW, E_TIME, E_BEGUN, E_HALTED, E_DEPTH, E_READ, E_DONE, E_QUEUE, E_ROOM, E_ENDS, E_END_ROOM,
 E_OLDEST, E_UNSERVED, E_NEXT, E_FIRST_END, E_NEXT_END, E_FLIGHT, E_LARGEST, E_POPPED, E_POPS,
 E_POP_COUNT, E_EXECUTED, E_ENTERED) = range(23)  # fmt: skip
"""E_BEGUN: 0 before the dead scalars of the row, else 1 + begins done. E_QUEUE: address of its
moves in flight, -1 for an engine that moves nothing; E_ROOM of them fit. E_OLDEST, E_UNSERVED,
E_NEXT: running numbers of moves. E_FLIGHT: their bytes. E_ENDS: address of ends that wait for
moves. E_POPS: address of its words. E_ENTERED: loops entered."""
E_REGISTER = 24
E_COUNTER = E_REGISTER + REGISTERS
E_STACK = E_COUNTER + COUNTERS
LEVELS = COUNTERS
"""Loops nest no deeper: each has a counter of its own. A level: row of the loop, trips left after
this one, number of the entry."""
STACK_WIDTH = 3
ENGINE_WIDTH = E_STACK + LEVELS * STACK_WIDTH

(C_SLOTS, C_ACQUIRED, C_COMMITTED, C_CONSUMERS, C_TIMES, C_COMMIT_WAKES, C_RELEASE_WAKES,
 C_CONSUMER) = range(8)  # fmt: skip
"""C_TIMES: address of slots commit times, then slots release times of each consumer. C_CONSUMER:
two columns of each consumer: waited, released. WAKES: bits of the engines that an end concerns."""
CHANNEL_WIDTH = C_CONSUMER + 2 * (CHANNEL_CODES - 1)

Q_HANDED, Q_LEFT, Q_DONE, Q_HELD, Q_BURSTS, Q_LATENCY = range(6)
QUEUE_WIDTH = 6
N_MOVE, N_FLOOR, N_CODE = range(3)
"""An end that waits: the move it comes behind, the earliest time, channel and role."""
END_WIDTH = 3

# What the compiled function returns.
FINISHED, STUCK, NEED_VARIANT, NEED_WORD, BAD_WORD, NEED_MARKS, TOO_MANY = range(7)
MOST_MOVES = 1 << 20
"""Moves of one queue that may be in flight: only absurd latencies allow more."""

# Memories of earlier states, one for each loop of the reference engine, and a spare one behind.
M_ENTRY, M_COUNT, M_VALID, M_LENGTH, M_AT, M_MARKS, M_BAD, M_ROWS = range(8)
"""M_ENTRY: 1 + the entry of the loop that it speaks of. M_COUNT: trips seen of it. M_AT: time of
main memory. M_BAD: how often it was written without a skip. M_ROWS: rows
executed until the latest trip."""
MEMORY_HEADER = 8
MEMORY_EXACT = 1 << 13
MEMORY_SHIFTED = 512
ENGINE_SHIFT = 2 + 2 * LEVELS
"""Shifted columns of an engine: time, rows executed, and of each level trips left and entry."""
MAX_ENGINES = MEMORY_SHIFTED // ENGINE_SHIFT
