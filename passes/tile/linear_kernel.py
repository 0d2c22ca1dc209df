"""What a matmul is to do, with its norm and epilogue; and a block of the rows it works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xdsl.ir import Attribute

from ...backend.formats import Packing
from ...dialects.lowbit import PackedType
from .emitter import Index
from .heads_in_panels import Turned
from .norm import Norm
from .residency import Home, Rooms
from .tiles import Tile


@dataclass(frozen=True)
class Step:
    """One op of an epilogue. Values are numbered: 0 is the matmul's result, step i gives i + 1.

    `vector`: value fn @name, one element a column. `tensor`: value fn the rows of region @name.
    `unary`: fn(value). `binary`: value fn other. `half`: the first or second half of the columns.
    """

    kind: Literal["vector", "tensor", "unary", "binary", "half"]
    value: int
    fn: str = ""
    name: str = ""
    layered: bool = False
    other: int = 0


@dataclass(frozen=True)
class Linear:
    """What the emission needs of one matmul kernel."""

    source: str
    """The region whose rows are multiplied."""
    source_element: Attribute
    index: str | None
    """Rows are picked by the indices in this region, or taken in order."""
    inside: bool
    """Every index is that of a row."""
    count: str
    """The launch parameter that counts the rows."""
    norm: Norm | None
    operand: Attribute
    """Element type of the matrix unit's left operand."""
    weight: str
    packed: PackedType
    steps: Sequence[Step]
    output: str
    result: Attribute
    turned: Turned | None = None
    """The head-wise kernel that the panels go through, instead of to `output`."""

    @property
    def halved(self) -> bool:
        """Whether the epilogue leaves half of the columns."""
        return any(step.kind == "half" for step in self.steps)

    def through_vector(self, home: Home) -> bool:
        """Whether the rows pass through the vector unit before the matmul, from their home."""
        inside = home is Home.VECTOR and self.index is None
        return self.norm is not None or self.source_element != self.operand or inside

    def in_order(self, rooms: Rooms) -> Linear:
        """The kernel without an index where that can only pick the one row that is on chip."""
        only = self.inside and rooms.rows == 1 and rooms.on_chip(self.source)
        return replace(self, index=None) if only else self

    def on_chip(self, rooms: Rooms) -> bool:
        """Whether the kernel reads or makes rows on chip, all of them at once."""
        names = [self.output, *(step.name for step in self.steps if step.kind == "tensor")]
        if self.index is None:
            names.append(self.source)
        return any(rooms.on_chip(name) for name in names)

    @property
    def squared(self) -> bool:
        """Whether the epilogue's last pass can leave the sum of squares of the rows, too."""
        return not self.steps or self.steps[-1].kind not in ("unary", "half")

    def groups(self) -> list[int]:
        """How many panels may share a slot of sums and a pass of the vector unit for each step."""
        full, panels = self.packing.n // self.packing.panel, self.packing.panels
        if not self.halved:
            return sorted({1, panels})
        others = any(step.kind in ("vector", "tensor") for step in self.steps)
        if others or self.packing.n % self.packing.panel:
            return [1]
        return [n for n in range(1, full + 1) if full % n == 0]

    @property
    def packing(self) -> Packing:
        """The packing of one layer."""
        return self.packed.packing


@dataclass(frozen=True)
class Rows:
    """A block of rows being worked on: tile sizes, layer, the first row and how many there are."""

    size: Tile
    layer: Sequence[Index]
    first: Index
    count: Index
