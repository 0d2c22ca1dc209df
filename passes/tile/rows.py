"""Embedding rows on the vector unit."""

from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type, MemRefType

from ...dialects import tile
from ...dialects.lowbit import PackedType, TileType
from ...dialects.spaces import SPM
from .emitter import Emitter
from .residency import Rooms
from .tiles import Tile


@dataclass(frozen=True)
class Embedding:
    """Rows of @weight picked by the indices in @index, dequantised into @output."""

    weight: str
    packed: PackedType
    index: str
    output: str
    count: str
    """The launch parameter that counts the rows."""


def emit_embedding(e: Emitter, kernel: Embedding, size: Tile, rooms: Rooms) -> None:
    """A loop over blocks of rows: gather, dequantise, store where the output is in memory."""
    columns = kernel.packed.k
    room = rooms.make(e, kernel.output) if rooms.on_chip(kernel.output) else None
    total = e.scalar(kernel.count)
    most = 0 if room is None else rooms.rows
    with e.cuts(total, size.rows, most) as (first, count):
        element = TileType.of(kernel.packed, size.rows, columns)
        slot = e.add(tile.BufferOp(MemRefType(element, [], memory_space=SPM), "picked"))
        slot.result.name_hint = "picked"
        e.add(tile.GatherOp(kernel.weight, kernel.index, first, e.value(count), slot.result))
        if room is None:
            out = e.buffer((size.rows, columns), Float32Type(), "out", "out")
            e.vec("id", slot.result, to=out, rows=count)
            e.store(out, kernel.output, [first, 0], [count, columns])
        else:
            to = e.part(room, [first, 0], [size.rows, columns])
            squares = rooms.squares.get(kernel.output)
            reduce = None
            if squares is not None:
                reduce = ("sumsq", e.part(squares, [first, 0], [size.rows, 1]))
            e.vec("id", slot.result, to=to, reduce=reduce, rows=count)
