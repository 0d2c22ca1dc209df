"""What enters and leaves a graph: parameters, rows by index, outputs."""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..shaped import tensor_of
from ..text import (
    TextOp,
    many,
    operand,
    optional_index,
    parse_symbol,
    print_index,
    print_operands,
    print_type,
    symbol,
    symbol_text,
)
from .types import (
    check_rank,
    check_sizes,
)


def read_type(parser: Parser) -> Attribute:
    """`: type`."""
    parser.parse_punctuation(":")
    return parser.parse_type()


@irdl_op_definition
class WeightOp(TextOp):
    """A parameter, or its slice of one layer: `%w = tg.weight @w[%l] : tensor<64x96xf32>`.

    The tensor is the global's shape without the layer; the values are what the format makes of
    them.
    """

    name = "tg.weight"
    symbol = prop_def(SymbolRefAttr)
    layer = opt_operand_def(IndexType())
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, weight: str | SymbolRefAttr, type: Attribute, layer: SSAValue | None = None):
        super().__init__(
            operands=[many(layer)], result_types=[type], properties={"symbol": symbol(weight)}
        )

    @property
    def global_name(self) -> str:
        """The parameter's name, without @."""
        return self.symbol.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name, layer = parse_symbol(parser), optional_index(parser)
        return cls(name, read_type(parser), layer)

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")
        print_index(printer, self.layer)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        if DYNAMIC_INDEX in tensor_of(self.result).get_shape():
            raise VerifyException(f"a parameter has static sizes, not {self.result.type}")


@irdl_op_definition
class EmbedOp(TextOp):
    """result[r, :] = @table[@index[r], :]: `%x = tg.embed @tok_embd, @tokens : T`.

    A tensor or a packed (nk) table has the shape of a weight, columns x rows; a memref rows x
    columns.
    """

    name = "tg.embed"
    symbol = prop_def(SymbolRefAttr)
    index = prop_def(SymbolRefAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, table: str | SymbolRefAttr, index: str | SymbolRefAttr, type: Attribute):
        super().__init__(
            result_types=[type], properties={"symbol": symbol(table), "index": symbol(index)}
        )

    @property
    def global_name(self) -> str:
        """The table's name, without @."""
        return self.symbol.string_value()

    @property
    def index_name(self) -> str:
        """The name of the global of row numbers, without @."""
        return self.index.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        table = parse_symbol(parser)
        parser.parse_punctuation(",")
        return cls(table, parse_symbol(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}, {symbol_text(self.index)}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.result.type)
        check_rank("the result", self.result, 2)


@irdl_op_definition
class TakeOp(TextOp):
    """result[r, :] = x[@index[r], :]: `%y = tg.take %x, @logit_index : T`.

    An index outside of x gives zeros; with `inside`, whoever launches gives none.
    """

    name = "tg.take"
    x = operand_def(TensorType)
    index = prop_def(SymbolRefAttr)
    inside = opt_prop_def(UnitAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(
        self, x: SSAValue, index: str | SymbolRefAttr, type: Attribute, inside: bool = False
    ):
        super().__init__(
            operands=[x],
            result_types=[type],
            properties={"index": symbol(index), "inside": UnitAttr() if inside else None},
        )

    @property
    def index_name(self) -> str:
        """The name of the global of row numbers, without @."""
        return self.index.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_punctuation(",")
        index = parse_symbol(parser)
        inside = parser.parse_optional_keyword("inside") is not None
        return cls(x, index, read_type(parser), inside)

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.x)
        printer.print_string(f", {symbol_text(self.index)}")
        if self.inside is not None:
            printer.print_string(" inside")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.result.type)
        x, y = check_rank("x", self.x, 2), check_rank("the result", self.result, 2)
        if x[1] != y[1]:
            raise VerifyException(f"taken rows keep their {x[1]} columns, not {y[1]}")


@irdl_op_definition
class InputOp(TextOp):
    """result = the first rows of @global, in float32: `%x = tg.input @x : T`.

    The global is a memref of floats, as wide as the result; its role is input.
    """

    name = "tg.input"
    symbol = prop_def(SymbolRefAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, input: str | SymbolRefAttr, type: Attribute):
        super().__init__(result_types=[type], properties={"symbol": symbol(input)})

    @property
    def global_name(self) -> str:
        """The input's name, without @."""
        return self.symbol.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(parse_symbol(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.result.type)
        check_rank("the result", self.result, 2)


@irdl_op_definition
class OutputOp(TextOp):
    """@global = x: `tg.output %y to @logits`."""

    name = "tg.output"
    x = operand_def(TensorType)
    symbol = prop_def(SymbolRefAttr)

    def __init__(self, x: SSAValue, output: str | SymbolRefAttr):
        super().__init__(operands=[x], properties={"symbol": symbol(output)})

    @property
    def global_name(self) -> str:
        """The output's name, without @."""
        return self.symbol.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_keyword("to")
        return cls(x, parse_symbol(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.x)
        printer.print_string(f" to {symbol_text(self.symbol)}")
