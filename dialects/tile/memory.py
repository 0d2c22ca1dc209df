"""Buffers, and the boxes that travel between them and globals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    IntAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..lowbit import TileType
from ..shaped import memref_of, nbytes
from ..spaces import EngineAttr, engine_attr, parse_engine, space_name
from ..text import (
    I64Array,
    TextOp,
    after,
    check_values,
    int_attr,
    join_values,
    natural,
    operand,
    parse_symbol,
    parse_values,
    print_operands,
    print_type,
    print_values,
    split_values,
    static_values,
    string_attr,
    symbol,
    symbol_text,
)
from .base import (
    TileOp,
    align_box,
    box_text,
    element_of,
    is_contiguous,
    read_engine,
    shape_of,
)

MAX_AXES = 5
"""Axes of a descriptor of the load and store queues."""


@irdl_op_definition
class BufferOp(TextOp):
    """A buffer of static size in spm or acc: `%b = tile.buffer ring "w" : memref<4x64xf32,
    #tw.spm>`.

    In acc it is zero at birth, in spm undefined. `ring "w"` wishes for a slot of the ring @w:
    buffers with one ring name become slots of one channel. `on vpu` (streamed) makes it private
    to an engine; `at N` (placed) is its byte address.
    """

    name = "tile.buffer"
    ring = opt_prop_def(StringAttr)
    engine = opt_prop_def(EngineAttr)
    at = opt_prop_def(IntAttr)
    result = result_def(MemRefType)

    def __init__(
        self,
        type: Attribute,
        ring: str | None = None,
        engine: str | EngineAttr | None = None,
        at: int | None = None,
    ):
        super().__init__(
            result_types=[type],
            properties={
                "ring": string_attr(ring),
                "engine": engine_attr(engine),
                "at": int_attr(at),
            },
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        ring = after(parser, "ring", parser.parse_str_literal)
        engine = after(parser, "on", lambda: parse_engine(parser))
        at = after(parser, "at", lambda: natural(parser))
        parser.parse_punctuation(":")
        return cls(parser.parse_type(), ring, engine, at)

    def write(self, printer: Printer) -> None:
        if self.ring is not None:
            printer.print_string(" ring ")
            printer.print_string_literal(self.ring.data)
        if self.engine is not None:
            printer.print_string(f" on {self.engine.data}")
        if self.at is not None:
            printer.print_string(f" at {self.at.data}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        type_ = memref_of(self.result)
        if space_name(type_) not in ("spm", "acc"):
            raise VerifyException(f"a buffer lives in #tw.spm or #tw.acc, not {type_}")
        if DYNAMIC_INDEX in type_.get_shape() or not is_contiguous(type_):
            raise VerifyException(f"a buffer has static sizes and no gaps, not {type_}")
        if isinstance(type_.element_type, TileType) and type_.get_shape():
            raise VerifyException("a packed tile is a memref without axes")
        nbytes(type_)
        if self.ring is not None and self.engine is not None:
            raise VerifyException("a buffer is a slot of a ring or private to an engine, not both")
        if self.engine is not None and space_name(type_) == "acc" and self.engine.kind != "mxu":
            raise VerifyException("a private buffer in #tw.acc belongs to mxu")


class BoxOp(TileOp):
    """A box of a global: `@g[offsets] [sizes]`; a size that is a value is a bound."""

    symbol = prop_def(SymbolRefAttr)
    dynamic_offsets = var_operand_def(IndexType())
    dynamic_sizes = var_operand_def(IndexType())
    slot = operand_def(MemRefType)
    static_offsets = prop_def(I64Array)
    static_sizes = prop_def(I64Array)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        symbol_name: str | SymbolRefAttr,
        offsets: Sequence[SSAValue | int],
        sizes: Sequence[SSAValue | int],
        slot: SSAValue,
        engine: str | EngineAttr | None = None,
    ):
        dynamic_offsets, static_offsets = split_values(offsets)
        dynamic_sizes, static_sizes = split_values(sizes)
        super().__init__(
            operands=[dynamic_offsets, dynamic_sizes, slot],
            properties={
                "symbol": symbol(symbol_name),
                "static_offsets": static_offsets,
                "static_sizes": static_sizes,
                "engine": engine_attr(engine),
            },
        )

    @property
    def global_name(self) -> str:
        """The global's name, without @."""
        return self.symbol.string_value()

    @property
    def offsets(self) -> tuple[SSAValue | int, ...]:
        """One offset for each axis of the global (panel and K block for packed ones)."""
        return join_values(self.dynamic_offsets, self.static_offsets)

    @property
    def sizes(self) -> tuple[SSAValue | int, ...]:
        """One size for each axis of the global; for packed ones K blocks (kn) or rows (nk) only."""
        return join_values(self.dynamic_sizes, self.static_sizes)

    def write_box(self, printer: Printer) -> None:
        """`@g[offsets] [sizes]`."""
        printer.print_string(symbol_text(self.symbol))
        print_values(printer, self.dynamic_offsets, self.static_offsets)
        printer.print_string(" ")
        print_values(printer, self.dynamic_sizes, self.static_sizes)

    def verify_(self) -> None:
        super().verify_()
        check_values(self.dynamic_offsets, self.static_offsets)
        check_values(self.dynamic_sizes, self.static_sizes)
        box = static_values(self.static_sizes)
        rank = len(static_values(self.static_offsets))
        element = element_of(self.slot)
        if isinstance(element, TileType):
            if len(box) != 1:
                raise VerifyException(
                    f"a packed run has one size, K blocks (kn) or rows (nk), not {box_text(box)}"
                )
            limit = element.k // element.block if element.order.data == "kn" else element.n
            if box[0] > limit:
                raise VerifyException(f"a run of {box[0]} does not fit a slot of {limit}")
            return
        if len(box) != rank:
            raise VerifyException(f"{rank} offsets and {len(box)} sizes: one of each per axis")
        if not 1 <= rank <= MAX_AXES:
            raise VerifyException(f"a box has 1 to {MAX_AXES} axes, not {rank}")
        if align_box(box, shape_of(self.slot)) is None:
            raise VerifyException(
                f"box {box_text(box)} does not fit a slot of {list(shape_of(self.slot))}"
            )


@irdl_op_definition
class LoadOp(BoxOp):
    """slot = @g[offsets : offsets + sizes]: `tile.load @x[0, %k] [%m, 64] to %slot on ld`.

    Unit axes of the box are dropped to match the slot; bytes outside a bound are not touched. A
    packed global is indexed by ([layer,] panel, K block) and has one size, in K blocks:
    `tile.load @w[%l, %p, %kb] [8] to %slot`; nk rows by ([layer,] row), one size in rows.
    """

    name = "tile.load"
    KIND: ClassVar = "ld"

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name, offsets, sizes = parse_symbol(parser), parse_values(parser), parse_values(parser)
        parser.parse_keyword("to")
        return cls(name, offsets, sizes, operand(parser), read_engine(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        self.write_box(printer)
        printer.print_string(" to ")
        printer.print_operand(self.slot)
        self.write_engine(printer)

    def reads(self) -> list[SSAValue]:
        return []

    def writes(self) -> list[SSAValue]:
        return [self.slot]

    def global_reads(self) -> list[str]:
        return [self.global_name]


@irdl_op_definition
class StoreOp(BoxOp):
    """@g[offsets : offsets + sizes] = slot: `tile.store %slot to @y[0, %n] [%m, 16] on st`."""

    name = "tile.store"
    KIND: ClassVar = "st"

    def __init__(
        self,
        slot: SSAValue,
        symbol_name: str | SymbolRefAttr,
        offsets: Sequence[SSAValue | int],
        sizes: Sequence[SSAValue | int],
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(symbol_name, offsets, sizes, slot, engine)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        slot = operand(parser)
        parser.parse_keyword("to")
        name, offsets, sizes = parse_symbol(parser), parse_values(parser), parse_values(parser)
        return cls(slot, name, offsets, sizes, read_engine(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.slot)
        printer.print_string(" to ")
        self.write_box(printer)
        self.write_engine(printer)

    def reads(self) -> list[SSAValue]:
        return [self.slot]

    def writes(self) -> list[SSAValue]:
        return []

    def global_writes(self) -> list[str]:
        return [self.global_name]

    def verify_(self) -> None:
        super().verify_()
        if isinstance(element_of(self.slot), TileType):
            raise VerifyException("packed tiles are only loaded")
