"""Shapes of kernels of one op, for the search: ops on rows, and products with a cache."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...backend.machine import Machine
from ...backend.timing import ceil_div, copy_ps, cycles_to_ps, matmul_cycles, vector_cycles
from .shapes import FLOAT, Footprint, powers_of_two
from .tiles import Tile

SLOTS = 2
"""Of a ring of rows: one block comes while another is worked on."""


@dataclass(frozen=True)
class RowWiseShape:
    """Rows in, passes of the vector unit, rows out: blocks follow each other and overlap."""

    label: str
    most_rows: int
    tasks: int
    """How often all rows are gone through: sequences x heads, or 1."""
    lines: int
    """Lines of a row that are reduced by themselves."""
    columns: int
    """Of a line."""
    in_bytes: Mapping[str, int]
    """Bytes a row of each ring that is read."""
    out_row_bytes: int
    local_row_bytes: int
    vector_bytes: int
    """Parameters, one value a column."""
    passes: int
    repeats: int

    def tiles(self) -> Iterator[Tile]:
        """Blocks of rows; there is no second size."""
        for rows in powers_of_two(self.most_rows):
            yield Tile(rows, 1)

    def footprint(self, tile: Tile) -> Footprint:
        """Slots for a block of rows."""
        rows = tile.rows
        spm = {ring: rows * nbytes for ring, nbytes in self.in_bytes.items()}
        spm["out"] = rows * self.out_row_bytes
        if self.vector_bytes:
            spm["vector"] = self.vector_bytes
        return Footprint(spm, {}, rows * self.local_row_bytes)

    def picoseconds(self, machine: Machine, tile: Tile) -> int:
        """The busier of main memory and vector unit, a block at least half of its way in, since two
        are under way at a time; then what does not overlap: the first block coming in, and the
        last one worked on and going out."""
        even = min(tile.rows, self.most_rows)
        come = copy_ps(machine, even * sum(self.in_bytes.values()), len(self.in_bytes))
        go = copy_ps(machine, even * self.out_row_bytes, 1)
        one = vector_cycles(machine, even * self.lines, self.columns)
        vector = cycles_to_ps(machine, self.passes * one)
        blocks = self.tasks * ceil_div(self.most_rows, tile.rows)
        steady = (blocks - 1) * max(come + go, vector, (come + machine.hbm_latency_ps) // SLOTS)
        return self.repeats * (steady + come + vector + go + 2 * machine.hbm_latency_ps)


@dataclass(frozen=True)
class StepShape:
    """A product of rows with keys or values of a cache; depth is the KV block."""

    label: str
    most_rows: int
    tasks: int
    """Sequences x query heads."""
    context: int
    head: int
    operand_bytes: int
    kv_bytes: int
    out_bytes: int
    phases: int
    repeats: int
    transposed: bool
    """Scores are made: the KV block is the product's width. Else values are mixed: its depth."""
    most_kv_block: int

    def tiles(self) -> Iterator[Tile]:
        """Powers of two."""
        for rows in powers_of_two(self.most_rows):
            for depth in powers_of_two(min(self.context, self.most_kv_block)):
                yield Tile(rows, depth)

    def footprint(self, tile: Tile) -> Footprint:
        """Slots for rows of a head and a block of positions."""
        rows, depth = tile.rows, tile.depth
        kv = {"kv": depth * self.head * self.kv_bytes}
        if self.transposed:
            spm = {
                "query": rows * self.head * self.operand_bytes,
                "out": rows * depth * self.out_bytes,
            }
            return Footprint(kv | spm, {"scores": rows * depth * FLOAT})
        spm = {
            "operand": rows * depth * self.operand_bytes,
            "out": rows * self.head * self.out_bytes,
        }
        return Footprint(kv | spm, {"pv": rows * self.head * FLOAT})

    def picoseconds(self, machine: Machine, tile: Tile) -> int:
        """The busiest of main memory, matrix unit and vector unit; then a fill and latencies."""
        even, depth = min(tile.rows, self.most_rows), tile.depth
        steps = ceil_div(self.context, depth)
        n, k = (depth, self.head) if self.transposed else (self.head, depth)
        matrix = steps * matmul_cycles(machine, even, n, k, self.phases)
        written = even * (depth * steps if self.transposed else self.head)
        read = even * (self.head if self.transposed else depth * steps) * self.operand_bytes
        nbytes = read + depth * steps * self.head * self.kv_bytes + written * self.out_bytes
        passes = steps if self.transposed else 1
        vector = passes * vector_cycles(machine, even, n)
        blocks = self.tasks * ceil_div(self.most_rows, tile.rows)
        busiest = max(
            cycles_to_ps(machine, max(matrix, vector)), copy_ps(machine, nbytes, 2 * steps + 1)
        )
        ends = cycles_to_ps(machine, machine.matrix_fill) + 2 * machine.hbm_latency_ps
        return self.repeats * (blocks * busiest + ends)
