"""Loops, programs and the bytes that an engine owns."""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import IntAttr, StringAttr
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from ...backend.isa import COUNTERS
from ..spaces import ACC, SPM, EngineAttr, engine_attr, parse_engine
from ..text import (
    TextOp,
    natural,
    optional_operand,
)
from .types import RegType, read_register, register_type


def with_block(body: Region) -> Region:
    """A body that was written without ops is an empty block."""
    if not body.blocks:
        body.add_block(Block())
    return body


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
        name = parser.parse_symbol_name().data
        return cls(name, with_block(parser.parse_region()))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} ")
        printer.print_region(self.body)

    def verify_(self) -> None:
        from .registers import check_program

        _ = self.engine
        check_program(self)
