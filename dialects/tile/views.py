"""Parts of buffers and slots: memref.subview with static sizes and strides, and tile.reshape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import MemRefType, StridedLayoutAttr
from xdsl.dialects.memref import SubviewOp
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..shaped import memref_of, nbytes
from ..text import TextOp, operand, print_operands, print_type
from .base import is_contiguous, strides_of


@irdl_op_definition
class ReshapeOp(TextOp):
    """The same bytes seen with another shape: `%r = tile.reshape %b : memref<1x128xf32, #tw.spm>`.

    Source and result have one element type. Axes are cut, or put together where no gap lies between
    them: rows with gaps can be cut into heads. The result says where the source starts (its
    `offset`), if that is static.
    """

    name = "tile.reshape"
    source = operand_def(MemRefType)
    result = result_def(MemRefType)
    traits = traits_def(Pure())

    def __init__(self, source: SSAValue, type: Attribute):
        super().__init__(operands=[source], result_types=[type])

    @classmethod
    def read(cls, parser: Parser) -> Self:
        source = operand(parser)
        parser.parse_punctuation(":")
        return cls(source, parser.parse_type())

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.source)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        old, new = memref_of(self.source), memref_of(self.result)
        if nbytes(old) != nbytes(new):
            raise VerifyException(f"a reshape keeps the bytes: {nbytes(old)} to {nbytes(new)}")
        if old.element_type != new.element_type or old.memory_space != new.memory_space:
            raise VerifyException(f"a reshape keeps element and memory space: {old} to {new}")
        strides = reshaped_strides(old, new.get_shape())
        if strides is None or not _step_alike(new, strides):
            raise VerifyException(f"a reshape needs bytes without gaps: {old} to {new}")
        if offset_of(old) != offset_of(new):
            raise VerifyException(
                f"a reshape keeps the offset: {offset_text(old)} to {offset_text(new)}"
            )


def reshaped_strides(type_: MemRefType[Attribute], shape: Sequence[int]) -> list[int] | None:
    """Strides in elements of the same bytes seen with `shape`; None where a gap forbids it."""
    old = [(n, s) for n, s in zip(type_.get_shape(), strides_of(type_), strict=True) if n != 1]
    out = [0] * len(shape)
    axis = len(shape)
    while old:
        extent, stride = old.pop()
        step, left = stride, extent
        while left > 1:
            axis -= 1
            while axis >= 0 and left % shape[axis] and old and old[-1][1] == extent * stride:
                more, _ = old.pop()
                extent, left = extent * more, left * more
            if axis < 0 or left % shape[axis]:
                return None
            out[axis], step, left = step, step * shape[axis], left // shape[axis]
    for at in reversed(range(len(shape))):
        if shape[at] == 1:
            out[at] = shape[at + 1] * out[at + 1] if at + 1 < len(shape) else 1
        elif at < axis:
            return None
    return out


def _step_alike(type_: MemRefType[Attribute], strides: Sequence[int]) -> bool:
    """Whether a memref has these strides where it has more than one element."""
    axes = zip(type_.get_shape(), strides_of(type_), strides, strict=True)
    return all(found == wanted for extent, found, wanted in axes if extent != 1)


def offset_of(type_: MemRefType[Attribute]) -> int | None:
    """The offset of a memref in elements, None if it is known at run time only."""
    return type_.get_offset() if type_.get_shape() else 0


def offset_text(type_: MemRefType[Attribute]) -> str:
    """The offset as the type writes it."""
    offset = offset_of(type_)
    return "?" if offset is None else str(offset)


def root(value: SSAValue) -> SSAValue:
    """The buffer or slot that `value` is a part of, through memref.subview and tile.reshape."""
    while isinstance(owner := value.owner, SubviewOp | ReshapeOp):
        value = owner.source
    return value


def subview(
    source: SSAValue,
    offsets: Sequence[SSAValue | int],
    sizes: Sequence[int],
    drop: Sequence[int] = (),
) -> SubviewOp:
    """The part of `source` at `offsets` with `sizes`, strides 1; unit axes in `drop` are left out.

    Raises VerifyException if the part cannot lie inside the source or a dropped axis is no unit
    axis.
    """
    type_ = memref_of(source)
    check_part(type_, offsets, sizes)
    if any(sizes[axis] != 1 for axis in drop):
        raise VerifyException(f"only unit axes are dropped, not {list(drop)} of {list(sizes)}")
    strides = strides_of(type_)
    offset: int | None = offset_of(type_)
    for start, stride in zip(offsets, strides, strict=True):
        if offset is not None:
            offset = offset + start * stride if isinstance(start, int) else None
    kept = [axis for axis in range(len(sizes)) if axis not in drop]
    result = MemRefType(
        type_.element_type,
        [sizes[axis] for axis in kept],
        StridedLayoutAttr([strides[axis] for axis in kept], offset),
        type_.memory_space,
    )
    return SubviewOp.get(source, offsets, sizes, [1] * len(sizes), result)


def reshape(source: SSAValue, shape: Sequence[int]) -> ReshapeOp:
    """`source` seen with `shape`. Raises VerifyException where a gap forbids it."""
    type_ = memref_of(source)
    offset = offset_of(type_)
    plain = MemRefType(type_.element_type, shape, memory_space=type_.memory_space)
    if offset == 0 and is_contiguous(type_):
        return ReshapeOp(source, plain)
    strides = reshaped_strides(type_, shape)
    if strides is None:
        raise VerifyException(f"{type_} cannot be seen as {list(shape)} without moving bytes")
    layout = StridedLayoutAttr(strides, offset)
    return ReshapeOp(source, MemRefType(type_.element_type, shape, layout, type_.memory_space))


def check_part(
    type_: MemRefType[Attribute], offsets: Sequence[SSAValue | int], sizes: Sequence[int]
) -> None:
    """Refuse a part whose static extent leaves its source."""
    shape = type_.get_shape()
    if not len(shape) == len(offsets) == len(sizes):
        raise VerifyException(
            f"a part of {len(shape)} axes has {len(offsets)} offsets and {len(sizes)} sizes"
        )
    for axis, (extent, start, size) in enumerate(zip(shape, offsets, sizes, strict=True)):
        first = start if isinstance(start, int) else 0
        if size < 1 or first < 0 or first + size > extent:
            raise VerifyException(
                f"axis {axis}: {size} from {first} on is not inside the {extent} of {type_}"
            )
