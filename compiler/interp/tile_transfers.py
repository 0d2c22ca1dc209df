"""What the load and store queues do: boxes, packed runs and rows between regions and slots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from ...backend.formats import Packing
from ...dialects.lowbit import PackedType, TileType
from ...dialects.tile import align_box
from .tile_math import packed_place
from .tile_memory import Memory, Mistake, Packed, Place, contiguous


@dataclass(frozen=True)
class Region:
    """A declared global while a program runs.

    Attributes:
        name: symbol.
        role: weight, table, state, scratch, input or output.
        memory: its bytes.
        place: all its elements, or None for a packed one.
        packed: the type of a packed one.
    """

    name: str
    role: str
    memory: Memory
    place: Place | None
    packed: PackedType | None

    def dense(self) -> Place:
        """The elements of a dense region."""
        if self.place is None:
            raise Mistake(f"@{self.name} is packed; it is not read element by element")
        return self.place


def box_pair(
    region: Region, offsets: Sequence[int], sizes: Sequence[int], static: Sequence[int], slot: Place
) -> tuple[Place, Place]:
    """The box of a region and the part of a slot that it fills, of one shape.

    Args:
        region: a dense region.
        offsets: first element along each axis of the region.
        sizes: elements along each axis.
        static: `sizes` as the operation writes them, a mark for those known at run time only.
        slot: where the box goes to or comes from; unit axes of the box may be missing there.
    """
    whole = region.dense()
    if len(offsets) != len(whole.shape):
        raise Mistake(
            f"{len(offsets)} offsets for @{region.name} of {len(whole.shape)} axes; want one each"
        )
    if whole.element != slot.element:
        raise Mistake(
            f"@{region.name} holds {whole.element}, the slot {slot.element}; queues do not convert"
        )
    axes = align_box(static, slot.shape)
    if axes is None:
        raise Mistake(f"a box of {list(sizes)} does not fit a slot of {list(slot.shape)}")
    sizes = [
        size if to is None else min(size, slot.shape[to])
        for size, to in zip(sizes, axes, strict=True)
    ]
    far = whole.part(tuple(offsets), tuple(sizes))
    kept = [axis for axis, to in enumerate(axes) if to is not None]
    far = far.axes(tuple(kept))
    bounds: list[int | None] = [1] * len(slot.shape)
    mapped: list[int] = []
    for axis in kept:
        to = axes[axis]
        assert to is not None, "kept axes have a slot axis"
        bounds[to] = sizes[axis]
        mapped.append(to)
    near = slot.clip(*bounds).axes(tuple(mapped))
    return far, near


def packed_pair(
    region: Region, offsets: Sequence[int], count: int, slot: Place
) -> tuple[Place, Place]:
    """The run of a packed region and the part of a slot that it fills, both as bytes.

    Offsets are ([layer,] panel, K block) for `kn`, ([layer,] row) for `nk`; `count` in K blocks or
    rows.
    """
    type_ = region.packed
    if type_ is None:
        raise Mistake(f"@{region.name} is dense; a packed slot takes packed rows")
    if len(offsets) != type_.index_rank:
        raise Mistake(
            f"{len(offsets)} offsets for @{region.name} : {type_}; want {type_.index_rank}"
        )
    packing = type_.packing
    packed = slot.packed
    if packed is None:
        raise Mistake(f"@{region.name} is packed; the slot must be of a packed tile")
    if (packed.format, packed.order) != (packing.format, packing.order):
        raise Mistake(
            f"@{region.name} is {packing.format} {packing.order}, the slot is "
            f"{packed.format} {packed.order}"
        )
    *layer, _ = offsets if packing.order == "nk" else offsets[:-1]
    first = layer[0] if layer else 0
    _inside(region, "layer", first, 1, type_.layers)
    at = first * packing.nbytes
    if packing.order == "nk":
        row = offsets[-1]
        _inside(region, "row", row, count, packing.n)
        if -(-packed.columns // packing.spec.block) != packing.blocks:
            raise Mistake(f"rows of @{region.name} have K = {packing.k}, the slot {packed.columns}")
        unit = packing.row_bytes
        at += row * unit
    else:
        panel, block = offsets[-2:]
        _inside(region, "panel", panel, 1, packing.panels)
        _inside(region, "K block", block, count, packing.blocks)
        width = packing.panel_stride_columns(panel)
        if packed.columns != width:
            raise Mistake(
                f"panel {panel} of @{region.name} is {width} columns wide, the slot "
                f"{packed.columns}"
            )
        unit = packing.block_bytes(width)
        at += packing.panel_offset(panel) + block * unit
    far = Place(region.memory, at, (count, unit), (unit, 1), "u8")
    return far, replace(slot.clip(count, None), packed=None)


def dense_part(
    region: Region, offsets: Sequence[int], shape: tuple[int, ...], strides: Sequence[int]
) -> Place:
    """A box of a dense region, in place; strides in elements. Its end may leave the region."""
    whole = region.dense()
    if len(offsets) != len(whole.shape):
        raise Mistake(f"@{region.name} has {len(whole.shape)} axes, not {len(offsets)}")
    if any(not 0 <= at <= n for at, n in zip(offsets, whole.shape, strict=True)):
        raise Mistake(f"a part at {list(offsets)} leaves @{region.name} of {list(whole.shape)}")
    offset = sum(at * step for at, step in zip(offsets, whole.strides, strict=True))
    width = whole.dtype.itemsize
    return replace(whole, offset=offset, shape=shape, strides=tuple(s * width for s in strides))


def packed_part(region: Region, offsets: Sequence[int], type_: MemRefType[Attribute]) -> Place:
    """A run of a packed region, in place, as the tile that the type says."""
    tile = type_.element_type
    if not isinstance(tile, TileType):
        raise Mistake(f"@{region.name} is packed; a part of it is a packed tile, not {type_}")
    packed = Packed(tile.format.data, tile.order.data, *tile.get_shape())
    seen = packed_place(packed, Place(region.memory, 0, (), (), "u8"))
    far, _ = packed_pair(region, offsets, seen.shape[0], seen)
    return replace(far, packed=packed)


def _inside(region: Region, what: str, at: int, count: int, limit: int) -> None:
    if at < 0 or count < 0 or at + count > limit:
        raise Mistake(f"{what} {at} to {at + count} leaves @{region.name}, which has {limit}")


def copy(source: Place, target: Place) -> None:
    """target = source, bits as they are."""
    target.write(source.read())


def row_place(region: Region) -> Place:
    """The region as rows of bytes, [rows, bytes of a row]."""
    if region.packed is not None:
        packing: Packing = region.packed.packing
        if packing.order != "nk" or region.packed.layers != 1:
            raise Mistake(f"rows are gathered from one layer of nk rows, not from @{region.name}")
        shape = (packing.n, packing.row_bytes)
    else:
        whole = region.dense()
        if len(whole.shape) != 2:
            raise Mistake(f"rows are gathered from 2 axes, @{region.name} has {len(whole.shape)}")
        shape = (whole.shape[0], whole.shape[1] * whole.dtype.itemsize)
    return Place(region.memory, 0, shape, contiguous(shape, 1), "u8")


def gather(rows: Place, index: Place, target: Place) -> list[int]:
    """target[i] = rows[index[i]], zeros for a row that does not exist; gives the rows read.

    Args:
        rows: [rows, bytes of a row] of the region.
        index: [n] of i32.
        target: [n, bytes of a row] of the slot.
    """
    if rows.shape[1] != target.shape[1]:
        raise Mistake(f"a row has {rows.shape[1]} bytes, a row of the slot {target.shape[1]}")
    taken: list[int] = []
    for i, row in enumerate(index.read().tolist()):
        line = target.part((i, 0), (1, target.shape[1]))
        if 0 <= row < rows.shape[0]:
            line.write(rows.part((row, 0), (1, rows.shape[1])).read())
            taken.append(row)
        else:
            line.write(np.zeros((1, rows.shape[1]), np.uint8))
    return taken


def as_rows(slot: Place) -> Place:
    """A slot of 2 axes, or of nk rows, as [rows, bytes of a row]."""
    if slot.packed is not None:
        return replace(slot, packed=None)
    width = slot.dtype.itemsize
    if len(slot.shape) != 2 or slot.strides[1] != width:
        raise Mistake("gathered rows go to a slot of 2 axes whose rows have no gaps")
    shape = (slot.shape[0], slot.shape[1] * width)
    return replace(slot, shape=shape, strides=(slot.strides[0], 1), element="u8")
