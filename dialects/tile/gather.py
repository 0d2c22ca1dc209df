"""Rows of a global by number."""

from __future__ import annotations

from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    IndexType,
    MemRefType,
    SymbolRefAttr,
)
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    prop_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..lowbit import TileType
from ..spaces import EngineAttr, engine_attr
from ..text import (
    I64Array,
    check_values,
    join_values,
    operand,
    parse_symbol,
    parse_values,
    print_values,
    split_values,
    static_values,
    symbol,
    symbol_text,
)
from .base import (
    TileOp,
    element_of,
    read_engine,
    shape_of,
)


@irdl_op_definition
class GatherOp(TileOp):
    """slot[i] = @g[@index[row + i]] for i < rows: `tile.gather @x[@index[%r0]] [%n] to %slot on
    ld`.

    Whole rows of a global of 2 axes, dense or packed nk; `@index` holds i32. A row number
    outside the global gives zeros.
    """

    name = "tile.gather"
    KIND: ClassVar = "ld"
    symbol = prop_def(SymbolRefAttr)
    index = prop_def(SymbolRefAttr)
    dynamic_row = var_operand_def(IndexType())
    dynamic_rows = var_operand_def(IndexType())
    slot = operand_def(MemRefType)
    static_row = prop_def(I64Array)
    static_rows = prop_def(I64Array)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        symbol_name: str | SymbolRefAttr,
        index: str | SymbolRefAttr,
        row: SSAValue | int,
        rows: SSAValue | int,
        slot: SSAValue,
        engine: str | EngineAttr | None = None,
    ):
        dynamic_row, static_row = split_values([row])
        dynamic_rows, static_rows = split_values([rows])
        super().__init__(
            operands=[dynamic_row, dynamic_rows, slot],
            properties={
                "symbol": symbol(symbol_name),
                "index": symbol(index),
                "static_row": static_row,
                "static_rows": static_rows,
                "engine": engine_attr(engine),
            },
        )

    @property
    def global_name(self) -> str:
        """The global whose rows are read, without @."""
        return self.symbol.string_value()

    @property
    def index_name(self) -> str:
        """The global of row numbers, without @."""
        return self.index.string_value()

    @property
    def row(self) -> SSAValue | int:
        """The first row number's place in the index."""
        return join_values(self.dynamic_row, self.static_row)[0]

    @property
    def rows(self) -> SSAValue | int:
        """How many rows."""
        return join_values(self.dynamic_rows, self.static_rows)[0]

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parse_symbol(parser)
        parser.parse_punctuation("[")
        index = parse_symbol(parser)
        row = parse_values(parser)
        parser.parse_punctuation("]")
        rows = parse_values(parser)
        parser.parse_keyword("to")
        slot = operand(parser)
        if len(row) != 1 or len(rows) != 1:
            parser.raise_error("a gather has one first row and one number of rows")
        return cls(name, index, row[0], rows[0], slot, read_engine(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}[{symbol_text(self.index)}")
        print_values(printer, self.dynamic_row, self.static_row)
        printer.print_string("] ")
        print_values(printer, self.dynamic_rows, self.static_rows)
        printer.print_string(" to ")
        printer.print_operand(self.slot)
        self.write_engine(printer)

    def reads(self) -> list[SSAValue]:
        return []

    def writes(self) -> list[SSAValue]:
        return [self.slot]

    def global_reads(self) -> list[str]:
        return [self.global_name, self.index_name]

    def verify_(self) -> None:
        super().verify_()
        check_values(self.dynamic_row, self.static_row)
        check_values(self.dynamic_rows, self.static_rows)
        if len(static_values(self.static_row)) != 1 or len(static_values(self.static_rows)) != 1:
            raise VerifyException("a gather has one first row and one number of rows")
        shape = shape_of(self.slot)
        element = element_of(self.slot)
        if isinstance(element, TileType) and element.order.data != "nk":
            raise VerifyException("rows are gathered from nk packings, not from kn panels")
        if len(shape) != 2:
            raise VerifyException(f"gathered rows need a slot of 2 axes, not {list(shape)}")
        if isinstance(self.rows, int) and self.rows > shape[0]:
            raise VerifyException(f"{self.rows} rows do not fit a slot of {shape[0]}")
