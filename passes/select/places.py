"""Buffers, slots, parts of them and globals → places and views: addresses in bytes, strides from
types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects import memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, bf16, f16, f32, i8, i32
from xdsl.dialects.utils.dynamic_index_list import get_dynamic_index_list
from xdsl.ir import Attribute, Operation, SSAValue

from ...backend.formats import FORMATS, Packing
from ...backend.isa import ELEMENT_BYTES, View
from ...dialects.lowbit import PackedType, TileType
from ...dialects.shaped import element_bytes, memref_of
from ...dialects.stream import SlotOp
from ...dialects.tg import GlobalOp
from ...dialects.tile import BufferOp, PartOp, ReshapeOp, element_of, strides_of
from ..located import PassError, located
from .code import Place, PlaceKind
from .index import IndexValues
from .scalars import Sum

ELEMENT_FORMATS: dict[Attribute, str] = {
    f32: "f32",
    f16: "f16",
    bf16: "bf16",
    i32: "i32",
    i8: "i8",
}
"""Format of a dense view by the element type of its memref."""


@dataclass(frozen=True)
class Part:
    """Where a memref value lies: its place, its offset there, and its element strides in bytes."""

    kind: PlaceKind
    name: str
    offset: Sum
    strides: tuple[int, ...]
    slot: SSAValue | None = None


def element_format(type_: Attribute, op: Operation) -> str:
    """The format of a dense view. Raises PassError for an element that views do not have."""
    format = ELEMENT_FORMATS.get(type_)
    if format is None:
        raise PassError(f"{located(op)}: a view has no elements of {type_}", op)
    return format


class Places:
    """Places of the values of one projected function."""

    def __init__(
        self,
        values: IndexValues,
        regions: Mapping[BufferOp, str],
        globals: Mapping[str, GlobalOp],
    ):
        """`regions`: the region of each private buffer; `globals`: declarations by name."""
        self.values = values
        self.regions = regions
        self.globals = globals
        self._parts: dict[SSAValue, Part] = {}

    def part(self, value: SSAValue) -> Part:
        """Where a memref lies."""
        known = self._parts.get(value)
        if known is None:
            known = self._parts[value] = self._find(value)
        return known

    def _find(self, value: SSAValue) -> Part:
        op = value.owner
        assert isinstance(op, Operation)
        type_ = memref_of(value)
        step = element_bytes(type_.element_type)
        strides = tuple(step * stride for stride in strides_of(type_))
        match op:
            case SlotOp():
                return Part("channel", op.channel_name, Sum(), strides, value)
            case BufferOp():
                return Part("region", self.regions[op], Sum(), strides)
            case PartOp():
                return Part("region", op.global_name, self._start(op), strides)
            case ReshapeOp():
                return replace(self.part(op.source), strides=strides)
            case _:
                assert isinstance(op, memref.SubviewOp), "lowering refuses what else makes a memref"
                return replace(self._subview(op), strides=strides)

    def _start(self, op: PartOp) -> Sum:
        """Bytes from the beginning of a global to a part of it."""
        type_ = self.globals[op.global_name].type
        if isinstance(type_, PackedType):
            tile = element_of(op.result)
            assert isinstance(tile, TileType), "names are checked"
            return packed_run(self, op, type_, tile, op.offsets, 1).offset
        memref = memref_of(type_)
        step = element_bytes(memref.element_type)
        return self.shifted(Sum(), op.offsets, [step * s for s in strides_of(memref)])

    def _subview(self, op: memref.SubviewOp) -> Part:
        source = self.part(op.source)
        offsets = get_dynamic_index_list(
            op.static_offsets.get_values(), list(op.offsets), DYNAMIC_INDEX
        )
        return replace(source, offset=self.shifted(source.offset, offsets, source.strides))

    def shifted(
        self, offset: Sum, indices: Sequence[SSAValue | int], strides: Sequence[int]
    ) -> Sum:
        """offset + sum of index * stride."""
        scalars = self.values.scalars
        for index, stride in zip(indices, strides, strict=True):
            offset = scalars.add(offset, scalars.scale(self.values.of(index), stride))
        return offset

    def place(self, part: Part, view: View) -> Place:
        """The place of a part seen through `view`, whose offset is the part's constant one."""
        view = replace(view, offset=view.offset + part.offset.constant)
        offset = part.offset.without_constant()
        return Place(part.kind, part.name, view, offset, slot=part.slot)

    def dense(self, value: SSAValue, op: Operation, shape: Sequence[int] | None = None) -> Place:
        """A dense memref, broadcast to `shape` along its axes of size 1."""
        part, type_ = self.part(value), memref_of(value)
        own = type_.get_shape()
        format = element_format(type_.element_type, op)
        return self.place(part, dense_view(op, format, own, part.strides, shape or own))

    def tile(self, value: SSAValue, op: Operation) -> Place:
        """A slot of a packed tile; formats without blocks are plain matrices."""
        tile = element_of(value)
        assert isinstance(tile, TileType)
        return self.place(self.part(value), tile_view(tile))

    def operand(self, value: SSAValue, op: Operation, shape: Sequence[int] | None = None) -> Place:
        """A memref of any kind."""
        if isinstance(element_of(value), TileType):
            return self.tile(value, op)
        return self.dense(value, op, shape)


def dense_view(
    op: Operation,
    format: str,
    shape: Sequence[int],
    strides: Sequence[int],
    wanted: Sequence[int],
) -> View:
    """A view of `wanted` extents; axes of size 1 repeat. PassError for scattered elements."""
    step = ELEMENT_BYTES[format]
    out = [
        0 if extent == 1 and target > 1 else stride
        for extent, stride, target in zip(shape, strides, wanted, strict=True)
    ]
    if out and shape[-1] == 1 and wanted[-1] == 1:
        out[-1] = step
    if not out or out[-1] not in (0, step):
        raise PassError(
            f"{located(op)}: elements of the last axis lie {out[-1] if out else 0} bytes apart, "
            f"wanted {step}: views are contiguous along their last axis",
            op,
        )
    return View(format, tuple(wanted), tuple(out))


def tile_view(tile: TileType) -> View:
    """How an instruction sees a packed tile."""
    format, order = tile.format.data, tile.order.data
    panel = tile.n if order == "kn" else 0
    packing = Packing(format, order, tile.n, tile.k, panel)
    shape = tile.get_shape()
    block = packing.block_bytes(panel or 1)
    if format in ELEMENT_BYTES:
        row = packing.row_bytes if order == "nk" else block
        return View(format, shape, (row, ELEMENT_BYTES[format]))
    if order == "kn":
        return View(format, shape, (block, panel), "kn")
    return View(format, shape, (packing.row_bytes, block), "nk")


@dataclass(frozen=True)
class Run:
    """Consecutive pieces of a packed global: `count` of them, of `piece` bytes."""

    offset: Sum
    piece: int
    count: SSAValue | int


def packed_run(
    places: Places, op: Operation, type_: PackedType, tile: TileType,
    offsets: Sequence[SSAValue | int], count: SSAValue | int,
) -> Run:  # fmt: skip
    """Where a packed load reads. Raises PassError if the slot's panel is not the global's."""
    packing = type_.packing
    strides: list[int] = [packing.nbytes] if len(type_.shape) == 3 else []
    if type_.order.data == "nk":
        piece = packing.row_bytes
        strides.append(piece)
    else:
        panel = offsets[len(strides)]
        number = places.values.of(panel)
        wanted = packing.panel_stride_columns(number.constant if number.is_constant else 0)
        if tile.n != wanted:
            raise PassError(
                f"{located(op)}: the slot is {tile.n} columns wide, the panel {wanted}; the last, "
                "narrower panel has a load of its own with a constant panel number",
                op,
            )
        piece = packing.block_bytes(tile.n)
        strides += [packing.panel_bytes(0), piece]
    assert FORMATS[tile.format.data].block == packing.spec.block
    return Run(places.shifted(Sum(), offsets, strides), piece, count)
