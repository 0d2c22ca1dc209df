"""The shape of a matmul, for the search."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from ...backend.machine import Machine
from ...backend.timing import (
    ceil_div,
    cycles_to_ps,
    matmul_cycles,
    queue_ps,
    transfer_ps,
    vector_cycles,
)
from .shapes import FLOAT, SCALARS, Footprint, powers_of_two
from .tiles import Tile, narrow_depth


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
    last_columns: int = 0
    """Columns that the last panel stores, if it is narrower than the others."""
    at_once: bool = False
    """All rows are one block: some of what the kernel reads or makes is on chip."""
    loaded: bool = True
    """The rows come from main memory."""
    stored: bool = True
    """The result goes there."""
    handed_bytes: int = 0
    """Bytes a row of the widest slot that the vector unit hands to the matrix unit, in or out."""
    spilled_bytes: int = 0
    """Bytes of a slot of rows that are stored before some of them are gathered."""
    angle_bytes: int = 0
    """Bytes a row of the angles that heads of the result are turned by, panel by panel."""
    turned_bytes: int = 0
    """Bytes a row that turning needs beside."""
    groups: tuple[int, ...] = (1,)
    """Panels that may share a slot of sums and an epilogue."""
    saved: int = 0
    """Passes over the result that are not needed where all panels share a slot."""

    @property
    def blocks(self) -> int:
        """Blocks along K."""
        return ceil_div(self.k, self.block)

    def tiles(self) -> Iterator[Tile]:
        """Even cuts of K only, so that no weight tile is short; few rows may have wide sums."""
        choices = (self.most_rows,) if self.at_once else powers_of_two(self.most_rows)
        for rows, depth, panels in product(choices, self.depths(), self.groups):
            yield Tile(rows, depth, panels=panels)

    def depths(self) -> list[int]:
        """Blocks of K in a weight tile."""
        return [depth for depth in range(1, self.blocks + 1) if self.blocks % depth == 0]

    def _joined(self, tile: Tile) -> bool:
        """Whether all panels share a slot of sums."""
        return tile.panels * self.panel >= self.n

    def _columns(self, tile: Tile) -> int:
        """Columns of a slot of sums."""
        return max(min(tile.panels * self.panel, self.n), self.panel)

    def _cuts(self, tile: Tile) -> list[tuple[int, int, int, int]]:
        """Weight tiles: how many, their columns, blocks of K, and bytes; those of the last panel
        apart, if it is narrower."""
        whole, last = divmod(self.n, self.panel)
        found = [(whole * self.blocks // tile.depth, self.panel, tile.depth)] if whole else []
        if last:
            width = self.last_columns or last
            depth = narrow_depth(self.blocks, tile.depth, self.panel, width)
            found.append((self.blocks // depth, width, depth))
        each = self.block_bytes / self.panel
        return [(n, columns, deep, int(deep * columns * each)) for n, columns, deep in found]

    def narrow_bytes(self, tile: Tile) -> int:
        """Bytes of a weight tile of the last panel, if that is narrower; else 0."""
        _, columns, _, nbytes = self._cuts(tile)[-1]
        return nbytes if columns < self.panel else 0

    def footprint(self, tile: Tile) -> Footprint:
        """Slots for a tile of rows and blocks of K."""
        rows, columns = tile.rows, self._columns(tile)
        operand = rows * self.blocks * self.block * self.operand_bytes
        spm = {
            "weights": tile.depth * self.block_bytes,
            "vector": FLOAT * max(self.k if self.through_vector else 1, columns),
        }
        if self.loaded and self.through_vector:
            spm["rows"] = rows * self.k * FLOAT
        if self.through_vector:
            spm["normed"] = operand
        elif self.loaded:
            spm["operand"] = operand
        if self.handed_bytes:
            spm["handed"] = rows * self.handed_bytes
        if self.stored or self.spilled_bytes:
            kept = columns * self.out_columns // self.panel
            out = rows * kept * self.out_bytes if self.stored else 0
            spm["out"] = max(out, self.spilled_bytes)
        if self.residuals:
            spm["residual"] = rows * self.out_columns * FLOAT
        if self.angle_bytes:
            spm["angles"] = rows * self.angle_bytes
        local = rows * ((1 + self.temporaries * columns) * FLOAT + self.turned_bytes)
        return Footprint(spm, {"sums": rows * columns * FLOAT}, local)

    def picoseconds(self, machine: Machine, tile: Tile) -> int:
        """The busiest engine's time: rows resident, weights streamed once a row block."""
        row_blocks = ceil_div(self.most_rows, tile.rows)
        even = min(tile.rows, self.most_rows)
        cuts = self._cuts(tile)
        matrix = sum(
            count
            * (
                matmul_cycles(machine, even, columns, deep * self.block, self.phases)
                + SCALARS * machine.scalar_cycles
            )
            for count, columns, deep, _ in cuts
        )
        vector = epilogues = self._epilogue_cycles(machine, tile)
        if self.through_vector:
            vector += 3 * vector_cycles(machine, even, self.k)
        columns = self.k * self.loaded + self.n * self.stored
        # Without main memory the matrix unit reads weights where they lie.
        loads = cuts if machine.has_hbm else []
        moved = sum(count * nbytes for count, _, _, nbytes in loads) + even * columns * FLOAT
        units = max(matrix, vector)
        if not machine.has_hbm:  # The first product, or the last epilogue, hides behind no load.
            units += min(matrix, vector) // ceil_div(self.n, self.panel * tile.panels)
        busiest = max(
            cycles_to_ps(machine, units),
            sum(queue_ps(machine, nbytes, count) for count, _, _, nbytes in loads),
            transfer_ps(machine, moved),
        )
        fill = cycles_to_ps(machine, machine.matrix_fill)
        if self.loaded or self.stored:
            fill += machine.hbm_latency_ps
        if self.at_once and moved < machine.spm_bytes:
            # The weights may all be there before the rows are.
            excess = self._excess_cycles(machine, tile, cuts) + max(epilogues - matrix, 0)
            fill += cycles_to_ps(machine, excess)
        return self.repeats * row_blocks * (busiest + fill)

    def _epilogue_cycles(self, machine: Machine, tile: Tile) -> int:
        """Passes over the result: as many for panels that share a slot as for one."""
        rows, groups = min(tile.rows, self.most_rows), ceil_div(self.n, self.panel * tile.panels)
        columns = min(self.out_columns * tile.panels, self.n)
        return groups * self.vector_steps * vector_cycles(machine, rows, columns)

    def _excess_cycles(
        self, machine: Machine, tile: Tile, cuts: list[tuple[int, int, int, int]]
    ) -> int:
        """Of a chain from kernel to kernel, behind no load: sub-tiles that cuts of K leave partly
        empty, and a pass that wide sums would save."""
        rows, found = min(tile.rows, self.most_rows), 0
        for count, columns, deep, _ in cuts:
            each = matmul_cycles(machine, rows, columns, deep * self.block, self.phases)
            whole = matmul_cycles(machine, rows, columns, self.k, self.phases)
            found += count * each - count * deep // self.blocks * whole
        if self.saved and not self._joined(tile):
            found += vector_cycles(machine, rows, self.n)
        return found
