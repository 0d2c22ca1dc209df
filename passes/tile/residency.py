"""Where the tensors between kernels live: in main memory, or on chip where a step has few rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from xdsl.dialects import scf
from xdsl.dialects.builtin import AnyFloat, Float32Type
from xdsl.ir import Attribute, Operation, SSAValue

from ...dialects.tg import (
    AttentionOp,
    EmbedOp,
    FusedOp,
    KvAppendOp,
    MatmulOp,
    RmsNormOp,
    RopeOp,
    SplitOp,
    TakeOp,
)
from .alone import single_op
from .emitter import Emitter
from .regions import Regions, counted_by, is_operand
from .shapes import FLOAT


class Home(Enum):
    """What holds a tensor between the kernel that makes it and those that read it."""

    MEMORY = "memory"
    """A region of main memory."""
    VECTOR = "vector"
    """A buffer of the vector unit's own."""
    MATRIX = "matrix"
    """A slot that the vector unit fills and the matrix unit reads."""


class Residency(Enum):
    """How much of a program's tensors stays on chip."""

    ALL = "all"
    """Everything that the rows of a step pass through; sequences have one new row at most."""
    HEADS = "heads"
    """Everything but what head-wise kernels make: queries, and the step's own keys and values."""
    ROWS = "rows"
    """What row-wise kernels hand to each other; what attention reads and makes is in memory."""
    NONE = "none"
    """Nothing."""


HANDED = "handed"
"""The ring of tensors that the vector unit hands to the matrix unit."""


def find_homes(regions: Regions, residency: Residency) -> dict[str, Home]:
    """The home of every region.

    What matmuls and attention alone read, as their operand, is handed to the matrix unit; all else
    that stays on chip belongs to the vector unit.
    """
    homes = {name: Home.MEMORY for name in regions.types}
    if residency is Residency.NONE:
        return homes
    uses: dict[str, list[tuple[Operation, SSAValue]]] = {}
    kept: dict[str, bool] = {}
    for value, name in regions.names.items():
        found = uses.setdefault(name, [])
        found += [(u.operation, value) for u in value.uses if not _passes_on(u.operation)]
        counted = counted_by(value) == "rows"
        stays = _stays(value, residency) and not _beside_single_op(value)
        kept[name] = kept.get(name, True) and counted and stays
    for name, reads in uses.items():
        if kept[name] and name in homes:
            handed = bool(reads) and all(is_operand(op, value) for op, value in reads)
            homes[name] = Home.MATRIX if handed else Home.VECTOR
    for value, name in regions.names.items():
        if name in homes and _reads_heads_in_memory(value, regions, homes):
            homes[name] = Home.MEMORY
    if residency is Residency.ALL and not _attention_is_handed(uses, homes):
        return find_homes(regions, Residency.HEADS)
    return homes


def _stays(value: SSAValue, residency: Residency) -> bool:
    if residency is Residency.ROWS:
        return not _beside_attention(value)
    if residency is Residency.ALL:
        return True
    queries = any(isinstance(use.operation, AttentionOp) for use in value.uses)
    return not queries and not _made_by_heads(value)


def _passes_on(op: Operation) -> bool:
    return isinstance(op, scf.ForOp | scf.YieldOp)


def _beside_attention(value: SSAValue) -> bool:
    """Whether attention or a head-wise kernel makes or reads the tensor."""
    around = [use.operation for use in value.uses]
    if isinstance(value.owner, FusedOp):
        around += list(value.owner.body.block.ops)
    kernels = {op.parent_op() for op in around if isinstance(op.parent_op(), FusedOp)}
    kinds = AttentionOp | RopeOp | KvAppendOp
    return any(
        isinstance(op, kinds)
        or (isinstance(op, SplitOp) and op.group is None)
        or (isinstance(op, RmsNormOp) and op.heads is not None)
        for kernel in kernels
        if isinstance(kernel, FusedOp)
        for op in kernel.body.block.ops
    )


def _beside_single_op(value: SSAValue) -> bool:
    """Whether a kernel of one op makes or reads the tensor: those work out of main memory."""
    around = {use.operation.parent_op() for use in value.uses} | {value.owner}
    return any(isinstance(op, FusedOp) and single_op(op) is not None for op in around)


def _reads_heads_in_memory(value: SSAValue, regions: Regions, homes: Mapping[str, Home]) -> bool:
    """Whether a head-wise kernel makes the tensor of rows in main memory: its own go there too."""
    kernel = value.owner
    if not isinstance(kernel, FusedOp) or not _made_by_heads(value):
        return False
    read = {operand for op in kernel.body.block.ops for operand in op.operands}
    names = {regions.names[operand] for operand in read if operand in regions.names}
    return any(homes.get(name, Home.MEMORY) is Home.MEMORY for name in names)


def _made_by_heads(value: SSAValue) -> bool:
    """Whether a head-wise kernel makes the tensor."""
    return isinstance(value.owner, FusedOp) and not any(
        isinstance(op, MatmulOp | AttentionOp | EmbedOp) for op in value.owner.body.block.ops
    )


def _attention_is_handed(
    uses: Mapping[str, list[tuple[Operation, SSAValue]]], homes: Mapping[str, Home]
) -> bool:
    """Whether the queries of every attention kernel are handed to the matrix unit."""
    return all(
        homes.get(name) is Home.MATRIX
        for name, reads in uses.items()
        if any(isinstance(op, AttentionOp) for op, _ in reads)
    )


def taken(regions: Regions) -> set[str]:
    """Regions out of which rows are picked by number: only main memory can do that."""
    return {
        name
        for value, name in regions.names.items()
        if any(isinstance(use.operation, TakeOp) for use in value.uses)
    }


@dataclass
class Rooms:
    """The regions while kernels are written: their homes, and the buffers of those on chip."""

    regions: Regions
    homes: Mapping[str, Home]
    rows: int
    """Rows that a buffer holds: the most of a step."""
    least_bytes: int
    """Bytes of a transfer that takes as long as its issue."""
    least_elements: int
    """Elements that the vector unit passes in the time that it takes to start."""
    columns: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    """Columns of a region where a matmul pads it to whole blocks of K."""
    extra: dict[str, int] = field(default_factory=lambda: dict[str, int]())
    """Rows by which a buffer is longer, since blocks of a sequence's rows begin anywhere in it."""
    values: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    squared: set[str] = field(default_factory=set[str])
    """Regions whose rows come with the sum of squares of each, from all that make them."""
    squares: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    """Those sums [rows, 1], buffers of the vector unit's own."""
    in_sums: set[str] = field(default_factory=set[str])
    """Regions that the vector unit reads where the matmul that makes them leaves them."""
    pieces: dict[str, int] = field(default_factory=lambda: dict[str, int]())
    """Slots that a region handed to the matrix unit is cut into, equal pieces of the columns."""
    parts: dict[str, list[SSAValue]] = field(default_factory=lambda: dict[str, list[SSAValue]]())
    """Those slots, of regions that have several."""
    fresh: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    """By cache: the step's own rows [rows, columns] in a slot, where they are on chip."""
    appended: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    """The same as [rows, heads, head]."""

    def home(self, name: str) -> Home:
        """The home of a region; a global of the module is in main memory."""
        return self.homes.get(name, Home.MEMORY)

    def on_chip(self, name: str) -> bool:
        """Whether a region has a buffer."""
        return self.home(name) is not Home.MEMORY

    def shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of a region's buffer."""
        columns = self.regions.types[name].get_shape()[1]
        rows = self.rows + self.extra.get(name, 0)
        return rows, max(columns, self.columns.get(name, 0))

    def element(self, name: str) -> Attribute:
        """Element type of a region."""
        return self.regions.types[name].element_type

    def make(self, e: Emitter, name: str) -> SSAValue:
        """The buffer of a region on chip that a kernel is about to write, or its next piece."""
        if self.home(name) is Home.VECTOR and name in self.values:
            return self.values[name]
        ring = HANDED if self.home(name) is Home.MATRIX else None
        if (pieces := self.pieces.get(name, 1)) > 1:
            rows, columns = self.shape(name)
            slot = e.buffer((rows, columns // pieces), self.element(name), name, ring)
            self.parts[name] = [*self.parts.get(name, ())[-pieces + 1 :], slot]
            return slot
        self.values[name] = e.buffer(self.shape(name), self.element(name), name, ring)
        if name in self.squared:
            self.squares[name] = e.buffer((self.rows, 1), Float32Type(), "squares")
        return self.values[name]

    def by_head(self, e: Emitter, name: str, head: int) -> SSAValue:
        """A buffer seen as [rows, heads, head]."""
        rows, columns = self.shape(name)
        return e.reshape(self.values[name], (rows, columns // head, head))

    def row_bytes(self, name: str) -> int:
        """Bytes of a row of a region's buffer."""
        element = self.element(name)
        assert isinstance(element, AnyFloat)
        return self.shape(name)[1] * element.bitwidth // 8

    def few(self, columns: int) -> bool:
        """Whether a pass of the vector unit over so many columns is mostly its start."""
        return self.rows * columns <= self.least_elements

    def spilled_rows(self, columns: int) -> int:
        """Rows of float32 that are stored at once: a power of two that divides all rows."""
        wanted = max(self.least_bytes // (columns * FLOAT), 1)
        rows = 1
        while 2 * rows <= wanted and self.rows % (2 * rows) == 0:
            rows *= 2
        return rows
