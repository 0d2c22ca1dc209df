"""What the tile ops share: sizes of memrefs, roots of views, fitting a box to a slot, the
engine word.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    BFloat16Type,
    Float16Type,
    Float32Type,
    IntegerType,
    MemRefType,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import opt_prop_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..lowbit import TileType
from ..shaped import memref_of
from ..spaces import EngineAttr, parse_engine, space_name
from ..text import TextOp


class TileOp(TextOp):
    """A tile op: bound to an engine of its kind from the streamed level on."""

    KIND: ClassVar[str]
    """The kind of engine that runs it: ld, st, mxu or vpu."""

    engine = opt_prop_def(EngineAttr)

    @abstractmethod
    def reads(self) -> list[SSAValue]:
        """Slots, buffers and parts of them whose bytes the op reads (accumulation aside)."""

    @abstractmethod
    def writes(self) -> list[SSAValue]:
        """Slots, buffers and parts of them whose bytes the op writes."""

    def global_reads(self) -> list[str]:
        """Names of the globals whose bytes the op reads."""
        return []

    def global_writes(self) -> list[str]:
        """Names of the globals whose bytes the op writes."""
        return []

    def write_engine(self, printer: Printer) -> None:
        """` on engine`, if there is one."""
        if self.engine is not None:
            printer.print_string(f" on {self.engine.data}")

    def verify_(self) -> None:
        if self.engine is not None and self.engine.kind != self.KIND:
            raise VerifyException(f"{self.name} runs on {self.KIND}, not on {self.engine.data}")
        for value in (*self.reads(), *self.writes()):
            if space_name(value.type) not in ("spm", "acc"):
                raise VerifyException(
                    f"operands live in #tw.spm or #tw.acc, not {value.type}: "
                    "only tile.load, tile.store and tile.gather reach hbm"
                )


def read_engine(parser: Parser) -> EngineAttr | None:
    """`[on engine]`."""
    return parse_engine(parser) if parser.parse_optional_keyword("on") is not None else None


def require_space(role: str, value: SSAValue, *spaces: str) -> None:
    """Refuse a value that lives elsewhere."""
    if space_name(value.type) not in spaces:
        wanted = " or ".join(f"#tw.{s}" for s in spaces)
        raise VerifyException(f"{role} lives in {wanted}, not {value.type}")


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The logical shape: a packed tile counts as K x W (kn) or N x K (nk)."""
    memref = memref_of(value)
    element = memref.element_type
    return element.get_shape() if isinstance(element, TileType) else memref.get_shape()


def element_of(value: SSAValue) -> Attribute:
    """The element type of a memref."""
    return memref_of(value).element_type


def require_element(role: str, value: SSAValue, kinds: type | tuple[type, ...]) -> None:
    """Refuse a value whose elements are of another kind."""
    if not isinstance(element_of(value), kinds):
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        names = " or ".join(ELEMENT_NAMES[kind] for kind in kinds)
        raise VerifyException(f"{role} holds {names}, not {element_of(value)}")


ELEMENT_NAMES = {
    Float32Type: "f32",
    Float16Type: "f16",
    BFloat16Type: "bf16",
    TileType: "a packed tile",
}


def require_integer(role: str, value: SSAValue, width: int) -> None:
    """Refuse a value whose elements are not integers of `width` bits."""
    if element_of(value) != IntegerType(width):
        raise VerifyException(f"{role} holds i{width}, not {element_of(value)}")


def strides_of(type_: MemRefType[Attribute]) -> tuple[int, ...]:
    """Strides in elements; they must be static."""
    strides = () if not type_.get_shape() else type_.get_strides()
    if strides is None or any(s is None for s in strides):
        raise VerifyException(f"the strides of {type_} are not static")
    return tuple(s for s in strides if s is not None)


def is_contiguous(type_: MemRefType[Attribute]) -> bool:
    """Whether the elements follow each other without gaps, row by row."""
    axes = [(n, s) for n, s in zip(type_.get_shape(), strides_of(type_), strict=True) if n != 1]
    return all(s == n * t for (_, s), (n, t) in pairwise(axes)) and (not axes or axes[-1][1] == 1)


def align_box(box: Sequence[int], slot: Sequence[int]) -> list[int | None] | None:
    """The slot axis of each box axis, None for a unit axis the slot lacks; None if it does not fit.

    Sizes of `box` may be DYNAMIC_INDEX (a bound, clipped by the slot); order is kept; unit axes of
    either side may be left over. A static size may be smaller than its slot axis. Axes longer than
    one meet each other where they are as many on both sides.
    """
    long = [axis for axis, size in enumerate(box) if size != 1]
    wide = [axis for axis, size in enumerate(slot) if size != 1]
    meets = dict(zip(long, wide, strict=False))
    if len(long) == len(wide) and all(_fits(box[i], slot[j]) for i, j in meets.items()):
        return [meets.get(axis) for axis in range(len(box))]
    return _align_any(box, slot)


def _fits(size: int, extent: int) -> bool:
    """Whether a box axis lies within a slot axis."""
    return size == DYNAMIC_INDEX or 1 <= size <= extent


def _align_any(box: Sequence[int], slot: Sequence[int]) -> list[int | None] | None:
    """The first alignment in order, unit axes taken or skipped as they come."""
    if not box:
        return [] if all(n == 1 for n in slot) else None
    size = box[0]
    for skipped in range(len(slot)):
        if _fits(size, slot[skipped]):
            rest = _align_any(box[1:], slot[skipped + 1 :])
            if rest is not None:
                shift = skipped + 1
                return [skipped, *(None if axis is None else axis + shift for axis in rest)]
        if slot[skipped] != 1:
            break
    if size != 1:
        return None
    rest = _align_any(box[1:], slot)
    return None if rest is None else [None, *rest]


def box_text(box: Sequence[int]) -> str:
    """`[?, 64]`."""
    return "[" + ", ".join("?" if n == DYNAMIC_INDEX else str(n) for n in box) + "]"
