"""A launch as the flat tables of layout.py, and a tally out of their totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...backend.isa import NO_REGISTER
from ...backend.timing import ARBITRATION_BYTES, Extents, bytes_in_flight, transfer_ps
from . import layout as at
from .decoded import Decoded, Step, Timed, TimingError
from .liveness import is_dead, live_registers
from .result import Tally

Table = npt.NDArray[np.int64]
SCALARS = {"li": at.LI, "alu": at.ALU, "ldp": at.LDP, "pop": at.POP, "loop": at.LOOP,
           "next": at.NEXT, "halt": at.HALT}  # fmt: skip
FIELDS = {"rd": at.RD, "ra": at.RA, "rb": at.RB, "count": at.RB, "fn": at.FUNCTION,
          "imm": at.IMMEDIATE, "word": at.IMMEDIATE, "trips": at.IMMEDIATE,
          "counter": at.COUNTER}  # fmt: skip
VARIANTS_AT_FIRST = 256
MARKS_AT_FIRST = 64


@dataclass
class Tables:
    """Everything that the compiled function works on. Arrays are replaced when they must grow."""

    launch: Decoded
    code: Table
    state: Table
    variants: Table
    totals: Table
    marks: Table
    memories: Table
    places: list[tuple[int, int]]
    """Engine and instruction of each row."""
    dead: list[tuple[int, int, int]]
    """Engine and instruction of each dead scalar, and the row that counts it."""
    loops: int
    """Loops of the reference engine."""
    named: list[tuple[int, Extents]]
    """Row and extents of each variant."""

    def add_variant(self, row: int, extents: Extents) -> None:
        """The cost of a row at other extents than before, as its first variant."""
        number = len(self.named)
        if (number + 1) * at.VARIANT_WIDTH > len(self.variants):
            self.variants = _grown(self.variants, 2 * len(self.variants))
            extra = len(self.variants) // at.VARIANT_WIDTH - number
            self.totals = _grown(self.totals, len(self.totals) + extra)
            self.memories = memories_of(self.loops, len(self.totals))
        engine, pc = self.places[row]
        cost = self.launch.streams[engine][pc].rule.at(extents)
        entry = self.variants[number * at.VARIANT_WIDTH : (number + 1) * at.VARIANT_WIDTH]
        head = row * at.ROW_WIDTH + at.VARIANTS
        entry[at.V_NEXT] = self.code[head]
        entry[at.V_EXTENT : at.V_EXTENT + len(extents)] = extents
        entry[at.V_BUSY], entry[at.V_LATE] = cost.busy_ps, cost.late_ps
        entry[at.V_BURSTS], entry[at.V_LATENCY] = cost.burst_bytes, cost.latency_ps
        self.code[head] = number
        self.named.append((row, extents))

    def tally(self) -> Tally:
        """What the totals say."""
        tally = Tally.empty(len(self.launch.engines))
        first = int(self.state[at.VARIANT_TOTALS])
        counted = {row for row, _ in self.named}
        for row, place in enumerate(self.places):
            if row not in counted:
                tally.executed[(*place, ())] += int(self.totals[row])
            self._blocked(tally, row, place)
        for number, (row, extents) in enumerate(self.named):
            tally.executed[(*self.places[row], extents)] += int(self.totals[first + number])
        for engine, pc, row in self.dead:
            tally.executed[engine, pc, ()] += int(self.totals[row])
        for table in (tally.executed, tally.waited, tally.memory, tally.contention):
            for key in [key for key, value in table.items() if not value]:
                del table[key]
        for e in range(len(self.launch.engines)):
            g = int(self.state[at.ENGINES]) + e * at.ENGINE_WIDTH
            tally.served[e] = int(self.totals[int(self.state[at.SERVED]) + e])
            tally.held_up[e] = int(self.totals[int(self.state[at.HELD_UP]) + e])
            tally.halted.append(int(self.state[g + at.E_TIME]))
            end = max(tally.halted[-1], int(self.state[g + at.E_DONE]))
            tally.picoseconds = max(tally.picoseconds, end)
        tally.layers = [int(t) for t in self.marks[: int(self.state[at.MARKS])]]
        return tally

    def _blocked(self, tally: Tally, row: int, place: tuple[int, int]) -> None:
        entry = self.code[row * at.ROW_WIDTH : (row + 1) * at.ROW_WIDTH]
        places = 1 if entry[at.KIND] == at.BEGIN else int(entry[at.BEGINS])
        for i in range(places):
            tally.waited[(*place, i)] += int(self.totals[entry[at.WAITED] + i])
        if entry[at.KIND] == at.MOVE:
            tally.memory[place] += int(self.totals[entry[at.BOUND]])
            tally.contention[place] += int(self.totals[entry[at.BOUND] + 1])


def _grown(table: Table, size: int) -> Table:
    out = np.zeros(size, np.int64)
    out[: len(table)] = table
    return out


def memories_of(loops: int, totals: int) -> Table:
    """Empty memories of states: one for each loop, and a spare one."""
    width = at.MEMORY_HEADER + at.MEMORY_EXACT + at.MEMORY_SHIFTED + totals
    return np.zeros((loops + 1) * width, np.int64)


def build_tables(launch: Decoded, worth: int) -> Tables:
    """The tables of a launch before it begins. Raises TimingError for what they cannot hold.

    `worth`: instructions that must be left in a loop for a look at whether its trips repeat.
    """
    _check(launch)
    rows = _Rows(launch, _reference(launch))
    starts = [rows.add_stream(engine) for engine in range(len(launch.streams))]
    size = _number_totals(rows.rows)
    state = _state(launch, starts, rows.reference, worth)
    engines = len(launch.engines)
    state[at.SERVED], state[at.HELD_UP] = size, size + engines
    state[at.VARIANT_TOTALS] = size + 2 * engines
    totals = np.zeros(size + 2 * engines + VARIANTS_AT_FIRST, np.int64)
    tables = Tables(
        launch,
        code=np.concatenate([np.zeros(0, np.int64), *rows.rows]),
        state=state,
        variants=np.zeros(VARIANTS_AT_FIRST * at.VARIANT_WIDTH, np.int64),
        totals=totals,
        marks=np.zeros(MARKS_AT_FIRST, np.int64),
        memories=memories_of(rows.loops, len(totals)),
        places=rows.places,
        dead=rows.dead,
        loops=rows.loops,
        named=[],
    )
    for row, entry in enumerate(rows.rows):
        if entry[at.KIND] in (at.WORK, at.MOVE) and not entry[at.AXES]:
            tables.add_variant(row, ())
    return tables


def _reference(launch: Decoded) -> int:
    """The engine whose loops are watched: the matrix unit, or the one with the longest stream."""
    lengths = [len(stream) for stream in launch.streams]
    reference = launch.engines.index("mxu") if "mxu" in launch.engines else 0
    return reference if lengths[reference] else lengths.index(max(lengths))


@dataclass
class _Rows:
    """The rows of all engines as they are written, one stream after the other."""

    launch: Decoded
    reference: int
    rows: list[Table] = field(default_factory=list[Table])
    places: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    dead: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    loops: int = 0

    def add_stream(self, engine: int) -> int:
        """Append the rows of a stream, dead scalars left out; the number of the first."""
        stream, pairs = self.launch.streams[engine], self.launch.loaded.pairs[engine]
        live = [*live_registers(stream, pairs), 0]
        first, before = len(self.rows), 0
        row_of: dict[int, int] = {}
        for pc, timed in enumerate(stream):
            if is_dead(timed, live[pc + 1]):
                self.dead.append((engine, pc, len(self.rows)))
                before += timed.rule.at(()).busy_ps
                continue
            row = _row(self.launch, engine, timed)
            row[at.BEFORE], row[at.LIVE] = before, live[pc]
            if pc in pairs:
                self._watch(row, engine, min(pc, pairs[pc]))
            before = 0
            row_of[pc] = len(self.rows)
            self.rows.append(row)
            self.places.append((engine, pc))
        for pc, pair in pairs.items():
            self.rows[row_of[pc]][at.PAIR] = row_of[pair]
        return first

    def _watch(self, row: Table, engine: int, loop: int) -> None:
        """Whether the trips of a loop are recorded, and which memory is its own."""
        ours = engine == self.reference and "mxu" in self.launch.engines
        row[at.IS_LAYERS] = int(ours and loop == self.launch.layers)
        if row[at.KIND] == at.LOOP and engine == self.reference:
            row[at.LOOP_MEMORY], self.loops = self.loops, self.loops + 1


def _check(launch: Decoded) -> None:
    most = max((len(c.consumers) for c in launch.program.channels), default=0)
    if len(launch.engines) > at.MAX_ENGINES or most >= at.CHANNEL_CODES:
        raise TimingError(
            f"{len(launch.engines)} engines and {most} consumers of a channel: the fast engine "
            f"takes {at.MAX_ENGINES} and {at.CHANNEL_CODES - 1}; use engine 'events'"
        )


def _number_totals(rows: Sequence[Table]) -> int:
    """Give every row its totals behind the rows' own; the number of totals."""
    size = len(rows)
    for row in rows:
        row[at.WAITED] = size
        size += 1 if row[at.KIND] == at.BEGIN else int(row[at.BEGINS])
        row[at.BOUND] = size
        size += 2 if row[at.KIND] == at.MOVE else 0
    return size


def _row(launch: Decoded, engine: int, timed: Timed) -> Table:
    row = np.zeros(at.ROW_WIDTH, np.int64)
    ins = timed.ins
    if ins.mnemonic in SCALARS:
        row[at.KIND] = SCALARS[ins.mnemonic]
        row[at.COST] = timed.rule.at(()).busy_ps
    elif ins.mnemonic == "sync":
        row[at.KIND] = at.BEGIN if timed.begins else at.END
    else:
        row[at.KIND] = at.MOVE if timed.moves else at.WORK
    row[at.RA] = row[at.RB] = row[at.VARIANTS] = -1
    if ins.mnemonic in SCALARS:
        for name, value in ins.fields.items():
            if name in FIELDS:
                row[FIELDS[name]] = -1 if name in ("ra", "rb", "count") and (
                    value == NO_REGISTER
                ) else value  # fmt: skip
    name = launch.engines[engine]
    for steps, many, first in (
        (timed.begins, at.BEGINS, at.FIRST_BEGIN),
        (timed.ends, at.ENDS, at.FIRST_END),
    ):
        row[many] = len(steps)
        for i, step in enumerate(steps[:1] if ins.mnemonic == "sync" else steps):
            row[first + i] = _code(launch, name, step)
    row[at.AXES] = len(timed.rule.axes)
    for i, (extent, register) in enumerate(timed.rule.axes):
        row[at.FIRST_AXIS + 2 * i], row[at.FIRST_AXIS + 2 * i + 1] = extent, register
    return row


def _code(launch: Decoded, engine: str, step: Step) -> int:
    consumers = launch.program.channels[step.channel].consumers
    role = 0 if step.producer else 1 + consumers.index(engine)
    return step.channel * at.CHANNEL_CODES + role


def _state(launch: Decoded, starts: Sequence[int], reference: int, worth: int) -> Table:
    machine, channels = launch.machine, launch.program.channels
    engines = np.zeros((len(launch.engines), at.ENGINE_WIDTH), np.int64)
    table = np.zeros((len(channels), at.CHANNEL_WIDTH), np.int64)
    head = np.zeros(at.HEADER, np.int64)
    size = at.HEADER + engines.size + table.size

    def take(count: int) -> int:
        nonlocal size
        size += count
        return size - count

    for row, channel in zip(table, channels, strict=True):
        row[at.C_SLOTS] = channel.slots
        row[at.C_ACQUIRED] = row[at.C_COMMITTED] = channel.primed
        row[at.C_CONSUMERS] = len(channel.consumers)
        row[at.C_COMMIT_WAKES] = sum(1 << launch.engines.index(e) for e in channel.consumers)
        row[at.C_RELEASE_WAKES] = 1 << launch.engines.index(channel.producer)
        row[at.C_TIMES] = take((1 + len(channel.consumers)) * channel.slots)
    bound = bytes_in_flight(machine, 0)
    words = take(len(launch.words))
    for number, row in enumerate(engines):
        name, stream = launch.engines[number], launch.streams[number]
        row[at.E_ROW] = starts[number]
        row[at.E_HALTED] = int(not stream)
        moves = [t.rule.at(tuple(e for e, _ in t.rule.axes)) for t in stream if t.moves]
        row[at.E_QUEUE] = -1
        if moves:
            most = max(cost.burst_bytes for cost in moves)
            room = (bound + 2 * most) // machine.hbm_burst + 2
            row[at.E_ROOM] = min(room, at.MOST_MOVES)
            row[at.E_QUEUE] = take(int(row[at.E_ROOM]) * at.QUEUE_WIDTH)
        ours = [c.slots for c in channels if name in (c.producer, *c.consumers)]
        # An end that waits for a move stands for a slot that the engine holds.
        row[at.E_END_ROOM] = sum(ours) + 1
        row[at.E_ENDS] = take(int(row[at.E_END_ROOM]) * at.END_WIDTH)
        row[at.E_POP_COUNT] = len(launch.popped[number])
        row[at.E_POPS] = take(len(launch.popped[number]))
    head[at.ENGINES], head[at.ENGINE_COUNT] = at.HEADER, len(engines)
    head[at.CHANNELS], head[at.CHANNEL_COUNT] = at.HEADER + engines.size, len(table)
    head[at.LAST_QUEUE] = head[at.LOOPED] = -1
    head[at.CHUNK], head[at.RATE] = ARBITRATION_BYTES, machine.hbm_bytes_per_second
    if machine.hbm_bytes_per_second:
        head[at.CHUNK_PS] = transfer_ps(machine, ARBITRATION_BYTES)
    head[at.IN_FLIGHT], head[at.REFERENCE], head[at.WORTH] = bound, reference, worth
    head[at.WAKE] = (1 << len(engines)) - 1
    head[at.QUEUES] = 1 + max((n for n, e in enumerate(engines) if e[at.E_QUEUE] >= 0), default=-1)
    head[at.WORDS], head[at.WORD_COUNT] = words, len(launch.words)
    state = np.zeros(size, np.int64)
    state[: at.HEADER + engines.size + table.size] = np.concatenate(
        [head, engines.reshape(-1), table.reshape(-1)]
    )
    state[words : words + len(launch.words)] = launch.words
    for number, popped in enumerate(launch.popped):
        first = int(engines[number, at.E_POPS])
        state[first : first + len(popped)] = popped
    return state
