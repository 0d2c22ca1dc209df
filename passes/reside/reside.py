"""tiled → tiled: without main memory, units work on globals where they lie in the scratchpad.

    %w = tile.buffer ring "w"; tile.load @w[%n, 0] [8] to %w; tile.matmul %a, %w ...
    → %w = tile.part @w[%n, 0] [8]; tile.matmul %a, %w ...

A buffer that one load fills becomes the part of the global that was loaded, if nothing writes the
global before the buffer's last use. A buffer that the vector unit fills and one store empties
becomes the part that was stored, if nothing else touches the global in between. What is not so is
still moved, from the scratchpad to the scratchpad: rows that a gather picks, a prompt's queries,
keys and values on their way to the cache. With main memory nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, MemRefType, ModuleOp, StridedLayoutAttr
from xdsl.dialects.utils.dynamic_index_list import get_dynamic_index_list
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import is_side_effect_free

from ...backend.machine import load_machine
from ...dialects.lowbit import PackedType, TileType
from ...dialects.shaped import is_memref, memref_of
from ...dialects.spaces import SPM, space_name
from ...dialects.tg import GlobalOp
from ...dialects.tile import (
    BoxOp,
    BufferOp,
    LoadOp,
    PartOp,
    ReshapeOp,
    StoreOp,
    TileOp,
    VecOp,
    align_box,
    boxes_of,
    element_of,
    globals_read,
    globals_written,
    reshape,
    reshaped_strides,
    root,
    shape_of,
    strides_of,
    subview,
)
from ..symbols import entry_function
from ..touches import statement_of
from .turns import Turns

UNITS = ("mxu", "vpu")
"""Kinds of engines that work on a global where it lies; queues only move."""


@dataclass
class _Buffer:
    """A buffer in the scratchpad and the ops that use it, in the order of the program."""

    op: BufferOp
    readers: list[TileOp] = field(default_factory=list[TileOp])
    writers: list[TileOp] = field(default_factory=list[TileOp])

    @property
    def block(self) -> Block:
        """The buffer's block."""
        block = self.op.parent_block()
        assert block is not None, "a buffer stands in a block"
        return block


def _buffers(function: Block) -> list[_Buffer]:
    """The buffers in the scratchpad."""
    found: dict[Operation, _Buffer] = {}
    for op in function.walk():
        if isinstance(op, BufferOp) and space_name(op.result.type) == "spm":
            found[op] = _Buffer(op)
        elif isinstance(op, TileOp):
            for buffer in _owners(op.reads()):
                if buffer in found:
                    found[buffer].readers.append(op)
            for buffer in _owners(op.writes()):
                if buffer in found:
                    found[buffer].writers.append(op)
    return list(found.values())


def _owners(values: Sequence[SSAValue]) -> set[Operation]:
    """The ops that make what values are parts of."""
    owners = (root(value).owner for value in values)
    return {owner for owner in owners if isinstance(owner, Operation)}


def _box_of_load(buffer: _Buffer) -> BoxOp | None:
    """The load that alone fills a buffer which units read, and nothing writes meanwhile."""
    fill = buffer.writers[0] if len(buffer.writers) == 1 else None
    if not isinstance(fill, LoadOp) or fill.parent_block() is not buffer.block:
        return None
    if not buffer.readers or any(op.KIND not in UNITS for op in buffer.readers):
        return None
    last = statement_of(buffer.readers[-1], buffer.block)
    between = _tile_ops(fill, last)
    if any(fill.global_name in globals_written(op) for op in between):
        return None
    return fill


def _box_of_store(buffer: _Buffer) -> BoxOp | None:
    """The store that alone moves what the vector unit put into a buffer."""
    stores = [op for op in buffer.readers if isinstance(op, StoreOp)]
    others = [op for op in (*buffer.readers, *buffer.writers) if op not in stores]
    if len(stores) != 1 or not buffer.writers or any(op.KIND != "vpu" for op in others):
        return None
    (store,) = stores
    if store.parent_block() is not buffer.block:
        return None
    first = buffer.writers[0]
    for op in _tile_ops(statement_of(first, buffer.block), store):
        touched = store.global_name in (*globals_read(op), *globals_written(op))
        if touched and op is not store and not (op is first and _same_box(op, store)):
            return None
    if not all(isinstance(op, VecOp) and _is_bounded(op, store) for op in buffer.writers):
        return None
    return store


def _tile_ops(first: Operation, last: Operation) -> Iterator[TileOp]:
    """The tile ops of the statements from one to another of a block."""
    at: Operation | None = first
    while at is not None:
        yield from (op for op in at.walk() if isinstance(op, TileOp))
        at = None if at is last else at.next_op


def _same_box(op: TileOp, store: StoreOp) -> bool:
    """Whether all that an op touches of the stored global is the stored box itself."""
    found = boxes_of(op, store.global_name)
    return bool(found) and all(
        (box.offsets, box.sizes) == (store.offsets, store.sizes) for box in found
    )


def _is_bounded(op: VecOp, store: StoreOp) -> bool:
    """Whether an op writes no more of the buffer than is stored."""
    shape = shape_of(store.slot)
    axes = _axes(store)
    bounds = {0: op.rows, len(shape) - 1: op.cols}
    return axes is not None and all(
        axis is None
        or size == shape[axis]
        or (isinstance(size, SSAValue) and bounds.get(axis) is size)
        for size, axis in zip(store.sizes, axes, strict=True)
    )


def _axes(box: BoxOp) -> list[int | None] | None:
    """The slot's axis of each axis of a dense box."""
    sizes = [size if isinstance(size, int) else DYNAMIC_INDEX for size in box.sizes]
    return align_box(sizes, shape_of(box.slot))


def _part_type(buffer: _Buffer, box: BoxOp, declared: GlobalOp) -> MemRefType[Attribute] | None:
    """The type of the part that stands for a buffer, None where it is no box of the global."""
    type_ = memref_of(buffer.op.result)
    if not _begins_at_zero(box.slot):
        return None
    if isinstance(declared.type, PackedType):
        tile = element_of(box.slot)
        assert isinstance(tile, TileType), "a packed global is loaded to a packed tile"
        whole = box.slot is buffer.op.result and tile.order.data == "kn"
        return type_ if whole and box.sizes == (tile.k // tile.block,) else None
    axes, shape = _axes(box), type_.get_shape()
    if axes is None or len(shape_of(box.slot)) != len(shape):
        return None
    strides = [1] * len(shape)
    own = strides_of(memref_of(declared.type))
    for axis, stride, start, extent in zip(axes, own, box.offsets, declared.shape, strict=True):
        if axis is not None:
            strides[axis] = stride
            if isinstance(start, int) and start + shape[axis] > extent:
                return None
    if shape[-1] != 1 and strides[-1] != 1:
        return None
    layout = StridedLayoutAttr(strides, None)
    return MemRefType(type_.element_type, shape, layout, SPM)


def _begins_at_zero(value: SSAValue) -> bool:
    """Whether a part of a buffer begins where the buffer does."""
    while isinstance(op := value.owner, memref.SubviewOp | ReshapeOp):
        if isinstance(op, memref.SubviewOp) and any(op.static_offsets.get_values()):
            return False
        value = op.source
    return True


def _can_be_seen(value: SSAValue, type_: MemRefType[Attribute], gone: Operation) -> bool:
    """Whether all views of a value are views of one of another type, but for those of `gone`."""
    for use in value.uses:
        match use.operation:
            case ReshapeOp() as op:
                shape = memref_of(op.result).get_shape()
                strides = reshaped_strides(type_, shape)
                if strides is None:
                    return False
                kept = StridedLayoutAttr(strides, None)
                seen = MemRefType(type_.element_type, shape, kept, SPM)
                if not _serves(op, gone) and not _can_be_seen(op.result, seen, gone):
                    return False
            case memref.SubviewOp() as op:
                sizes = [int(n) for n in op.static_sizes.get_values()]
                kept = StridedLayoutAttr(list(strides_of(type_)), None)
                seen = MemRefType(type_.element_type, sizes, kept, SPM)
                if not _serves(op, gone) and not _can_be_seen(op.result, seen, gone):
                    return False
            case _:
                pass
    return True


def _serves(view: Operation, op: Operation) -> bool:
    """Whether a view is for one op alone."""
    return all(use.operation is op for use in view.results[0].uses)


def _can_stand_before(value: SSAValue, anchor: Operation) -> bool:
    """Whether an index is known at `anchor`, or can be computed there."""
    op = value.owner
    if not isinstance(op, Operation) or not _is_behind(op, anchor):
        return True
    return (
        is_side_effect_free(op)
        and not op.regions
        and all(_can_stand_before(operand, anchor) for operand in op.operands)
    )


def _hoist(value: SSAValue, anchor: Operation) -> None:
    """Compute an index before `anchor`."""
    op = value.owner
    if not isinstance(op, Operation) or not _is_behind(op, anchor):
        return
    for operand in op.operands:
        _hoist(operand, anchor)
    block = op.parent_block()
    assert block is not None, "an op of a block"
    op.detach()
    block.insert_op_before(op, anchor)


def _is_behind(op: Operation, anchor: Operation) -> bool:
    return op.parent_block() is anchor.parent_block() and anchor.is_before_in_block(op)


def _put_in_place(buffer: _Buffer, box: BoxOp, declared: GlobalOp) -> bool:
    """Let a part of a global stand for a buffer, and drop the move. False: it cannot."""
    type_ = _part_type(buffer, box, declared)
    indices = [v for v in (*box.offsets, *box.sizes) if isinstance(v, SSAValue)]
    if type_ is None or not _can_be_seen(buffer.op.result, type_, box):
        return False
    if not all(_can_stand_before(index, buffer.op) for index in indices):
        return False
    for index in indices:
        _hoist(index, buffer.op)
    part = PartOp(box.global_name, box.offsets, box.sizes, type_)
    part.location = buffer.op.location
    part.result.name_hint = buffer.op.result.name_hint
    buffer.block.insert_op_before(part, buffer.op)
    box.detach()
    box.erase()
    _see(buffer.op.result, part.result)
    buffer.op.detach()
    buffer.op.erase()
    return True


def _see(old: SSAValue, new: SSAValue) -> None:
    """Replace a value by another of the same shape, and its views by views of that."""
    for use in list(old.uses):
        op = use.operation
        match op:
            case ReshapeOp():
                view: Operation = reshape(new, memref_of(op.result).get_shape())
            case memref.SubviewOp():
                view = subview(new, *_cut(op))
            case _:
                op.operands[use.index] = new
                continue
        if op.results[0].uses:
            view.location = op.location
            view.results[0].name_hint = op.results[0].name_hint
            block = op.parent_block()
            assert block is not None, "an op of a block"
            block.insert_op_before(view, op)
            _see(op.results[0], view.results[0])
        op.detach()
        op.erase()


def _cut(op: memref.SubviewOp) -> tuple[Sequence[SSAValue | int], list[int], list[int]]:
    """Offsets, sizes and dropped axes of a part."""
    offsets = get_dynamic_index_list(
        op.static_offsets.get_values(), list(op.offsets), DYNAMIC_INDEX
    )
    sizes = [int(n) for n in op.static_sizes.get_values()]
    surplus = len(sizes) - len(memref_of(op.result).get_shape())
    return offsets, sizes, list(range(surplus))


@dataclass(frozen=True)
class ResidePass(ModulePass):
    """Let units read and write globals in the scratchpad, where there is no main memory."""

    name = "reside"

    machine: str = "tw-small"
    """Machine that the program is for: a name, or the path of a description."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if load_machine(self.machine).has_hbm:
            return
        declared = {g.global_name: g for g in op.ops if isinstance(g, GlobalOp)}
        for one in declared.values():
            if is_memref(one.type):
                type_ = memref_of(one.type)
                one.type = MemRefType(type_.element_type, type_.get_shape(), memory_space=SPM)
            else:
                one.space = SPM
        function = entry_function(op).body.block
        turns = Turns(function)
        ordered = {g.global_name: g.role.data == "state" or turns.hold(g.global_name)
                   for g in declared.values()}  # fmt: skip
        for find in (_box_of_load, _box_of_store):
            for buffer in _buffers(function):
                box = find(buffer)
                if box is not None and ordered[box.global_name]:
                    _put_in_place(buffer, box, declared[box.global_name])
