"""What the tiling search knows of a kernel: plain numbers, read off the packed level.

Each shape says which tiles it can take, and what one costs in memory (`footprint`) and in time
(`picoseconds`). A ring is shared by all kernels that name it, so a plan needs the largest slot of
each (see search.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Protocol

from ...backend.machine import Machine
from ...backend.timing import (
    ceil_div,
    copy_ps,
    cycles_to_ps,
    matmul_cycles,
    queue_ps,
    vector_cycles,
)
from .tiles import Tile, heads_at_once

FLOAT = 4
"""Bytes of a float32."""
SKEWS = 3
"""Pipelines that attention's loop over KV blocks can be: one stage after another, two, three."""
SCALARS = 3
"""Scalar instructions of the matrix unit for each product, which has an offset in every operand."""
STAGE_SCALARS = 6
"""Scalar instructions of a unit for each stage of attention: bounds of the block, and the guard."""


@dataclass(frozen=True)
class Footprint:
    """Bytes a kernel needs: a slot of each ring by name, and buffers of the vector unit's own."""

    spm: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    acc: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    local: int = 0
    longer: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """By which a kernel makes buffers longer that stay over all kernels, by their names."""
    slots: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """Slots of rings that need more than others, by their names."""


class Kernel(Protocol):
    """What search.py asks of every kernel."""

    @property
    def label(self) -> str: ...
    def tiles(self) -> Iterator[Tile]:
        """Every tile to try."""
        ...

    def footprint(self, tile: Tile) -> Footprint: ...
    def picoseconds(self, machine: Machine, tile: Tile) -> int: ...


def powers_of_two(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... up to the first that is at least `most`."""
    values = [1]
    while values[-1] < most:
        values.append(2 * values[-1])
    return tuple(values)


@dataclass(frozen=True)
class AttentionShape:
    """Online softmax over KV blocks; rows are queries of one sequence, depth is the KV block.

    With one query there may be several KV heads in a block; their rows stand below each other.
    """

    label: str
    most_rows: int
    batch: int
    context: int
    group: int
    """Query heads of one KV head."""
    kv_heads: int
    head: int
    operand_bytes: int
    kv_bytes: int
    out_bytes: int
    phases: int
    repeats: int
    kv_block: int | None
    """The KV block asked for, or None for any power of two."""
    most_kv_block: int
    on_chip: bool = False
    """Queries, and the step's own keys and values are on chip."""
    handed_bytes: int = 0
    """Bytes a row of the result, if it is handed to the matrix unit; else it goes to memory."""
    handed_rows: int = 0
    """Rows of that: the most of a step."""
    longer: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """Bytes a row of buffers that must be longer by a block of rows but one."""
    causal: bool = True
    """Rows see positions up to their own, not all."""
    later_rows: int = 0
    """Most rows of a sequence in the entries that take over the KV block; 0 without such."""

    def later(self, depth: int) -> "AttentionShape":
        """The same attention in an entry that takes over this KV block."""
        rows = replace(self, most_rows=self.later_rows, later_rows=0, kv_block=depth)
        return replace(rows, on_chip=False, handed_bytes=0, longer={})

    def tiles(self) -> Iterator[Tile]:
        """Powers of two: the KV block decides the bits of the result, so it is the asked one."""
        if self.kv_block is not None:
            depths: tuple[int, ...] = (self.kv_block,)
        else:
            depths = powers_of_two(min(self.context, self.most_kv_block))
        most_heads = self.kv_heads if self.most_rows == 1 else 1
        choices = [n for n in range(1, most_heads + 1) if self.kv_heads % n == 0]
        for rows, depth, heads in product(powers_of_two(self.most_rows), depths, choices):
            _, tasks = self._chains(Tile(rows, depth, heads))
            for skew in range(SKEWS if depth < self.context or tasks > 1 else 1):
                yield Tile(rows, depth, heads, skew)

    def _chains(self, tile: Tile) -> tuple[int, int]:
        """Chains of tasks, and the tasks of each: a pipeline goes on from task to task of one."""
        blocks, heads = ceil_div(self.most_rows, tile.rows), self.kv_heads // tile.heads
        if heads > 1:
            return self.batch * blocks, heads
        return (1, self.batch) if self.most_rows == 1 else (self.batch, blocks)

    def footprint(self, tile: Tile) -> Footprint:
        """Slots for the rows of all heads of a tile; a product that crosses trips has two."""
        lines = tile.rows * tile.heads * self.group
        spm = {
            "kv": tile.heads * tile.depth * self.head * self.kv_bytes,
            "p": lines * tile.depth * self.operand_bytes,
        }
        if not self.on_chip:
            spm["query"] = lines * self.head * self.operand_bytes
        if self.handed_bytes:
            spm["handed"] = (self.handed_rows + tile.rows - 1) * self.handed_bytes
        else:
            spm["out"] = lines * self.head * self.out_bytes
        return Footprint(
            spm,
            {
                "scores": lines * tile.depth * FLOAT,
                "pv": lines * self.head * FLOAT,
            },
            lines * (self.head + (7 if tile.skew > 1 else 6)) * FLOAT,
            {name: (tile.rows - 1) * nbytes for name, nbytes in self.longer.items()},
            {"scores": 2 if tile.skew > 0 else 1, "pv": 2 if tile.skew > 1 else 1},
        )

    def picoseconds(self, machine: Machine, tile: Tile) -> int:
        """S, softmax, PV and O of all blocks, as the pipeline overlaps them, or the loads."""
        slot = tile.heads * tile.depth * self.head * self.kv_bytes
        moved = queue_ps(machine, slot, 2) if machine.has_hbm else 0
        steps = ceil_div(self.context, tile.depth)
        chains, tasks = self._chains(tile)
        if not tile.skew:
            chains, tasks = chains * tasks, 1
        cycles = self._chain_cycles(machine, tile, tasks)
        busiest = max(cycles_to_ps(machine, cycles), tasks * steps * moved)
        around = cycles_to_ps(machine, 6 * vector_cycles(machine, 1, 1))
        beside = self.on_chip or not machine.has_hbm
        latency = around if beside else machine.hbm_latency_ps
        return self.repeats * chains * (busiest + latency)

    def _chain_cycles(self, machine: Machine, tile: Tile, tasks: int) -> int:
        """Cycles of all blocks of some tasks, one stage after another or as a pipeline of two or
        three stages.

        The chain of one block, and a period for each block more. A period is at least the work of
        each unit, and as long as what a product waits for from itself some trips before: S(t),
        softmax(t), PV(t), S(t + 2); and PV(t), update(t), softmax(t + d), PV(t + d), d being 1
        where the update stands before the next softmax, 2 where it stands behind.
        """
        flat = min(tile.rows, self.most_rows) * self.group
        lines, depth, fill = flat * tile.heads, tile.depth, machine.matrix_fill
        stage = STAGE_SCALARS * machine.scalar_cycles

        def products(n: int, k: int) -> int:
            each = matmul_cycles(machine, flat, n, k, self.phases)
            shared = ceil_div(SCALARS, heads_at_once(tile.heads))
            return stage + tile.heads * (each + shared * machine.scalar_cycles)

        scores, values = products(depth, self.head), products(self.head, depth)
        wide, narrow = (vector_cycles(machine, lines, n) for n in (depth, 1))
        # The last three passes, which keep maximum and sum, run beside PV.
        softmax, kept = stage + 2 * wide + narrow, 3 * narrow
        update = stage + vector_cycles(machine, lines, self.head)
        chain = scores + fill + softmax + max(kept, values + fill) + update
        ahead = scores + fill + softmax + values
        around = max(kept, values + fill) + update + softmax
        match tile.skew:
            case 0:
                work, wait = 0, chain
            case 1:
                # The next S has room when the update before is done: its stage held the slot.
                held = scores + values + fill + update
                work, wait = scores + values, max(around, held, ceil_div(ahead, 2))
            case _:
                vector = softmax + kept + update
                work, wait = max(scores + values, vector), ceil_div(max(ahead, around), 2)
        # The last block of a task is short: work goes with its positions, waiting does not.
        positions, trips = self._seen(tile)
        trips = ceil_div(tasks * max(trips, 2 * tile.skew), 2)
        heads = (tasks - 1) * (1 + tile.skew) * 2 * stage
        busy = max(ceil_div(tasks * positions * work, depth) - work, 0)
        return chain + max(busy, (trips - 1) * wait) + heads

    def _seen(self, tile: Tile) -> tuple[int, int]:
        """Positions that a block of rows sees, and twice its KV blocks: the mean over all blocks of
        a prompt that fills the context, or those of the last row."""
        rows, depth = min(tile.rows, self.most_rows), tile.depth
        whole = ceil_div(self.context, depth)
        if not self.causal or self.most_rows == 1:
            return self.context, 2 * whole
        positions = ceil_div(self.context + rows, 2)
        return positions, whole + 1 if rows < depth else ceil_div(2 * positions, depth)


@dataclass(frozen=True)
class RowsShape:
    """Work on rows by the vector unit alone: head-wise norms and rope, embedding, copies."""

    label: str
    most_rows: int
    batch: int
    in_bytes: Mapping[str, int]
    """Bytes a row of each ring that is read."""
    out_row_bytes: int
    local_row_bytes: int
    vector_bytes: int
    vector_columns: int
    repeats: int
    row_choices: tuple[int, ...] | None = None
    """Rows of a block; None for any power of two."""
    handed: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """Bytes a row of each ring that other engines than the store queue read."""
    longer: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """Bytes a row of buffers that must be longer by a block of rows but one."""

    def tiles(self) -> Iterator[Tile]:
        """There is no second tile size."""
        for rows in self.row_choices or powers_of_two(self.most_rows):
            yield Tile(rows, 1)

    def footprint(self, tile: Tile) -> Footprint:
        """Slots for a block of rows."""
        each = {**self.in_bytes, **self.handed}
        if self.out_row_bytes:
            each["out"] = self.out_row_bytes
        spm = {ring: tile.rows * nbytes for ring, nbytes in each.items()}
        if self.vector_bytes:
            spm["vector"] = self.vector_bytes
        longer = {name: (tile.rows - 1) * nbytes for name, nbytes in self.longer.items()}
        return Footprint(spm, {}, tile.rows * self.local_row_bytes, longer)

    def picoseconds(self, machine: Machine, tile: Tile) -> int:
        """Bytes through hbm against lanes."""
        even = min(tile.rows, self.most_rows)
        nbytes = even * (sum(self.in_bytes.values()) + self.out_row_bytes)
        vector = cycles_to_ps(machine, 4 * vector_cycles(machine, even, self.vector_columns))
        blocks = self.batch * ceil_div(self.most_rows, tile.rows)
        latency = machine.hbm_latency_ps if self.out_row_bytes else 0
        return self.repeats * blocks * (max(copy_ps(machine, nbytes, 4), vector) + latency)
