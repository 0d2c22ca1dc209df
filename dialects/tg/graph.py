"""Ops on whole tensors: parameters, rows by index, matmul, norms, elementwise, columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseArrayBase,
    FloatAttr,
    IndexType,
    IntAttr,
    StringAttr,
    SymbolRefAttr,
    TensorType,
    i64,
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
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..text import (
    I64Array,
    TextOp,
    after,
    float_attr,
    float_text,
    int_attr,
    many,
    natural,
    operand,
    parse_float,
    parse_symbol,
    print_type,
    static_values,
    symbol,
    symbol_text,
)
from .types import (
    check_rank,
    check_sizes,
    check_type,
    tensor,
    with_columns,
)

UNARY = (
    *("neg", "abs", "exp", "tanh", "sigmoid", "relu", "square", "rsqrt"),
    *("silu", "gelu_tanh", "gelu_erf"),
)
BINARY = ("add", "sub", "mul", "max", "min")


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
        name, layer = parse_symbol(parser), None
        if parser.parse_optional_punctuation("[") is not None:
            layer = operand(parser)
            parser.parse_punctuation("]")
        return cls(name, read_type(parser), layer)

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")
        if self.layer is not None:
            printer.print_string("[")
            printer.print_operand(self.layer)
            printer.print_string("]")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        if DYNAMIC_INDEX in self.result.type.get_shape():
            raise VerifyException(f"a parameter has static sizes, not {self.result.type}")


@irdl_op_definition
class EmbedOp(TextOp):
    """result[r, :] = @table[@index[r], :]: `%x = tg.embed @tok_embd, @tokens : T`.

    The table is packed nk, or dense.
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
    """result[r, :] = x[@index[r], :]: `%y = tg.take %x, @logit_index : T`."""

    name = "tg.take"
    x = operand_def(TensorType)
    index = prop_def(SymbolRefAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, x: SSAValue, index: str | SymbolRefAttr, type: Attribute):
        super().__init__(operands=[x], result_types=[type], properties={"index": symbol(index)})

    @property
    def index_name(self) -> str:
        """The name of the global of row numbers, without @."""
        return self.index.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_punctuation(",")
        return cls(x, parse_symbol(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_operand(self.x)
        printer.print_string(f", {symbol_text(self.index)}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.result.type)
        x, y = check_rank("x", self.x, 2), check_rank("the result", self.result, 2)
        if x[1] != y[1]:
            raise VerifyException(f"taken rows keep their {x[1]} columns, not {y[1]}")


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
        printer.print_string(" ")
        printer.print_operand(self.x)
        printer.print_string(f" to {symbol_text(self.symbol)}")


@irdl_op_definition
class MatmulOp(TextOp):
    """result[r, n] = sum over k of a[r, k] * w[k, n]: `%y = tg.matmul %a, %w : T`."""

    name = "tg.matmul"
    a = operand_def(TensorType)
    w = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, a: SSAValue, w: SSAValue, type: Attribute | None = None):
        if type is None:
            type = with_columns(tensor(a), tensor(w).get_shape()[1])
        super().__init__(operands=[a, w], result_types=[type])

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_punctuation(",")
        return cls(a, operand(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list((self.a, self.w), printer.print_operand)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        a, w = check_rank("a", self.a, 2), check_rank("w", self.w, 2)
        check_sizes(self.a.type)
        if a[1] != w[0]:
            raise VerifyException(f"{a[1]} columns of a meet {w[0]} rows of w")
        check_type("the result", self.result, with_columns(self.a.type, w[1]))


@irdl_op_definition
class RmsNormOp(TextOp):
    """x / sqrt(mean(x^2) + eps) * g, by row: `%n = tg.rmsnorm %x, %g eps 1.0e-05 heads 4 : T`.

    With `heads H` each of H groups of columns is normalised by itself, and g is the gamma of
    one group.
    """

    name = "tg.rmsnorm"
    x = operand_def(TensorType)
    gamma = operand_def(TensorType)
    eps = prop_def(FloatAttr)
    heads = opt_prop_def(IntAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(
        self,
        x: SSAValue,
        gamma: SSAValue,
        eps: float,
        heads: int | None = None,
        type: Attribute | None = None,
    ):
        super().__init__(
            operands=[x, gamma],
            result_types=[x.type if type is None else type],
            properties={"eps": float_attr(eps), "heads": int_attr(heads)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_punctuation(",")
        gamma = operand(parser)
        parser.parse_keyword("eps")
        eps = parse_float(parser)
        heads = after(parser, "heads", lambda: natural(parser))
        return cls(x, gamma, eps, heads, read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list((self.x, self.gamma), printer.print_operand)
        printer.print_string(f" eps {float_text(self.eps.value.data)}")
        if self.heads is not None:
            printer.print_string(f" heads {self.heads.data}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.x.type)
        columns = check_rank("x", self.x, 2)[1]
        (width,) = check_rank("gamma", self.gamma, 1)
        heads = 1 if self.heads is None else self.heads.data
        if width * heads != columns:
            raise VerifyException(f"{heads} x {width} values of gamma for {columns} columns")
        if self.eps.value.data < 0:
            raise VerifyException("eps is not negative")
        check_type("the result", self.result, self.x.type)


@irdl_op_definition
class UnaryOp(TextOp):
    """f of each element: `%y = tg.unary silu %x : T`."""

    name = "tg.unary"
    f = prop_def(StringAttr)
    x = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, f: str, x: SSAValue, type: Attribute | None = None):
        super().__init__(
            operands=[x],
            result_types=[x.type if type is None else type],
            properties={"f": StringAttr(f)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        f = parser.parse_identifier()
        return cls(f, operand(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.f.data} ")
        printer.print_operand(self.x)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        if self.f.data not in UNARY:
            raise VerifyException(f"no function is named {self.f.data!r}: {', '.join(UNARY)}")
        check_sizes(self.x.type)
        check_type("the result", self.result, self.x.type)


@irdl_op_definition
class BinaryOp(TextOp):
    """x op y by element: `%z = tg.binary add %x, %y : T`; y has the type of x, or one value a
    column.
    """

    name = "tg.binary"
    op = prop_def(StringAttr)
    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, op: str, x: SSAValue, y: SSAValue, type: Attribute | None = None):
        super().__init__(
            operands=[x, y],
            result_types=[x.type if type is None else type],
            properties={"op": StringAttr(op)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        op = parser.parse_identifier()
        x = operand(parser)
        parser.parse_punctuation(",")
        return cls(op, x, operand(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.op.data} ")
        printer.print_list((self.x, self.y), printer.print_operand)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        if self.op.data not in BINARY:
            raise VerifyException(f"no operator is named {self.op.data!r}: {', '.join(BINARY)}")
        check_sizes(self.x.type)
        check_type("the result", self.result, self.x.type)
        if self.y.type != self.x.type:
            columns = check_rank("x", self.x, 2)[1]
            if tuple(self.y.type.get_shape()) != (columns,):
                raise VerifyException(
                    f"y is {self.x.type} or has one value for each of {columns} columns, "
                    f"not {self.y.type}"
                )


@irdl_op_definition
class SplitOp(TextOp):
    """Slices of columns: `%q, %k, %v = tg.split %x [64, 32, 32]`; their types follow.

    Consecutive ones, or, with `group 16`, equal parts whose columns alternate 16 by 16 (the last
    round has what is left): how a packed gate_up interleaves.
    """

    name = "tg.split"
    x = operand_def(TensorType)
    sizes = prop_def(I64Array)
    group = opt_prop_def(IntAttr)
    parts = var_result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, x: SSAValue, sizes: Sequence[int], group: int | None = None):
        super().__init__(
            operands=[x],
            result_types=[[with_columns(tensor(x), n) for n in sizes]],
            properties={
                "sizes": DenseArrayBase.from_list(i64, sizes),
                "group": int_attr(group),
            },
        )

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of each part."""
        return static_values(self.sizes)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        sizes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: natural(parser))
        return cls(x, sizes, after(parser, "group", lambda: natural(parser)))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_operand(self.x)
        printer.print_string(f" [{', '.join(map(str, self.columns))}]")
        if self.group is not None:
            printer.print_string(f" group {self.group.data}")

    def verify_(self) -> None:
        check_sizes(self.x.type)
        columns = check_rank("x", self.x, 2)[1]
        if sum(self.columns) != columns or min(self.columns, default=0) < 1:
            raise VerifyException(f"parts of {list(self.columns)} do not make {columns} columns")
        if self.group is not None and (self.group.data < 1 or len(set(self.columns)) != 1):
            raise VerifyException(
                f"only equal parts alternate, by groups of at least 1: {list(self.columns)}"
            )
        for n, part in zip(self.columns, self.parts, strict=True):
            check_type("a part", part, with_columns(self.x.type, n))
