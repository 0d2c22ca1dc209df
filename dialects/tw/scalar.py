"""Scalar instructions: registers are values typed by the register they live in."""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import IntAttr, StringAttr, SymbolRefAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ...backend.isa import ALU_FUNCTIONS, SYNC_KINDS
from ..channel import ChannelUser
from ..text import (
    TextOp,
    after,
    int_attr,
    many,
    natural,
    operand,
    optional_operand,
    parse_symbol,
    symbol,
    symbol_text,
)
from .types import RegType, read_register, register_type


def signed(parser: Parser) -> int:
    """A decimal integer."""
    return parser.parse_integer(allow_boolean=False)


def write_result(printer: Printer, result: SSAValue) -> None:
    """` : r3`."""
    printer.print_string(f" : {register_type(result).register.data}")


def check_written(result: SSAValue) -> None:
    """Scalar instructions write r0 to r15; counters belong to loops."""
    if register_type(result).is_counter:
        raise VerifyException("a loop counter is written by its loop only")


@irdl_op_definition
class LiOp(TextOp):
    """rd = imm: `%a = tw.li 5 : r3`."""

    name = "tw.li"
    imm = prop_def(IntAttr)
    result = result_def(RegType)

    def __init__(self, imm: int, register: RegType):
        super().__init__(result_types=[register], properties={"imm": IntAttr(imm)})

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(signed(parser), read_register(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.imm.data}")
        write_result(printer, self.result)

    def verify_(self) -> None:
        check_written(self.result)


@irdl_op_definition
class AluOp(TextOp):
    """rd = fn(ra, rb or imm): `%b = tw.alu add %a, 5 : r4`; fn is add, sub, mul, min, max, shl,
    shr, and.
    """

    name = "tw.alu"
    fn = prop_def(StringAttr)
    a = operand_def(RegType)
    b = opt_operand_def(RegType)
    imm = opt_prop_def(IntAttr)
    result = result_def(RegType)

    def __init__(self, fn: str, a: SSAValue, b: SSAValue | int, register: RegType):
        is_number = isinstance(b, int)
        super().__init__(
            operands=[a, [] if is_number else [b]],
            result_types=[register],
            properties={"fn": StringAttr(fn), "imm": IntAttr(b) if is_number else None},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        fn = parser.parse_identifier()
        a = operand(parser)
        parser.parse_punctuation(",")
        b = optional_operand(parser)
        return cls(fn, a, signed(parser) if b is None else b, read_register(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.fn.data} ")
        printer.print_operand(self.a)
        printer.print_string(", ")
        if self.b is not None:
            printer.print_operand(self.b)
        elif self.imm is not None:
            printer.print_string(str(self.imm.data))
        write_result(printer, self.result)

    def verify_(self) -> None:
        check_written(self.result)
        if self.fn.data not in ALU_FUNCTIONS:
            raise VerifyException(
                f"no function is named {self.fn.data!r}: {', '.join(ALU_FUNCTIONS)}"
            )
        if (self.b is None) == (self.imm is None):
            raise VerifyException("the second argument is a register or a number")


@irdl_op_definition
class LdpOp(TextOp):
    """rd = word of the launch-parameter table: `%m = tw.ldp 4 : r0`, `%n = tw.ldp %b + 8 : r1`."""

    name = "tw.ldp"
    word = prop_def(IntAttr)
    index = opt_operand_def(RegType)
    result = result_def(RegType)

    def __init__(self, word: int, register: RegType, index: SSAValue | None = None):
        super().__init__(
            operands=[many(index)], result_types=[register], properties={"word": IntAttr(word)}
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        index = optional_operand(parser)
        if index is not None:
            parser.parse_punctuation("+")
        return cls(signed(parser), read_register(parser), index)

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        if self.index is not None:
            printer.print_operand(self.index)
            printer.print_string(" + ")
        printer.print_string(str(self.word.data))
        write_result(printer, self.result)

    def verify_(self) -> None:
        check_written(self.result)


@irdl_op_definition
class PopOp(ChannelUser):
    """rd = the next word of a scalar channel: `%n = tw.pop @len[0] : r2`; the number is bytes
    into the slot.
    """

    name = "tw.pop"
    offset = prop_def(IntAttr)
    result = result_def(RegType)

    def __init__(self, channel: str | SymbolRefAttr, register: RegType, offset: int = 0):
        super().__init__(
            result_types=[register],
            properties={"symbol": symbol(channel), "offset": IntAttr(offset)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parse_symbol(parser)
        parser.parse_punctuation("[")
        offset = natural(parser)
        parser.parse_punctuation("]")
        return cls(name, read_register(parser), offset)

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}[{self.offset.data}]")
        write_result(printer, self.result)

    def verify_(self) -> None:
        check_written(self.result)


@irdl_op_definition
class SyncOp(ChannelUser):
    """A channel step by itself, on n slots or tokens: `tw.sync wait @w`, `tw.sync release @w n
    2`.
    """

    name = "tw.sync"
    kind = prop_def(StringAttr)
    count = opt_prop_def(IntAttr)

    def __init__(self, kind: str, channel: str | SymbolRefAttr, count: int = 1):
        super().__init__(
            properties={
                "kind": StringAttr(kind),
                "symbol": symbol(channel),
                "count": int_attr(None if count == 1 else count),
            }
        )

    @property
    def steps(self) -> int:
        """Slots or tokens."""
        return 1 if self.count is None else self.count.data

    @classmethod
    def read(cls, parser: Parser) -> Self:
        kind = parser.parse_identifier()
        name = parse_symbol(parser)
        count = after(parser, "n", lambda: natural(parser))
        return cls(kind, name, 1 if count is None else count)

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} {symbol_text(self.symbol)}")
        if self.count is not None:
            printer.print_string(f" n {self.count.data}")

    def verify_(self) -> None:
        if self.kind.data not in SYNC_KINDS:
            raise VerifyException(f"no step is named {self.kind.data!r}: {', '.join(SYNC_KINDS)}")
        if self.steps < 1:
            raise VerifyException("a step is made on at least 1 slot")
