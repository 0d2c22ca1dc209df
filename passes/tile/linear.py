"""A matmul kernel -> tile loops: rows stay, weights stream by panels, an epilogue a panel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xdsl.dialects.builtin import Float32Type, MemRefType
from xdsl.ir import Attribute, SSAValue

from ...backend.formats import Packing
from ...dialects import tile
from ...dialects.lowbit import PackedType, TileType
from ...dialects.spaces import SPM
from .activations import ACTIVATIONS
from .emitter import Emitter, Index
from .heads_in_panels import Turned, emit_turned
from .norm import Norm, emit_norm
from .residency import Home, Rooms
from .tiles import Tile, narrow_depth


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

    def on_chip(self, rooms: Rooms) -> bool:
        """Whether the kernel reads or makes rows on chip, all of them at once."""
        names = [self.output, *(step.name for step in self.steps if step.kind == "tensor")]
        if self.index is None:
            names.append(self.source)
        return any(rooms.on_chip(name) for name in names)

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


def emit_linear(
    e: Emitter, kernel: Linear, size: Tile, layer: Sequence[Index], rooms: Rooms
) -> None:
    """A loop over row blocks, and in it one over panels; rows on chip are one block."""
    total = e.scalar(kernel.count)
    if kernel.index is not None and rooms.on_chip(kernel.source):
        _spill(e, kernel, rooms)
    if kernel.on_chip(rooms):
        _panels(e, kernel, Rows(size, layer, 0, total), rooms)
        return
    with e.cuts(total, size.rows) as (first, count):
        _panels(e, kernel, Rows(size, layer, first, count), rooms)


def _spill(e: Emitter, kernel: Linear, rooms: Rooms) -> None:
    """Store rows on chip to their region, so that a gather can pick some of them."""
    source, k = rooms.values[kernel.source], kernel.packing.k
    rows, total = rooms.spilled_rows(k), e.scalar("rows")
    wanted = e.least(e.scalar(kernel.count), 1)
    with e.loop(wanted, "some"), e.cuts(total, rows, rooms.rows) as (first, count):
        out = e.buffer((rows, k), kernel.source_element, "out", "out")
        e.vec("id", e.part(source, [first, 0], [rows, k]), to=out, rows=count)
        e.store(out, kernel.source, [first, 0], [count, k])


def _panels(e: Emitter, kernel: Linear, block: Rows, rooms: Rooms) -> None:
    """Full panels in a loop, and the narrower last panel behind it."""
    packing = kernel.packing
    full = packing.n // packing.panel
    operand = _operand(e, kernel, block, rooms)
    if kernel.turned is not None:
        _turned_panels(e, kernel, kernel.turned, block, operand, rooms)
        return
    room = rooms.make(e, kernel.output) if rooms.on_chip(kernel.output) else None
    if full:
        with e.loop(full, "n") as n:
            _panel(e, kernel, block, operand, n, packing.panel, room, rooms)
    if packing.n % packing.panel:
        _panel(e, kernel, block, operand, full, packing.n % packing.panel, room, rooms)


def _turned_panels(
    e: Emitter, kernel: Linear, turned: Turned, block: Rows, operand: SSAValue, rooms: Rooms
) -> None:
    """Panels whose heads are turned and stored one by one."""
    rows = turned.rows(e, block.first, block.count)
    angles = turned.angles(e, rows, block.size.rows)
    for run in turned.runs:
        with e.loop(run.panels, "n") as n:
            panel = e.plus(run.first, n)
            x = _product(e, kernel, block, operand, panel, run.columns)
            if kernel.steps:
                to = e.buffer((block.size.rows, run.columns), Float32Type(), "v")
                _epilogue(e, kernel, block, x, to, panel, 0, rooms)
                x = to
            emit_turned(e, turned, run, n, x, angles, rows, block.layer)


def _operand(e: Emitter, kernel: Linear, block: Rows, rooms: Rooms) -> SSAValue:
    """The block of rows as the matrix unit reads it, [rows, K padded to whole blocks]."""
    size, first, count = block.size, block.first, block.count
    home = rooms.home(kernel.source)
    k = kernel.packing.k
    padded = kernel.packing.blocks * kernel.packing.spec.block
    direct = not kernel.through_vector(home)
    if kernel.index is None and home is not Home.MEMORY:
        if direct:
            return rooms.values[kernel.source]
        part = e.part(rooms.values[kernel.source], [0, 0], [size.rows, k])
    else:
        columns = padded if direct else k
        element = kernel.operand if direct else kernel.source_element
        rows = e.buffer((size.rows, columns), element, "x", "operand" if direct else "rows")
        part = e.part(rows, [0, 0], [size.rows, k])
        if kernel.index is None:
            e.load(kernel.source, [first, 0], [count, k], part)
        else:
            e.add(tile.GatherOp(kernel.source, kernel.index, first, e.value(count), part))
        if direct:
            return rows
    operand = e.buffer((size.rows, padded), kernel.operand, "a", "normed")
    target = e.part(operand, [0, 0], [size.rows, k])
    if kernel.norm is None:
        e.vec("id", part, to=target, rows=count)
    else:
        emit_norm(e, kernel.norm, block.layer, part, target, count)
    return operand


def _product(
    e: Emitter, kernel: Linear, block: Rows, operand: SSAValue, panel: Index, columns: int
) -> SSAValue:
    """The sums of one panel: `columns` of them, beginning at panel times the panel width."""
    packing, size, count = kernel.packing, block.size, block.count
    sums = e.sums((size.rows, columns), "sums", "sums")
    last = packing.panels - 1
    stride = packing.panel_stride_columns(0 if columns == packing.panel else last)
    depth = narrow_depth(packing.blocks, size.depth, packing.panel, stride)
    deep = depth * packing.spec.block
    with e.loop(packing.blocks // depth, "k") as k:
        element = TileType.of(kernel.packed, deep, stride)
        slot = e.add(tile.BufferOp(MemRefType(element, [], memory_space=SPM), "weights"))
        slot.result.name_hint = "w"
        leading = list(block.layer) if len(kernel.packed.get_shape()) == 3 else []
        e.load(
            kernel.weight,
            [*leading, panel, e.times(k, depth)],
            [depth],
            slot.result,
        )
        start = e.times(k, deep)
        part = e.part(operand, [0, start], [size.rows, deep])
        clipped = None
        if packing.k % packing.spec.block:
            clipped = e.least(deep, e.minus(packing.k, start))
        e.matmul(part, slot.result, sums, count, depth=clipped)
    return sums


def _panel(
    e: Emitter,
    kernel: Linear,
    block: Rows,
    operand: SSAValue,
    panel: Index,
    columns: int,
    room: SSAValue | None,
    rooms: Rooms,
) -> None:
    """One panel of the result, stored, or in its columns of `room`."""
    packing, size, count = kernel.packing, block.size, block.count
    sums = _product(e, kernel, block, operand, panel, columns)
    kept = columns // 2 if kernel.halved else columns
    step = packing.panel // 2 if kernel.halved else packing.panel
    where = e.times(panel, step)
    if room is None:
        out = e.buffer((size.rows, kept), kernel.result, "out", "out")
    else:
        out = e.part(room, [0, where], [size.rows, kept])
    _epilogue(e, kernel, block, sums, out, panel, where, rooms)
    if room is None:
        e.store(out, kernel.output, [block.first, where], [count, kept])


def _epilogue(
    e: Emitter,
    kernel: Linear,
    block: Rows,
    sums: SSAValue,
    out: SSAValue,
    panel: Index,
    where: Index,
    rooms: Rooms,
) -> None:
    """The steps in order; the last writes the output slot, the others buffers of the unit's own."""
    size, count = block.size, block.count
    values = [sums]
    if not kernel.steps:
        e.vec("id", sums, to=out, rows=count)
    for number, step in enumerate(kernel.steps):
        x = values[step.value]
        columns = tile.shape_of(x)[1]
        if step.kind == "half":
            half = columns // 2
            values.append(e.part(x, [0, step.other * half], [size.rows, half]))
            continue
        last = number == len(kernel.steps) - 1
        to = out if last else e.buffer((size.rows, columns), Float32Type(), "v")
        if step.kind == "unary":
            ACTIVATIONS[step.fn][0](e, x, to, count)
        else:
            other = values[step.other]
            if step.kind == "vector":
                start = e.times(panel, kernel.packing.panel)
                layer = block.layer if step.layered else ()
                other = e.parameter(step.name, layer, (1, columns), step.name, start)
            elif step.kind == "tensor" and rooms.on_chip(step.name):
                other = e.part(rooms.values[step.name], [0, where], [size.rows, columns])
            elif step.kind == "tensor":
                other = e.buffer((size.rows, columns), Float32Type(), "r", "residual")
                e.load(step.name, [block.first, where], [count, columns], other)
            e.vec("id", x, op=(step.fn, other), to=to, rows=count)
        values.append(to)
