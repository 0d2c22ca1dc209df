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

    Source and result have no gaps and one element type; the result says where the source starts
    (its `offset`), if that is static.
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
        if not is_contiguous(old) or not is_contiguous(new):
            raise VerifyException(f"a reshape needs bytes without gaps: {old} to {new}")
        if nbytes(old) != nbytes(new):
            raise VerifyException(f"a reshape keeps the bytes: {nbytes(old)} to {nbytes(new)}")
        if old.element_type != new.element_type or old.memory_space != new.memory_space:
            raise VerifyException(f"a reshape keeps element and memory space: {old} to {new}")
        if offset_of(old) != offset_of(new):
            raise VerifyException(
                f"a reshape keeps the offset: {offset_text(old)} to {offset_text(new)}"
            )


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
    """`source` seen with `shape`."""
    type_ = memref_of(source)
    offset = offset_of(type_)
    plain = MemRefType(type_.element_type, shape, memory_space=type_.memory_space)
    if offset == 0:
        return ReshapeOp(source, plain)
    layout = StridedLayoutAttr(list(strides_of(plain)), offset)
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
