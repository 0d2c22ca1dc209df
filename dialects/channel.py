"""The declaration of a channel, of the stream dialect, and what ops that name one share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    ArrayAttr,
    IntAttr,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.ir import Attribute
from xdsl.irdl import (
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from .spaces import ACC, SPM, EngineAttr, engine_attr, parse_engine
from .text import (
    TextOp,
    after,
    int_attr,
    natural,
    string_attr,
)


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
            "slot": (True, True, False, False),
            "token": (False, False, self.primed is not None, False),
            "scalar": (False, False, False, True),
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


class ChannelUser(TextOp):
    """An op that names a channel."""

    symbol = prop_def(SymbolRefAttr)

    @property
    def channel_name(self) -> str:
        """The channel's name, without @."""
        return self.symbol.string_value()
