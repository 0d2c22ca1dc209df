"""What the tiling search knows of a kernel: plain numbers, read off the packed level.

Each shape says what its tile costs in memory (`footprint`) and in time (`picoseconds`). A ring is
shared by all kernels that name it, so a plan needs the largest slot of each (see search.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...backend.machine import Machine
from ...backend.timing import (
    ceil_div,
    copy_ps,
    cycles_to_ps,
    matmul_cycles,
    vector_cycles,
)

FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True)
class Footprint:
    """Bytes a kernel needs: a slot of each ring by name, and buffers of the vector unit's own."""

    spm: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    acc: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    local: int = 0


class Kernel(Protocol):
    """What search.py asks of every kernel. A tile is `rows` of the packed batch and a `depth`."""

    @property
    def label(self) -> str: ...
    @property
    def most_rows(self) -> int: ...
    def depths(self) -> tuple[int, ...]:
        """The values of the second tile size to try, smallest first."""
        ...

    def footprint(self, rows: int, depth: int) -> Footprint: ...
    def picoseconds(self, machine: Machine, rows: int, depth: int) -> int: ...


def powers_of_two(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... up to the first that is at least `most`."""
    values = [1]
    while values[-1] < most:
        values.append(2 * values[-1])
    return tuple(values)


@dataclass(frozen=True)
class LinearShape:
    """Y[M, N] = epilogue(prologue(X)[M, K] @ W[K, N]); depth counts blocks along K."""

    label: str
    most_rows: int
    k: int
    n: int
    panel: int
    block: int
    """Values of K in a block of the weight's format."""
    block_bytes: int
    """Bytes of one block of K of a full panel."""
    phases: int
    operand_bytes: int
    """Bytes of an element of the matrix unit's left operand."""
    through_vector: bool
    """The rows pass through the vector unit (a norm, a conversion) before the matmul."""
    out_columns: int
    """Columns that a full panel leaves after the epilogue."""
    out_bytes: int
    residuals: int
    """Whole tensors of the result's shape that the epilogue reads."""
    temporaries: int
    vector_steps: int
    repeats: int
    """How often a step runs the kernel (the number of layers)."""

    @property
    def blocks(self) -> int:
        """Blocks along K."""
        return ceil_div(self.k, self.block)

    def depths(self) -> tuple[int, ...]:
        """Blocks along K of one weight tile: even cuts of K only, so that no tile is short."""
        blocks = self.blocks
        return tuple(d for d in range(1, blocks + 1) if blocks % d == 0)

    def footprint(self, rows: int, depth: int) -> Footprint:
        """Slots for a tile of `rows` rows and `depth` blocks of K."""
        operand = rows * self.blocks * self.block * self.operand_bytes
        spm = {
            "weights": depth * self.block_bytes,
            "out": rows * self.out_columns * self.out_bytes,
            "vector": FLOAT * max(self.k if self.through_vector else 1, self.panel),
        }
        if self.through_vector:
            spm |= {"rows": rows * self.k * FLOAT, "normed": operand}
        else:
            spm["operand"] = operand
        if self.residuals:
            spm["residual"] = rows * self.out_columns * FLOAT
        local = rows * FLOAT + self.temporaries * rows * self.panel * FLOAT
        return Footprint(spm, {"sums": rows * self.panel * FLOAT}, local)

    def picoseconds(self, machine: Machine, rows: int, depth: int) -> int:
        """The busiest engine's time: rows resident, weights streamed once a row block."""
        row_blocks = ceil_div(self.most_rows, rows)
        panels = ceil_div(self.n, self.panel)
        tiles = panels * ceil_div(self.blocks, depth)
        even = min(rows, self.most_rows)
        matrix = tiles * matmul_cycles(machine, even, self.panel, depth * self.block, self.phases)
        vector = panels * self.vector_steps * vector_cycles(machine, even, self.out_columns)
        if self.through_vector:
            vector += 3 * vector_cycles(machine, even, self.k)
        moved = tiles * depth * self.block_bytes + even * (self.k + self.n) * FLOAT
        busiest = max(
            cycles_to_ps(machine, max(matrix, vector)), copy_ps(machine, moved, tiles + panels + 1)
        )
        fill = machine.hbm_latency_ps + cycles_to_ps(machine, machine.matrix_fill)
        return self.repeats * row_blocks * (busiest + fill)


@dataclass(frozen=True)
class AttentionShape:
    """Online softmax over KV blocks; rows are queries of one sequence, depth is the KV block."""

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

    def depths(self) -> tuple[int, ...]:
        """Powers of two: the KV block decides the bits of the result, so it is the asked one."""
        if self.kv_block is not None:
            return (self.kv_block,)
        return powers_of_two(min(self.context, self.most_kv_block))

    def footprint(self, rows: int, depth: int) -> Footprint:
        """Slots for `rows` queries of one group and `depth` positions."""
        lines = rows * self.group
        return Footprint(
            {
                "query": lines * self.head * self.operand_bytes,
                "kv": depth * self.head * self.kv_bytes,
                "p": lines * depth * self.operand_bytes,
                "out": lines * self.head * self.out_bytes,
            },
            {"scores": lines * depth * FLOAT, "pv": lines * self.head * FLOAT},
            lines * (self.head + 6) * FLOAT,
        )

    def picoseconds(self, machine: Machine, rows: int, depth: int) -> int:
        """S, softmax, PV and O of all blocks, as `skew` overlaps them, or the loads if longer."""
        moved = copy_ps(machine, 2 * depth * self.head * self.kv_bytes, 2)
        cycles = min(self._chain_cycles(machine, rows, depth))
        steps = ceil_div(self.context, depth)
        tasks = self.batch * self.kv_heads * ceil_div(self.most_rows, rows)
        busiest = max(cycles_to_ps(machine, cycles), steps * moved)
        return self.repeats * tasks * (busiest + machine.hbm_latency_ps)

    def skew(self, machine: Machine, rows: int, depth: int) -> int:
        """Trips by which S is made ahead of its softmax: 1 where that pays, else 0."""
        plain, skewed = self._chain_cycles(machine, rows, depth)
        return int(skewed < plain)

    def _chain_cycles(self, machine: Machine, rows: int, depth: int) -> tuple[int, int]:
        """Cycles of all blocks one stage after another, and with S a block ahead of the rest.

        Skewed, the matrix unit makes the next S while the vector unit works; PV still waits for
        the softmax of its own block, and there is one trip more.
        """
        lines = min(rows, self.most_rows) * self.group
        fill = machine.matrix_fill
        scores = fill + matmul_cycles(machine, lines, depth, self.head, self.phases)
        values = fill + matmul_cycles(machine, lines, self.head, depth, self.phases)
        softmax = 2 * vector_cycles(machine, lines, depth) + 4 * vector_cycles(machine, lines, 1)
        update = vector_cycles(machine, lines, self.head)
        steps = ceil_div(self.context, depth)
        plain = steps * (scores + softmax + values + update)
        return plain, (steps + 1) * (max(scores, softmax) + values + update)


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

    def depths(self) -> tuple[int, ...]:
        """There is no second tile size."""
        return (1,)

    def footprint(self, rows: int, depth: int) -> Footprint:
        """Slots for `rows` rows."""
        del depth
        spm = {ring: rows * nbytes for ring, nbytes in self.in_bytes.items()}
        if self.vector_bytes:
            spm["vector"] = self.vector_bytes
        return Footprint(spm | {"out": rows * self.out_row_bytes}, {}, rows * self.local_row_bytes)

    def picoseconds(self, machine: Machine, rows: int, depth: int) -> int:
        """Bytes through hbm against lanes."""
        del depth
        even = min(rows, self.most_rows)
        moved = copy_ps(machine, even * (sum(self.in_bytes.values()) + self.out_row_bytes), 4)
        vector = cycles_to_ps(machine, 4 * vector_cycles(machine, even, self.vector_columns))
        blocks = self.batch * ceil_div(self.most_rows, rows)
        return self.repeats * blocks * (max(moved, vector) + machine.hbm_latency_ps)
