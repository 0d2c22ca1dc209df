"""A head-wise kernel behind each panel of the matmul that makes its rows, none of them in memory.

Where a panel holds whole heads, its sums are normed, rotated and stored as queries, or appended
to the caches, before the next panel's: queries and keys are there when the last values are made,
and rows of float32 never pass through main memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import SSAValue

from ...backend.formats import Packing
from ...dialects import tile
from .emitter import Emitter, Index
from .heads import Heads, Part, append_rows, load_angles, turn_rows
from .sequences import Rows, lengths_of


@dataclass(frozen=True)
class Piece:
    """Whole heads of one part that lie in one panel."""

    part: Part
    first: int
    """The first head, counted in the part."""
    heads: int
    column: int
    """Where they begin in the panel."""


@dataclass(frozen=True)
class Run:
    """Panels that are treated alike: the first one's number, how many, and their columns.

    In a run of several, heads of the one piece go on from panel to panel.
    """

    first: int
    panels: int
    columns: int
    pieces: tuple[Piece, ...]


def runs_of(packing: Packing, parts: Sequence[Part]) -> tuple[Run, ...] | None:
    """The panels in runs; None where a head would cross the edge of a panel."""
    runs: list[Run] = []
    for panel in range(packing.panels):
        start = panel * packing.panel
        columns = min(packing.panel, packing.n - start)
        pieces: list[Piece] = []
        for part in parts:
            low, high = max(start, part.column), min(start + columns, part.column + part.columns)
            if low >= high:
                continue
            if (low - part.column) % part.head or (high - low) % part.head:
                return None
            if (low - start) % part.head or columns % part.head:
                return None
            first, heads = (low - part.column) // part.head, (high - low) // part.head
            pieces.append(Piece(part, first, heads, low - start))
        if runs and _goes_on(runs[-1], columns, pieces):
            last = runs[-1]
            runs[-1] = Run(last.first, last.panels + 1, columns, last.pieces)
        else:
            runs.append(Run(panel, 1, columns, tuple(pieces)))
    return tuple(runs)


def _goes_on(run: Run, columns: int, pieces: Sequence[Piece]) -> bool:
    """Whether a panel treats the next heads of the same part as the run's panels did theirs."""
    if len(run.pieces) != 1 or len(pieces) != 1 or run.columns != columns:
        return False
    (a,), (b,) = run.pieces, pieces
    follows = b.first == a.first + run.panels * a.heads
    return a.part is b.part and follows and (a.heads, a.column) == (b.heads, b.column)


@dataclass(frozen=True)
class Turned:
    """A head-wise kernel of one sequence that a matmul's panels go through, and its location."""

    kernel: Heads
    location: LocationAttr
    runs: tuple[Run, ...]

    @property
    def columns(self) -> int:
        """The most columns that one panel stores at once."""
        return max((p.heads * p.part.head for run in self.runs for p in run.pieces), default=0)

    @property
    def passes(self) -> int:
        """Passes of the vector unit for a panel, at most."""
        parts = self.kernel.parts
        return max((4 if p.rope else 1) + (3 if p.norm else 0) for p in parts)

    @property
    def dim(self) -> int:
        """Columns of a head that are rotated, or 0."""
        return self.kernel.rope.dim if self.kernel.rope is not None else 0

    @property
    def local_columns(self) -> int:
        """Float32 values a row that a panel's heads need beside its sums, at most."""

        def of(piece: Piece) -> int:
            part = piece.part
            normed = part.head + 1 if part.norm is not None else 0
            turned = part.rope.dim // 2 if part.rope is not None else 0
            return piece.heads * (normed + turned)

        return max((sum(map(of, run.pieces)) for run in self.runs), default=0)

    def rows(self, e: Emitter, first: Index, count: Index) -> Rows:
        """A block of the step's rows, with the position of its first."""
        lengths = lengths_of(e, 0)
        offset = e.minus(first, lengths.start)
        return Rows(first, e.plus(lengths.cached, offset), count)

    def angles(self, e: Emitter, rows: Rows, most: int) -> tuple[SSAValue, SSAValue] | None:
        """cos and sin of a block's positions, for all panels."""
        rope = self.kernel.rope
        with e.at(self.location):
            return load_angles(e, rope, most, rows.position, rows.count) if rope else None


def emit_turned(
    e: Emitter,
    turned: Turned,
    run: Run,
    n: Index,
    x: SSAValue,
    angles: tuple[SSAValue, SSAValue] | None,
    rows: Rows,
    layer: Sequence[Index],
) -> None:
    """Turn and store the heads of panel `n` of a run; x are its columns, [rows, columns]."""
    most, columns = tile.shape_of(x)
    with e.at(turned.location):
        for piece in run.pieces:
            part = piece.part
            heads = e.reshape(x, (most, columns // part.head, part.head))
            lines = (most, piece.heads, part.head)
            value = e.part(heads, [0, piece.column // part.head, 0], lines)
            first = e.plus(piece.first, e.times(n, piece.heads))
            width = piece.heads * part.head
            out = e.buffer((most, width), part.element, "out", "out")
            result = e.reshape(out, lines)
            turn_rows(e, part, value, result, angles, rows.count, layer)
            if part.output is not None:
                where = e.times(first, part.head)
                e.store(out, part.output, [rows.first, where], [rows.count, width])
            if part.cache is not None:
                leading = list(layer) if part.layered else []
                append_rows(e, part, result, [*leading, 0], first, rows.position, rows.count)
