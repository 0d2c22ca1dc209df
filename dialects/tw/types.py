"""Registers as types, and the places that operands of instructions name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

from xdsl.dialects.builtin import ArrayAttr, FloatAttr, IntAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ...backend.isa import COUNTER_LOW, COUNTERS, REGISTERS, Order, View, ViewError, register_name
from ..text import float_attr, float_text, natural, optional_operand, parse_float


@irdl_attr_definition
class RegType(ParametrizedAttribute, TypeAttribute):
    """A scalar register that holds an integer: `!tw.reg<r3>`, or `!tw.reg<c0>` for a loop
    counter.
    """

    name = "tw.reg"
    register: StringAttr

    def __init__(self, register: str | int):
        if isinstance(register, int):
            register = register_name(register)
        super().__init__(StringAttr(register))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            return (StringAttr(parser.parse_identifier()),)

    def print_parameters(self, printer: Printer) -> None:
        printer.print_string(f"<{self.register.data}>")

    def verify(self) -> None:
        name = self.register.data
        if re.fullmatch(r"[rc](0|[1-9][0-9]*)", name) is None or not (
            int(name[1:]) < (COUNTERS if name[0] == "c" else REGISTERS)
        ):
            raise VerifyException(
                f"no register is named {name!r}: r0 to r{REGISTERS - 1}, c0 to c{COUNTERS - 1}"
            )

    @property
    def is_counter(self) -> bool:
        """Whether it is a loop counter."""
        return self.register.data[0] == "c"

    @property
    def number(self) -> int:
        """Its number in an instruction word."""
        number = int(self.register.data[1:])
        return number + COUNTER_LOW if self.is_counter else number


def register_type(value: SSAValue) -> RegType:
    """The register of a value."""
    if not isinstance(value.type, RegType):
        raise VerifyException(f"{value.type} is no register")
    return value.type


def read_register(parser: Parser) -> RegType:
    """`: r3`."""
    parser.parse_punctuation(":")
    position = parser.pos
    name = parser.parse_identifier()
    try:
        return RegType(name)
    except VerifyException as error:
        parser.raise_error(str(error), position, parser.pos)


@irdl_attr_definition
class PlaceAttr(ParametrizedAttribute):
    """An operand of an instruction, but for its offset register: see `Place` for the parts."""

    name = "tw.place"
    operand: StringAttr
    symbol: StringAttr
    format: StringAttr
    order: StringAttr
    shape: ArrayAttr[IntAttr]
    strides: ArrayAttr[IntAttr]
    offset: IntAttr
    age: IntAttr
    indexed: IntAttr
    begin: IntAttr
    end: IntAttr

    @property
    def view(self) -> View:
        """How the operand sees its place."""
        shape = tuple(n.data for n in self.shape)
        strides = tuple(n.data for n in self.strides)
        order = cast(Order, self.order.data)
        return View(self.format.data, shape, strides, order, self.offset.data)

    def verify(self) -> None:
        try:
            _ = self.view
        except ViewError as error:
            raise VerifyException(str(error)) from None


@irdl_attr_definition
class ConstantAttr(ParametrizedAttribute):
    """A number as an operand of an instruction, broadcast to every shape."""

    name = "tw.constant"
    operand: StringAttr
    value: FloatAttr


@dataclass(frozen=True)
class Place:
    """An operand: a channel's slot or a region, how it is seen, what happens to the channel."""

    symbol: str
    """The channel or region, without @."""
    view: View
    """Format, shape, strides and constant offset, in bytes from the place's first byte."""
    age: int = 0
    """Which slot this engine holds of the channel, 0 the oldest."""
    register: SSAValue | None = None
    """Bytes added at run time."""
    begin: bool = False
    """Acquire (the producer) or wait (a consumer) before, blocking."""
    end: bool = False
    """Commit or release at completion."""

    def attribute(self, operand: str) -> PlaceAttr:
        """The place as the attribute of an operand."""
        view = self.view
        return PlaceAttr(
            StringAttr(operand),
            StringAttr(self.symbol),
            StringAttr(view.format),
            StringAttr(view.order),
            ArrayAttr(IntAttr(n) for n in view.shape),
            ArrayAttr(IntAttr(n) for n in view.strides),
            IntAttr(view.offset),
            IntAttr(self.age),
            IntAttr(int(self.register is not None)),
            IntAttr(int(self.begin)),
            IntAttr(int(self.end)),
        )

    @classmethod
    def of(cls, attribute: PlaceAttr, register: SSAValue | None) -> Self:
        """The inverse of `attribute`."""
        begin, end = bool(attribute.begin.data), bool(attribute.end.data)
        symbol, age = attribute.symbol.data, attribute.age.data
        return cls(symbol, attribute.view, age, register, begin, end)


def constant_attribute(operand: str, value: float) -> ConstantAttr:
    """A number as the attribute of an operand."""
    number = float_attr(value)
    assert number is not None
    return ConstantAttr(StringAttr(operand), number)


def read_place(parser: Parser) -> Place | float:
    """A number, or `@w(1)[64 + %r]<512x64xq4_1 kn, [36864, 64]> begin end`."""
    symbol = parser.parse_optional_symbol_name()
    if symbol is None:
        return parse_float(parser)
    age = 0
    if parser.parse_optional_punctuation("(") is not None:
        age = natural(parser)
        parser.parse_punctuation(")")
    parser.parse_punctuation("[")
    offset = parser.parse_integer(allow_boolean=False)
    register = None
    if parser.parse_optional_punctuation("+") is not None:
        register = optional_operand(parser)
        if register is None:
            parser.raise_error("a register is added to an offset")
    parser.parse_punctuation("]")
    view = read_view(parser, offset)
    begin = parser.parse_optional_keyword("begin") is not None
    end = parser.parse_optional_keyword("end") is not None
    return Place(symbol.data, view, age, register, begin, end)


def read_view(parser: Parser, offset: int) -> View:
    """`<512x64xq4_1 kn, [36864, 64]>`."""
    position = parser.pos
    with parser.in_angle_brackets():
        shape = list[int]()
        while (size := parser.parse_optional_integer(False, False)) is not None:
            shape.append(size)
            parser.parse_shape_delimiter()
        format = parser.parse_identifier()
        order = parser.parse_optional_keyword_in(("kn", "nk")) or ""
        parser.parse_punctuation(",")
        strides = parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: parser.parse_integer(allow_boolean=False)
        )
    try:
        return View(format, tuple(shape), tuple(strides), cast(Order, order), offset)
    except ViewError as error:
        parser.raise_error(str(error), position, parser.pos)


def write_place(printer: Printer, place: Place | float) -> None:
    """The inverse of `read_place`."""
    if not isinstance(place, Place):
        printer.print_string(float_text(place))
        return
    age = f"({place.age})" if place.age else ""
    printer.print_string(f"@{place.symbol}{age}[{place.view.offset}")
    if place.register is not None:
        printer.print_string(" + ")
        printer.print_operand(place.register)
    view = place.view
    shape = "".join(f"{n}x" for n in view.shape)
    order = f" {view.order}" if view.order else ""
    strides = ", ".join(map(str, view.strides))
    words = (" begin" if place.begin else "") + (" end" if place.end else "")
    printer.print_string(f"]<{shape}{view.format}{order}, [{strides}]>{words}")
