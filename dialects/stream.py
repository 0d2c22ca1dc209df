"""The stream dialect: engines and channels of the streamed and placed levels.

Before it: the tile dialect's sequential program. It is the same program in the same order, with
each tile op on an engine, and what crosses engines in slots of channels. A slot is a value
between its acquire and commit (producer, writes) or wait and release (consumer, reads).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    MemRefType,
    SymbolRefAttr,
)
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from .channel import ChannelOp, ChannelUser
from .shaped import memref_of
from .spaces import EngineAttr, engine_attr, parse_engine, space_name
from .text import (
    I64Array,
    TextOp,
    check_values,
    join_values,
    operand,
    parse_symbol,
    parse_values,
    print_operands,
    print_type,
    print_values,
    split_values,
    symbol,
    symbol_text,
)
from .tile import element_of, is_contiguous, shape_of


class SlotOp(ChannelUser):
    """`%slot = ... @channel on engine : type`."""

    engine = prop_def(EngineAttr)
    slot = result_def(MemRefType)

    def __init__(self, channel: str | SymbolRefAttr, engine: str | EngineAttr, type: Attribute):
        super().__init__(
            result_types=[type],
            properties={"symbol": symbol(channel), "engine": engine_attr(engine)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parse_symbol(parser)
        parser.parse_keyword("on")
        engine = parse_engine(parser)
        parser.parse_punctuation(":")
        return cls(name, engine, parser.parse_type())

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)} on {self.engine.data}")
        print_type(printer, self.slot.type)

    def verify_(self) -> None:
        type_ = memref_of(self.slot)
        if space_name(type_) not in ("spm", "acc"):
            raise VerifyException(f"a slot lives in #tw.spm or #tw.acc, not {type_}")
        if DYNAMIC_INDEX in type_.get_shape() or not is_contiguous(type_):
            raise VerifyException(f"a slot has static sizes and no gaps, not {type_}")


@irdl_op_definition
class AcquireOp(SlotOp):
    """The producer's next free slot, to be written: blocks until all consumers have released it.

    `%s = stream.acquire @s on mxu : memref<4x32xf32, #tw.acc>`. In acc it is zero, in spm
    undefined.
    """

    name = "stream.acquire"


@irdl_op_definition
class WaitOp(SlotOp):
    """A consumer's next committed slot, to be read: `%w = stream.wait @w on mxu : memref<...>`."""

    name = "stream.wait"


class SlotEndOp(TextOp):
    """Ends the life of a slot."""

    BEGIN: ClassVar[type[SlotOp]]
    slot = operand_def(MemRefType)

    def __init__(self, slot: SSAValue):
        super().__init__(operands=[slot])

    @property
    def begin(self) -> SlotOp:
        """The op that made the slot."""
        owner = self.slot.owner
        assert isinstance(owner, SlotOp), "verified IR ends the slot of an acquire or wait"
        return owner

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(operand(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.slot)

    def verify_(self) -> None:
        begin = self.slot.owner
        if not isinstance(begin, self.BEGIN):
            raise VerifyException(f"{self.name} ends a slot of {self.BEGIN.name}")
        if begin.parent is not self.parent:
            raise VerifyException(f"{self.name} stands in the block of its {self.BEGIN.name}")


@irdl_op_definition
class CommitOp(SlotEndOp):
    """Hands an acquired slot to all consumers: `stream.commit %s`."""

    name = "stream.commit"
    BEGIN: ClassVar = AcquireOp


@irdl_op_definition
class ReleaseOp(SlotEndOp):
    """Gives a waited slot back: `stream.release %w`."""

    name = "stream.release"
    BEGIN: ClassVar = WaitOp


class TokenOp(ChannelUser):
    """`... @channel on engine`."""

    engine = prop_def(EngineAttr)

    def __init__(self, channel: str | SymbolRefAttr, engine: str | EngineAttr):
        super().__init__(properties={"symbol": symbol(channel), "engine": engine_attr(engine)})

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parse_symbol(parser)
        parser.parse_keyword("on")
        return cls(name, parse_engine(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)} on {self.engine.data}")


@irdl_op_definition
class SignalOp(TokenOp):
    """A token once all earlier accesses of its engine to hbm are done: `stream.signal @t on st`."""

    name = "stream.signal"


@irdl_op_definition
class AwaitOp(TokenOp):
    """Takes a token, blocking until there is one: `stream.await @t on ld`."""

    name = "stream.await"


@irdl_op_definition
class SendOp(ChannelUser):
    """Sends one i32 element of a buffer as a scalar: `stream.send %table[0, %b] to @n on vpu`."""

    name = "stream.send"
    source = operand_def(MemRefType)
    dynamic_offsets = var_operand_def(IndexType())
    static_offsets = prop_def(I64Array)
    engine = prop_def(EngineAttr)

    def __init__(
        self,
        source: SSAValue,
        offsets: Sequence[SSAValue | int],
        channel: str | SymbolRefAttr,
        engine: str | EngineAttr,
    ):
        dynamic, static = split_values(offsets)
        super().__init__(
            operands=[source, dynamic],
            properties={
                "static_offsets": static,
                "symbol": symbol(channel),
                "engine": engine_attr(engine),
            },
        )

    @property
    def offsets(self) -> tuple[SSAValue | int, ...]:
        """One offset for each axis of the source."""
        return join_values(self.dynamic_offsets, self.static_offsets)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        source = operand(parser)
        offsets = parse_values(parser)
        parser.parse_keyword("to")
        name = parse_symbol(parser)
        parser.parse_keyword("on")
        return cls(source, offsets, name, parse_engine(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.source)
        print_values(printer, self.dynamic_offsets, self.static_offsets)
        printer.print_string(f" to {symbol_text(self.symbol)} on {self.engine.data}")

    def verify_(self) -> None:
        check_values(self.dynamic_offsets, self.static_offsets)
        if str(element_of(self.source)) != "i32":
            raise VerifyException(f"a scalar is sent from i32, not {element_of(self.source)}")
        if len(self.offsets) != len(shape_of(self.source)):
            raise VerifyException(
                f"{len(self.offsets)} offsets for {len(shape_of(self.source))} axes"
            )


@irdl_op_definition
class RecvOp(ChannelUser):
    """The next scalar, in each consumer its own copy: `%n = stream.recv @n` is an index.

    The one op of the streamed level that several engines execute.
    """

    name = "stream.recv"
    result = result_def(IndexType())

    def __init__(self, channel: str | SymbolRefAttr):
        super().__init__(result_types=[IndexType()], properties={"symbol": symbol(channel)})

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(parse_symbol(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")


Stream = Dialect(
    "stream",
    [
        ChannelOp,
        AcquireOp,
        WaitOp,
        CommitOp,
        ReleaseOp,
        SignalOp,
        AwaitOp,
        SendOp,
        RecvOp,
    ],
    [],
)
