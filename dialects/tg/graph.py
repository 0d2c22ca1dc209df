"""Ops on whole tensors: matmul, norms, elementwise, columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    DenseArrayBase,
    FloatAttr,
    IntAttr,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
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

from ..shaped import tensor_of
from ..text import (
    I64Array,
    TextOp,
    after,
    float_attr,
    float_text,
    int_attr,
    natural,
    operand,
    parse_float,
    print_operands,
    print_type,
    static_values,
)
from .access import read_type
from .types import (
    check_rank,
    check_sizes,
    check_type,
    with_columns,
)

UNARY = (
    *("neg", "abs", "exp", "tanh", "sigmoid", "relu", "square", "rsqrt"),
    *("silu", "gelu_tanh", "gelu_erf"),
)
BINARY = ("add", "sub", "mul", "max", "min")


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
            type = with_columns(tensor_of(a), tensor_of(w).get_shape()[1])
        super().__init__(operands=[a, w], result_types=[type])

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_punctuation(",")
        return cls(a, operand(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.a, self.w)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        a, w = check_rank("a", self.a, 2), check_rank("w", self.w, 2)
        check_sizes(self.a.type)
        if a[1] != w[0]:
            raise VerifyException(f"{a[1]} columns of a meet {w[0]} rows of w")
        check_type("the result", self.result, with_columns(tensor_of(self.a), w[1]))


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
        print_operands(printer, self.x, self.gamma)
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
class LayerNormOp(TextOp):
    """(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * g + b, by row: `%n = tg.layernorm %x, %g,
    %b eps 1.0e-05 : T`.
    """

    name = "tg.layernorm"
    x = operand_def(TensorType)
    gamma = operand_def(TensorType)
    beta = operand_def(TensorType)
    eps = prop_def(FloatAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(
        self,
        x: SSAValue,
        gamma: SSAValue,
        beta: SSAValue,
        eps: float,
        type: Attribute | None = None,
    ):
        super().__init__(
            operands=[x, gamma, beta],
            result_types=[x.type if type is None else type],
            properties={"eps": float_attr(eps)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_punctuation(",")
        gamma = operand(parser)
        parser.parse_punctuation(",")
        beta = operand(parser)
        parser.parse_keyword("eps")
        return cls(x, gamma, beta, parse_float(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list((self.x, self.gamma, self.beta), printer.print_operand)
        printer.print_string(f" eps {float_text(self.eps.value.data)}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.x.type)
        columns = check_rank("x", self.x, 2)[1]
        for role, value in (("gamma", self.gamma), ("beta", self.beta)):
            (width,) = check_rank(role, value, 1)
            if width != columns:
                raise VerifyException(f"{width} values of {role} for {columns} columns")
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
            if tuple(tensor_of(self.y).get_shape()) != (columns,):
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
            result_types=[[with_columns(tensor_of(x), n) for n in sizes]],
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
        print_operands(printer, self.x)
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
            check_type("a part", part, with_columns(tensor_of(self.x), n))
