"""Softmax, over all columns or over the positions that a row sees."""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import IntAttr, StringAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..text import TextOp, after, int_attr, natural, operand, print_type, string_attr
from .access import read_type
from .types import check_heads, check_rank, check_sizes, check_type

SEEN = ("causal", "full")
"""Which positions a row sees: those up to its own, or all of its sequence."""


@irdl_op_definition
class SoftmaxOp(TextOp):
    """exp(x - m) / sum of exp(x - m), by row, m the row's largest: `%p = tg.softmax %s : T`.

    With `heads H` each of H equal groups of columns by itself. With `heads H causal` or `heads H
    full` column t of a group is position t of the row's sequence, and only those count that the
    row sees: causal, 0 .. kv_len[b] + i; full, 0 .. kv_len[b] + q_len[b] - 1. Others become 0.
    """

    name = "tg.softmax"
    x = operand_def(TensorType)
    heads = opt_prop_def(IntAttr)
    seen = opt_prop_def(StringAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(
        self,
        x: SSAValue,
        heads: int | None = None,
        seen: str | None = None,
        type: Attribute | None = None,
    ):
        super().__init__(
            operands=[x],
            result_types=[x.type if type is None else type],
            properties={"heads": int_attr(heads), "seen": string_attr(seen)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        heads = after(parser, "heads", lambda: natural(parser))
        seen = None
        if heads is not None:
            seen = next((word for word in SEEN if parser.parse_optional_keyword(word)), None)
        return cls(x, heads, seen, read_type(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_operand(self.x)
        if self.heads is not None:
            printer.print_string(f" heads {self.heads.data}")
        if self.seen is not None:
            printer.print_string(f" {self.seen.data}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.x.type)
        check_heads(check_rank("x", self.x, 2)[1], 1 if self.heads is None else self.heads.data)
        if self.seen is not None and (self.heads is None or self.seen.data not in SEEN):
            raise VerifyException(f"positions are seen by heads, {' or '.join(SEEN)}")
        check_type("the result", self.result, self.x.type)
