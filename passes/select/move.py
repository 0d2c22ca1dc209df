"""Loads, stores and gathers → `copy` and `gather`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import DYNAMIC_INDEX

from ...backend.isa import ELEMENT_BYTES, View
from ...dialects.lowbit import PackedType, TileType
from ...dialects.shaped import element_bytes, memref_of
from ...dialects.tg import GlobalOp
from ...dialects.tile import (
    BoxOp,
    GatherOp,
    LoadOp,
    align_box,
    element_of,
    shape_of,
    strides_of,
)
from .code import Instruction, Place
from .places import Part, Places, element_format, packed_run
from .scalars import Sum


@dataclass(frozen=True)
class _Axis:
    """One axis of a copy: extent, stride on either side in bytes, size known at run time."""

    extent: int
    outside: int
    inside: int
    bound: Sum | None


def move(op: BoxOp, places: Places, globals: Mapping[str, GlobalOp]) -> Instruction:
    """A load or store as `copy`."""
    declaration = globals[op.global_name]
    if isinstance(declaration.type, PackedType):
        return _packed(op, places, declaration.type)
    return _box(op, places, declaration)


def _direction(op: BoxOp, inside: Place, outside: Place) -> dict[str, Place]:
    if isinstance(op, LoadOp):
        return {"dst": inside, "src": outside}
    return {"dst": outside, "src": inside}


def _packed(op: BoxOp, places: Places, type_: PackedType) -> Instruction:
    """Whole blocks or rows, as bytes: one run if their number is constant."""
    tile = element_of(op.slot)
    assert isinstance(tile, TileType)
    (size,) = op.sizes
    run = packed_run(places, op, type_, tile, op.offsets, size)
    count = places.values.of(size)
    values: dict[str, Sum] = {}
    if count.is_constant:
        view = View("u8", (count.constant * run.piece,), (1,))
    else:
        limit = tile.k // tile.block if tile.order.data == "kn" else tile.n
        view = View("u8", (limit, run.piece), (run.piece, 1))
        values["axis0"] = count
    outside = places.place(Part("region", op.global_name, run.offset, ()), view)
    inside = places.place(places.part(op.slot), view)
    return Instruction("copy", op, _direction(op, inside, outside), values=values)


def _box(op: BoxOp, places: Places, declaration: GlobalOp) -> Instruction:
    """A strided box; axes of one element are left out."""
    type_ = memref_of(declaration.type)
    format = element_format(declaration.element, op)
    step = element_bytes(type_.element_type)
    strides = tuple(step * stride for stride in strides_of(type_))
    part = places.part(op.slot)
    slot = shape_of(op.slot)
    box = [size if isinstance(size, int) else DYNAMIC_INDEX for size in op.sizes]
    matched = align_box(box, slot)
    assert matched is not None, "the op's verifier fits box to slot"
    axes: list[_Axis] = []
    for axis, (size, at) in enumerate(zip(op.sizes, matched, strict=True)):
        if at is None or size == 1:
            continue
        bound = places.values.of(size)
        extent = min(bound.constant, slot[at]) if bound.is_constant else slot[at]
        if bound.is_constant and bound.constant <= slot[at]:
            bound = None
        if extent != 1 or bound is not None:
            axes.append(_Axis(extent, strides[axis], part.strides[at], bound))
    axes = _merged(axes)
    if not axes or not axes[-1].outside == axes[-1].inside == step:
        axes.append(_Axis(1, step, step, None))
    shape = tuple(axis.extent for axis in axes)
    values = {f"axis{i}": a.bound for i, a in enumerate(axes) if a.bound is not None}
    offset = places.shifted(Sum(), op.offsets, strides)
    outside = places.place(
        Part("region", op.global_name, offset, ()),
        View(format, shape, tuple(axis.outside for axis in axes)),
    )
    inside = places.place(part, View(format, shape, tuple(axis.inside for axis in axes)))
    return Instruction("copy", op, _direction(op, inside, outside), values=values)


def _merged(axes: list[_Axis]) -> list[_Axis]:
    """Neighbouring axes that are one run on both sides become one, so that runs are long."""
    out: list[_Axis] = []
    for axis in axes:
        outer = out[-1] if out else None
        if (
            outer is not None
            and outer.bound is None
            and axis.bound is None
            and outer.outside == axis.extent * axis.outside
            and outer.inside == axis.extent * axis.inside
        ):
            out[-1] = replace(axis, extent=outer.extent * axis.extent)
        else:
            out.append(axis)
    return out


def gather(op: GatherOp, places: Places, globals: Mapping[str, GlobalOp]) -> Instruction:
    """Rows by number; packed rows move as bytes."""
    source = globals[op.global_name]
    part = places.part(op.slot)
    rows = shape_of(op.slot)[0]
    if isinstance(source.type, PackedType):
        piece = source.type.packing.row_bytes
        outside = View("u8", (source.type.n, piece), (piece, 1))
        inside = View("u8", (rows, piece), (piece, 1))
    else:
        format = element_format(source.element, op)
        step = ELEMENT_BYTES[format]
        outside = View(format, source.shape, (step * source.shape[1], step))
        inside = View(format, (rows, source.shape[1]), part.strides)
    numbers = places.shifted(Sum(), (op.row,), (ELEMENT_BYTES["i32"],))
    operands = {
        "dst": places.place(part, inside),
        "src": Place("region", op.global_name, outside),
        "index": places.place(
            Part("region", op.index_name, numbers, ()),
            View("i32", (rows,), (ELEMENT_BYTES["i32"],)),
        ),
    }
    count = places.values.of(op.rows)
    values = {} if count == Sum(rows) else {"rows": count}
    return Instruction("gather", op, operands, values=values)
