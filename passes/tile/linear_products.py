"""The sums of panels: the product of a block of rows and weight tiles that stream by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import SSAValue

from ...dialects import tile
from ...dialects.lowbit import TileType
from ...dialects.spaces import SPM
from .emitter import Emitter, Index
from .linear_kernel import Linear, Rows
from .tiles import narrow_depth

WEIGHTS = "weights"
"""The ring of weight tiles."""
NARROW = "narrow_weights"
"""The ring of those of a last panel that is narrower than the others, where it has one."""


def product_of(
    e: Emitter,
    kernel: Linear,
    block: Rows,
    operands: Sequence[SSAValue],
    panel: Index,
    columns: int,
) -> SSAValue:
    """The sums of some panels: `columns` of them, beginning at panel times the panel width.

    All of them take in a piece of K before the next: it may not be there yet.
    """
    width, rows = kernel.packing.panel, block.size.rows
    sums = e.sums((rows, columns), "sums", "sums")
    for number, operand in enumerate(operands):
        piece = Piece(operand, number, len(operands))
        if columns // width:
            with e.loop(columns // width, "panel") as p:
                part = e.part(sums, [0, e.times(p, width)], [rows, width])
                _multiply(e, kernel, block, piece, e.plus(panel, p), part)
        if columns % width:
            part = e.part(sums, [0, columns - columns % width], [rows, columns % width])
            _multiply(e, kernel, block, piece, e.plus(panel, columns // width), part)
    return sums


@dataclass(frozen=True)
class Piece:
    """The rows' values for one of some equal pieces of K."""

    operand: SSAValue
    number: int
    pieces: int


def _multiply(
    e: Emitter, kernel: Linear, block: Rows, piece: Piece, panel: Index, sums: SSAValue
) -> None:
    """Add the product of the rows and one panel to its sums, over a piece of K."""
    packing, size, count = kernel.packing, block.size, block.count
    columns = tile.shape_of(sums)[1]
    last = packing.panels - 1
    stride = packing.panel_stride_columns(0 if columns == packing.panel else last)
    blocks = packing.blocks // piece.pieces
    depth = narrow_depth(blocks, size.depth, packing.panel, stride)
    deep = depth * packing.spec.block
    with e.loop(blocks // depth, "k") as k:
        element = TileType.of(kernel.packed, deep, stride)
        ring = NARROW if size.apart and stride < packing.panel else WEIGHTS
        slot = e.add(tile.BufferOp(MemRefType(element, [], memory_space=SPM), ring))
        slot.result.name_hint = "w"
        leading = list(block.layer) if len(kernel.packed.get_shape()) == 3 else []
        first = e.plus(piece.number * blocks, e.times(k, depth))
        e.load(kernel.weight, [*leading, panel, first], [depth], slot.result)
        start = e.times(k, deep)
        part = e.part(piece.operand, [0, start], [size.rows, deep])
        clipped = None
        if packing.k % packing.spec.block:
            clipped = e.least(deep, e.minus(packing.k, start))
        e.matmul(part, slot.result, sums, count, depth=clipped)
