"""One kernel: a region of graph ops that becomes one nest of tile loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import StringAttr, TensorType
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    lazy_traits_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsTerminator, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from ..text import TextOp, operand, optional_operand


@irdl_op_definition
class FusedOp(TextOp):
    """A kernel around one anchor: `%y = tg.fused "blk.{l}.ffn" : T { ... tg.yield %h }`.

    The body uses values from around it, and yields one value for each result. The label names its
    instructions; `{l}` is the layer.
    """

    name = "tg.fused"
    label = prop_def(StringAttr)
    parts = var_result_def(TensorType)
    body = region_def("single_block")
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, label: str, types: Sequence[Attribute], body: Region):
        super().__init__(
            result_types=[types], regions=[body], properties={"label": StringAttr(label)}
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        label, types = parser.parse_str_literal(), list[Attribute]()
        if parser.parse_optional_punctuation(":") is not None:
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return cls(label, types, parser.parse_region())

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.label.data)
        if self.parts:
            printer.print_string(" : ")
            printer.print_list([part.type for part in self.parts], printer.print_attribute)
        printer.print_string(" ")
        printer.print_region(self.body)

    @property
    def yielded(self) -> Sequence[SSAValue]:
        """The values that become the results."""
        last = self.body.block.last_op
        assert isinstance(last, YieldOp), "a verified kernel ends with tg.yield"
        return last.values

    def verify_(self) -> None:
        last = self.body.block.last_op
        if self.body.block.args or not isinstance(last, YieldOp):
            raise VerifyException("a kernel has no arguments and ends with tg.yield")
        if [v.type for v in last.values] != [part.type for part in self.parts]:
            raise VerifyException("a kernel yields its results, in order and type")


@irdl_op_definition
class YieldOp(TextOp):
    """Ends a kernel with its results: `tg.yield %h`."""

    name = "tg.yield"
    values = var_operand_def(TensorType)
    traits = lazy_traits_def(lambda: (IsTerminator(), HasParent(FusedOp)))

    def __init__(self, *values: SSAValue):
        super().__init__(operands=[values])

    @classmethod
    def read(cls, parser: Parser) -> Self:
        first = optional_operand(parser)
        if first is None:
            return cls()
        rest = list[SSAValue]()
        while parser.parse_optional_punctuation(",") is not None:
            rest.append(operand(parser))
        return cls(first, *rest)

    def write(self, printer: Printer) -> None:
        if self.values:
            printer.print_string(" ")
            printer.print_list(self.values, printer.print_operand)
