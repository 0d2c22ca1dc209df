"""Scalar instructions, loops, programs: registers are values typed by the register they live in."""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import IntAttr, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from ...backend.isa.field import COUNTERS
from ...backend.isa.rows_scalar import ALU_FUNCTIONS, SYNC_KINDS
from ..spaces import ACC, SPM, EngineAttr, engine_attr, parse_engine
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
class PopOp(TextOp):
    """rd = the next word of a scalar channel: `%n = tw.pop @len[0] : r2`; the number is bytes
    into the slot.
    """

    name = "tw.pop"
    symbol = prop_def(SymbolRefAttr)
    offset = prop_def(IntAttr)
    result = result_def(RegType)

    def __init__(self, channel: str | SymbolRefAttr, register: RegType, offset: int = 0):
        super().__init__(
            result_types=[register],
            properties={"symbol": symbol(channel), "offset": IntAttr(offset)},
        )

    @property
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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
class SyncOp(TextOp):
    """A channel step by itself, on n slots or tokens: `tw.sync wait @w`, `tw.sync release @w n
    2`.
    """

    name = "tw.sync"
    kind = prop_def(StringAttr)
    symbol = prop_def(SymbolRefAttr)
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
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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


@irdl_op_definition
class LoopOp(TextOp):
    """`loop` and `next` around a body: `tw.loop %i : c0 to 5 { ... }`, or `to %n`; 0 trips are
    skipped.
    """

    name = "tw.loop"
    count = opt_operand_def(RegType)
    trips = opt_prop_def(IntAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())

    def __init__(self, count: SSAValue | int, counter: RegType, body: Region | None = None):
        """A loop of `count` trips; without a body, an empty one whose argument is the counter."""
        is_number = isinstance(count, int)
        super().__init__(
            operands=[[] if is_number else [count]],
            properties={"trips": IntAttr(count) if is_number else None},
            regions=[Region(Block(arg_types=[counter])) if body is None else body],
        )

    @property
    def counter(self) -> SSAValue:
        """The counter inside the body."""
        return self.body.block.args[0]

    @classmethod
    def read(cls, parser: Parser) -> Self:
        argument = parser.parse_argument(expect_type=False)
        counter = read_register(parser)
        parser.parse_keyword("to")
        count = optional_operand(parser)
        trips = natural(parser) if count is None else count
        return cls(trips, counter, parser.parse_region([argument.resolve(counter)]))

    def write(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.counter)
        printer.print_string(f" : {register_type(self.counter).register.data} to ")
        if self.count is not None:
            printer.print_operand(self.count)
        elif self.trips is not None:
            printer.print_string(str(self.trips.data))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    def verify_(self) -> None:
        if (self.count is None) == (self.trips is None):
            raise VerifyException("a trip count is a register or a number")
        args = self.body.block.args
        if len(args) != 1 or not register_type(args[0]).is_counter:
            raise VerifyException("a loop has one counter, c0 to c7")
        register = register_type(args[0])
        parent = self.parent_op()
        depth = 0
        while isinstance(parent, LoopOp):
            depth += 1
            parent = parent.parent_op()
        if depth < COUNTERS and register != RegType(f"c{depth}"):
            raise VerifyException(f"the counter of a loop inside {depth} loops is c{depth}")
        if depth >= COUNTERS:
            raise VerifyException(f"loops nest at most {COUNTERS} deep")


@irdl_op_definition
class RegionOp(TextOp):
    """Bytes that one engine owns: `tw.region @max on vpu : 16 in #tw.spm at 10880`."""

    name = "tw.region"
    sym_name = prop_def(StringAttr)
    engine = prop_def(EngineAttr)
    nbytes = prop_def(IntAttr)
    space = prop_def(Attribute)
    at = prop_def(IntAttr)
    traits = traits_def(SymbolOpInterface())

    def __init__(self, name: str, engine: str | EngineAttr, nbytes: int, space: Attribute, at: int):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "engine": engine_attr(engine),
                "nbytes": IntAttr(nbytes),
                "space": space,
                "at": IntAttr(at),
            }
        )

    @property
    def region_name(self) -> str:
        """The name, without @."""
        return self.sym_name.data

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_keyword("on")
        engine = parse_engine(parser)
        parser.parse_punctuation(":")
        nbytes = natural(parser)
        parser.parse_keyword("in")
        space = parser.parse_attribute()
        parser.parse_keyword("at")
        return cls(name, engine, nbytes, space, natural(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" @{self.region_name} on {self.engine.data} : ")
        printer.print_string(f"{self.nbytes.data} in ")
        printer.print_attribute(self.space)
        printer.print_string(f" at {self.at.data}")

    def verify_(self) -> None:
        if self.space not in (SPM, ACC):
            raise VerifyException(f"an engine owns bytes in #tw.spm or #tw.acc, not {self.space}")


@irdl_op_definition
class ProgramOp(TextOp):
    """The program of one engine, named after it: `tw.program @ld { ... }`; its halt is implied.

    Every read of a register finds the value it names: no other write of that register lies between.
    """

    name = "tw.program"
    sym_name = prop_def(StringAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), SymbolOpInterface(), IsolatedFromAbove())

    def __init__(self, engine: str, body: Region | None = None):
        super().__init__(
            properties={"sym_name": StringAttr(engine)},
            regions=[Region(Block()) if body is None else body],
        )

    @property
    def engine(self) -> EngineAttr:
        """The engine that runs it."""
        return EngineAttr(self.sym_name.data)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(parser.parse_symbol_name().data, parser.parse_region())

    def write(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} ")
        printer.print_region(self.body)

    def verify_(self) -> None:
        from .registers import check_program

        _ = self.engine
        check_program(self)
