"""Parts of globals that lie in the scratchpad, read and written where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import IndexType, MemRefType, SymbolRefAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..shaped import memref_of
from ..spaces import space_name
from ..text import (
    I64Array,
    TextOp,
    check_values,
    join_values,
    parse_symbol,
    parse_values,
    print_type,
    print_values,
    split_values,
    static_values,
    symbol,
    symbol_text,
)
from .base import TileOp, align_box, box_text, shape_of
from .memory import BoxOp
from .views import offset_of, root


@irdl_op_definition
class PartOp(TextOp):
    """A box of a global in the scratchpad, in place: `%w = tile.part @w[%l, %n, %k] [8] :
    memref<!lowbit.tile<64x32, q4_0, kn>, #tw.spm>`.

    On a machine without main memory the matrix and the vector unit work on globals themselves.
    Offsets and sizes are those of tile.load; a size that is a value bounds what may be touched,
    and each op that uses the part has the same bound. The type gives extents and strides, its
    offset is `?`. A part has no engine: whoever uses it computes its address.
    """

    name = "tile.part"
    symbol = prop_def(SymbolRefAttr)
    dynamic_offsets = var_operand_def(IndexType())
    dynamic_sizes = var_operand_def(IndexType())
    static_offsets = prop_def(I64Array)
    static_sizes = prop_def(I64Array)
    result = result_def(MemRefType)
    traits = traits_def(Pure())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        symbol_name: str | SymbolRefAttr,
        offsets: Sequence[SSAValue | int],
        sizes: Sequence[SSAValue | int],
        type: Attribute,
    ):
        dynamic_offsets, static_offsets = split_values(offsets)
        dynamic_sizes, static_sizes = split_values(sizes)
        super().__init__(
            operands=[dynamic_offsets, dynamic_sizes],
            result_types=[type],
            properties={
                "symbol": symbol(symbol_name),
                "static_offsets": static_offsets,
                "static_sizes": static_sizes,
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

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name, offsets, sizes = parse_symbol(parser), parse_values(parser), parse_values(parser)
        parser.parse_punctuation(":")
        return cls(name, offsets, sizes, parser.parse_type())

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")
        print_values(printer, self.dynamic_offsets, self.static_offsets)
        printer.print_string(" ")
        print_values(printer, self.dynamic_sizes, self.static_sizes)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_values(self.dynamic_offsets, self.static_offsets)
        check_values(self.dynamic_sizes, self.static_sizes)
        type_ = memref_of(self.result)
        if space_name(type_) != "spm":
            raise VerifyException(f"a part of a global lies in #tw.spm, not in {type_}")
        if not type_.get_shape():
            return
        if offset_of(type_) is not None:
            raise VerifyException(f"where a part lies is known at run time, offset: ?, not {type_}")
        box = static_values(self.static_sizes)
        if len(box) != len(static_values(self.static_offsets)):
            raise VerifyException("a part has an offset and a size for each axis of its global")
        if align_box(box, shape_of(self.result)) is None:
            raise VerifyException(f"box {box_text(box)} does not fit {type_}")


def parts_of(values: Sequence[SSAValue]) -> list[PartOp]:
    """The parts of globals that values are, or are parts of."""
    owners = (root(value).owner for value in values)
    return [owner for owner in owners if isinstance(owner, PartOp)]


def globals_read(op: TileOp) -> list[str]:
    """Names of the globals whose bytes an op reads, as boxes or in place."""
    return op.global_reads() + [part.global_name for part in parts_of(op.reads())]


def globals_written(op: TileOp) -> list[str]:
    """Names of the globals whose bytes an op writes, as boxes or in place."""
    return op.global_writes() + [part.global_name for part in parts_of(op.writes())]


def boxes_of(op: TileOp, name: str) -> list[BoxOp | PartOp]:
    """The boxes of one global that an op touches; none for rows that a gather picks."""
    if isinstance(op, BoxOp) and op.global_name == name:
        return [op]
    return [part for part in parts_of([*op.reads(), *op.writes()]) if part.global_name == name]


def box_shape(box: BoxOp | PartOp) -> tuple[int, ...]:
    """The extents that a box has where it is worked on."""
    return shape_of(box.result if isinstance(box, PartOp) else box.slot)
