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
    ArrayAttr,
    IndexType,
    IntAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from .spaces import ACC, SPM, EngineAttr, engine_attr, parse_engine, space_name
from .text import (
    I64Array,
    TextOp,
    after,
    int_attr,
    join_values,
    natural,
    operand,
    parse_symbol,
    parse_values,
    print_type,
    print_values,
    split_values,
    string_attr,
    symbol,
    symbol_text,
)
from .tile import element_of, is_contiguous, shape_of

SCALAR_BYTES = 8


@irdl_op_definition
class ChannelOp(TextOp):
    """A ring between one producer engine and its consumers, each with its own read pointer.

    `stream.channel @w from ld to [mxu] : 4 slots of 576 in #tw.spm at 2048`: bytes; acquire and
    wait say how they see a slot. `@t from st to [ld] : tokens 1 primed 1`: no bytes, only
    order; primed tokens are there at launch and at the end. `@n from vpu to [ld, vpu] : scalars
    2 max 6`: words of 0 to max.
    """

    name = "stream.channel"
    sym_name = prop_def(StringAttr)
    producer = prop_def(EngineAttr)
    consumers = prop_def(ArrayAttr[EngineAttr])
    kind = prop_def(StringAttr)
    slots = prop_def(IntAttr)
    slot_bytes = opt_prop_def(IntAttr)
    space = opt_prop_def(Attribute)
    primed = opt_prop_def(IntAttr)
    maximum = opt_prop_def(IntAttr)
    at = opt_prop_def(IntAttr)
    traits = traits_def(SymbolOpInterface())

    def __init__(
        self,
        name: str,
        producer: str | EngineAttr,
        consumers: Sequence[str | EngineAttr],
        slots: int,
        slot_bytes: int | None = None,
        space: Attribute | None = None,
        at: int | None = None,
        *,
        kind: str = "slot",
        primed: int | None = None,
        maximum: int | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "producer": engine_attr(producer),
                "consumers": ArrayAttr(e for c in consumers if (e := engine_attr(c)) is not None),
                "kind": string_attr(kind),
                "slots": IntAttr(slots),
                "slot_bytes": int_attr(slot_bytes),
                "space": space,
                "primed": int_attr(primed),
                "maximum": int_attr(maximum),
                "at": int_attr(at),
            }
        )

    @classmethod
    def tokens(
        cls,
        name: str,
        producer: str | EngineAttr,
        consumers: Sequence[str | EngineAttr],
        tokens: int = 1,
        primed: int = 0,
    ) -> Self:
        """A channel of no bytes with room for `tokens`, `primed` of them there at launch."""
        return cls(name, producer, consumers, tokens, kind="token", primed=primed or None)

    @classmethod
    def scalars(
        cls,
        name: str,
        producer: str | EngineAttr,
        consumers: Sequence[str | EngineAttr],
        slots: int,
        maximum: int,
        at: int | None = None,
    ) -> Self:
        """A channel of words between 0 and `maximum`."""
        return cls(name, producer, consumers, slots, None, None, at, kind="scalar", maximum=maximum)

    @property
    def channel_name(self) -> str:
        """The name, without @."""
        return self.sym_name.data

    @property
    def consumer_names(self) -> tuple[str, ...]:
        """The consumers in written order."""
        return tuple(consumer.data for consumer in self.consumers)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_keyword("from")
        producer = parse_engine(parser)
        parser.parse_keyword("to")
        consumers = parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: parse_engine(parser)
        )
        parser.parse_punctuation(":")
        if parser.parse_optional_keyword("tokens") is not None:
            count = natural(parser)
            primed = after(parser, "primed", lambda: natural(parser))
            return cls(name, producer, consumers, count, kind="token", primed=primed)
        if parser.parse_optional_keyword("scalars") is not None:
            count = natural(parser)
            parser.parse_keyword("max")
            maximum = natural(parser)
            at = after(parser, "at", lambda: natural(parser))
            return cls.scalars(name, producer, consumers, count, maximum, at)
        count = natural(parser)
        parser.parse_keyword("slots")
        parser.parse_keyword("of")
        slot_bytes = natural(parser)
        parser.parse_keyword("in")
        space = parser.parse_attribute()
        at = after(parser, "at", lambda: natural(parser))
        return cls(name, producer, consumers, count, slot_bytes, space, at)

    def write(self, printer: Printer) -> None:
        consumers = ", ".join(self.consumer_names)
        printer.print_string(f" @{self.channel_name} from {self.producer.data} to [{consumers}] : ")
        count = self.slots.data
        if self.kind.data == "token":
            printer.print_string(f"tokens {count}")
        elif self.kind.data == "scalar" and self.maximum is not None:
            printer.print_string(f"scalars {count} max {self.maximum.data}")
        elif self.slot_bytes is not None and self.space is not None:
            printer.print_string(f"{count} slots of {self.slot_bytes.data} in ")
            printer.print_attribute(self.space)
        if self.primed is not None:
            printer.print_string(f" primed {self.primed.data}")
        if self.at is not None:
            printer.print_string(f" at {self.at.data}")

    def verify_(self) -> None:
        names = self.consumer_names
        if not names or len(set(names)) != len(names):
            raise VerifyException(f"consumers are distinct and at least one, not {list(names)}")
        if self.slots.data < 1:
            raise VerifyException("a channel has at least 1 slot")
        extras = {
            "slot": (self.slot_bytes is not None, self.space is not None, False, False),
            "token": (False, False, self.primed is not None, False),
            "scalar": (False, False, False, self.maximum is not None),
        }.get(self.kind.data)
        given = (self.slot_bytes, self.space, self.primed, self.maximum)
        if extras is None or tuple(g is not None for g in given) != extras:
            raise VerifyException(
                f"a channel of kind {self.kind.data!r} does not take these fields"
            )
        if self.kind.data == "token":
            if (self.primed.data if self.primed else 0) > self.slots.data:
                raise VerifyException("more tokens are primed than there is room for")
            if self.at is not None:
                raise VerifyException("a token has no address")
            return
        if self.producer.data in names and self.kind.data == "slot":
            raise VerifyException(f"{self.producer.data} has no channel to itself: use a buffer")
        if self.kind.data == "slot":
            self.verify_slots()

    def verify_slots(self) -> None:
        """A ring of bytes lies where its producer writes."""
        if self.space not in (SPM, ACC) or self.slot_bytes is None or self.slot_bytes.data < 1:
            raise VerifyException("a slot has bytes, in #tw.spm or #tw.acc")
        if self.space == ACC and self.producer.kind != "mxu":
            raise VerifyException(f"only mxu fills #tw.acc, not {self.producer.data}")
        if self.space == SPM and self.producer.kind == "mxu":
            raise VerifyException("mxu fills #tw.acc, not #tw.spm")
        if self.producer.kind == "st":
            raise VerifyException("a store queue fills no slots")


class SlotOp(TextOp):
    """`%slot = ... @channel on engine : type`."""

    symbol = prop_def(SymbolRefAttr)
    engine = prop_def(EngineAttr)
    slot = result_def(MemRefType)

    def __init__(self, channel: str | SymbolRefAttr, engine: str | EngineAttr, type: Attribute):
        super().__init__(
            result_types=[type],
            properties={"symbol": symbol(channel), "engine": engine_attr(engine)},
        )

    @property
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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
        type_ = self.slot.type
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
        printer.print_string(" ")
        printer.print_operand(self.slot)

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


class TokenOp(TextOp):
    """`... @channel on engine`."""

    symbol = prop_def(SymbolRefAttr)
    engine = prop_def(EngineAttr)

    def __init__(self, channel: str | SymbolRefAttr, engine: str | EngineAttr):
        super().__init__(properties={"symbol": symbol(channel), "engine": engine_attr(engine)})

    @property
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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
class SendOp(TextOp):
    """Sends one i32 element of a buffer as a scalar: `stream.send %table[0, %b] to @n on vpu`."""

    name = "stream.send"
    source = operand_def(MemRefType)
    dynamic_offsets = var_operand_def(IndexType())
    static_offsets = prop_def(I64Array)
    symbol = prop_def(SymbolRefAttr)
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
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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
        printer.print_string(" ")
        printer.print_operand(self.source)
        print_values(printer, self.dynamic_offsets, self.static_offsets)
        printer.print_string(f" to {symbol_text(self.symbol)} on {self.engine.data}")

    def verify_(self) -> None:
        if str(element_of(self.source)) != "i32":
            raise VerifyException(f"a scalar is sent from i32, not {element_of(self.source)}")
        if len(self.offsets) != len(shape_of(self.source)):
            raise VerifyException(
                f"{len(self.offsets)} offsets for {len(shape_of(self.source))} axes"
            )


@irdl_op_definition
class RecvOp(TextOp):
    """The next scalar, in each consumer its own copy: `%n = stream.recv @n` is an index.

    The one op of the streamed level that several engines execute.
    """

    name = "stream.recv"
    symbol = prop_def(SymbolRefAttr)
    result = result_def(IndexType())

    def __init__(self, channel: str | SymbolRefAttr):
        super().__init__(result_types=[IndexType()], properties={"symbol": symbol(channel)})

    @property
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()

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
