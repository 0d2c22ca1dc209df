"""Instructions with memory operands: their text, their fields and their limits come from the
table.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Self

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FloatAttr,
    IntAttr,
    StringAttr,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    prop_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ...backend.isa import BY_MNEMONIC, ELEMENT_BYTES, Field, Instruction, OperandSpec, View
from ..text import TextOp, float_attr, float_text, operand, parse_float
from .types import (
    ConstantAttr,
    Place,
    PlaceAttr,
    RegType,
    constant_attribute,
    read_place,
    write_place,
)

Setting = str | int | float


class InstructionOp(TextOp):
    """One instruction: places by operand name, settings (enums, flags, constants) and registers
    by field name.
    """

    places = prop_def(ArrayAttr[Attribute])
    settings = prop_def(DictionaryAttr)
    register_fields = prop_def(ArrayAttr[StringAttr])
    offset_registers = var_operand_def(RegType)
    field_registers = var_operand_def(RegType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        places: Mapping[str, Place | float],
        settings: Mapping[str, Setting] | None = None,
        registers: Mapping[str, SSAValue] | None = None,
    ):
        row = self.row()
        given = [s.name for s in row.operands if s.name in places]
        given += [name for name in places if name not in given]
        attributes = list[Attribute]()
        offsets = list[SSAValue]()
        for name in given:
            place = places[name]
            if isinstance(place, Place):
                attributes.append(place.attribute(name))
                offsets += [] if place.register is None else [place.register]
            else:
                attributes.append(constant_attribute(name, place))
        fields = {field.name: field for field in row.fields}
        registers = registers or {}
        names = [name for name in fields if name in registers]
        names += [name for name in registers if name not in names]
        super().__init__(
            operands=[offsets, [registers[name] for name in names]],
            properties={
                "places": ArrayAttr(attributes),
                "settings": DictionaryAttr(
                    {
                        name: setting_attribute(fields.get(name), value)
                        for name, value in (settings or {}).items()
                    }
                ),
                "register_fields": ArrayAttr(StringAttr(name) for name in names),
            },
        )

    @classmethod
    def mnemonic(cls) -> str:
        """The instruction's mnemonic."""
        return cls.name.removeprefix("tw.")

    @classmethod
    def row(cls) -> Instruction:
        """The instruction's row of the table."""
        return BY_MNEMONIC[cls.mnemonic()]

    def get_places(self) -> dict[str, Place | float]:
        """Operands by name, in table order: places, and numbers."""
        registers = iter(self.offset_registers)
        places = dict[str, Place | float]()
        for attribute in self.places:
            if isinstance(attribute, ConstantAttr):
                places[attribute.operand.data] = attribute.value.value.data
            elif isinstance(attribute, PlaceAttr):
                register = next(registers) if attribute.indexed.data else None
                places[attribute.operand.data] = Place.of(attribute, register)
        return places

    def get_settings(self) -> dict[str, Setting]:
        """Enums (by the name of the value), flags (1) and constants that differ from the
        default.
        """
        return {name: setting_value(value) for name, value in self.settings.data.items()}

    def get_registers(self) -> dict[str, SSAValue]:
        """Registers by field name: bounds and the band's limits."""
        names = (name.data for name in self.register_fields)
        return dict(zip(names, self.field_registers, strict=True))

    @classmethod
    def read(cls, parser: Parser) -> Self:
        places = dict[str, Place | float]()
        while True:
            name = parser.parse_identifier()
            parser.parse_punctuation("=")
            places[name] = read_place(parser)
            if parser.parse_optional_punctuation(",") is None:
                break
        settings, registers = dict[str, Setting](), dict[str, SSAValue]()
        for field in cls.row().fields:
            if parser.parse_optional_keyword(field.name) is None:
                continue
            if field.kind == "enum":
                settings[field.name] = parser.parse_identifier()
            elif field.kind == "flag":
                settings[field.name] = 1
            elif field.kind == "constant":
                settings[field.name] = parse_float(parser)
            else:
                registers[field.name] = operand(parser)
        return cls(places, settings, registers)

    def write(self, printer: Printer) -> None:
        for number, (name, place) in enumerate(self.get_places().items()):
            printer.print_string(f"{', ' if number else ' '}{name}=")
            write_place(printer, place)
        settings, registers = self.get_settings(), self.get_registers()
        for field in self.row().fields:
            if field.name in registers:
                printer.print_string(f" {field.name} ")
                printer.print_operand(registers[field.name])
            elif field.name in settings:
                value = settings[field.name]
                text = float_text(value) if isinstance(value, float) else str(value)
                printer.print_string(
                    f" {field.name}" + ("" if field.kind == "flag" else f" {text}")
                )

    def verify_(self) -> None:
        row = self.row()
        places = self.get_places()
        specs = {spec.name: spec for spec in row.operands}
        for name in chain(places, self.get_settings(), self.get_registers()):
            if name not in specs and name not in (field.name for field in row.fields):
                raise VerifyException(f"{row.mnemonic} has no operand and no field {name!r}")
        for spec in row.operands:
            check_operand(row.mnemonic, spec, places.get(spec.name))
        settings = self.get_settings()
        for field in row.fields:
            if field.name in settings and not setting_fits(field, settings[field.name]):
                raise VerifyException(
                    f"{row.mnemonic} {field.name} is {field.wanted}, not {settings[field.name]!r}"
                )
        for name in self.get_registers():
            kind = next((field.kind for field in row.fields if field.name == name), "")
            if kind != "optional":
                raise VerifyException(f"{row.mnemonic} {name} is no register")


def setting_attribute(field: Field | None, value: Setting) -> Attribute:
    """A setting as an attribute; an enum's value may be given by its index."""
    if field is not None and field.kind == "constant":
        number = float_attr(float(value))
        assert number is not None
        return number
    if field is not None and field.kind == "enum" and isinstance(value, int):
        return StringAttr(field.values[value] if value < len(field.values) else str(value))
    return StringAttr(value) if isinstance(value, str) else IntAttr(int(value))


def setting_value(attribute: Attribute) -> Setting:
    """The inverse of `setting_attribute`."""
    match attribute:
        case StringAttr() | IntAttr():
            return attribute.data
        case FloatAttr():
            return attribute.value.data
        case _:
            raise VerifyException(f"{attribute} is no setting")


def setting_fits(field: Field, value: Setting) -> bool:
    """Whether a value is one of the field's."""
    if field.kind == "enum":
        return value in field.values
    return value == 1 if field.kind == "flag" else field.kind == "constant"


def check_operand(mnemonic: str, spec: OperandSpec, place: Place | float | None) -> None:
    """An operand is as its row says."""
    where = f"{mnemonic} {spec.name}"
    if place is None:
        if not spec.optional:
            raise VerifyException(f"{where} is missing: {spec.doc}")
        return
    if not isinstance(place, Place):
        if not spec.allows_constant:
            raise VerifyException(f"{where} is no number")
        return
    check_view(where, spec, place.view)
    if not spec.spaces:
        raise VerifyException(f"{where} is a number")


def check_view(where: str, spec: OperandSpec, view: View) -> None:
    """A view has a format and a rank of the row."""
    formats = spec.formats or tuple(ELEMENT_BYTES)
    if view.format not in formats:
        raise VerifyException(f"{where} is seen as {', '.join(formats)}, not as {view.format}")
    low, high = spec.ranks
    if not low <= view.rank <= high:
        raise VerifyException(f"{where} has {low} to {high} axes, not {view.rank}")


@irdl_op_definition
class CopyOp(InstructionOp):
    """dst = src, a strided box of at most 5 axes between any two memories; `axis0` to `axis4`
    bound it.

    `tw.copy dst=@x[0]<4x64xf32, [256, 4]> begin end, src=@gx[0 + %o]<4x64xf32, [256, 4]> axis0 %m`.
    """

    name = "tw.copy"


@irdl_op_definition
class FillOp(InstructionOp):
    """dst = a number: `tw.fill dst=@x[0]<4x64xf32, [256, 4]>, value=0.0 axis0 %m`."""

    name = "tw.fill"


@irdl_op_definition
class GatherOp(InstructionOp):
    """dst[i] = src[index[i]] for i < rows, zeros where the number is out of range."""

    name = "tw.gather"


@irdl_op_definition
class ScatterOp(InstructionOp):
    """dst[index[i]] = src[i] for i < rows, in order."""

    name = "tw.scatter"


@irdl_op_definition
class MmOp(InstructionOp):
    """acc += a @ b, or a @ b^T with `transposed` or order nk; `m`, `n`, `k` bound it.

    `tw.mm acc=@s[0]<4x32xf32, [128, 4]> begin, a=@x[0]<4x64xf32, [256, 4]>,
    b=@w[0]<64x32xq4_0 kn, [576, 32]> begin end m %m`.
    """

    name = "tw.mm"


@irdl_op_definition
class VecOp(InstructionOp):
    """dst = v and red = reduction of v, where v = f(a * b + c) op d inside the band, else fill.

    `tw.vec dst=@h[0]<4x16xf32, [64, 4]> begin, a=@s[0]<4x16xf32, [128, 4]> begin, b=0.125 f
    sigmoid rows %m`.
    """

    name = "tw.vec"


@irdl_op_definition
class VselOp(InstructionOp):
    """dst = a where mask is not 0, else b."""

    name = "tw.vsel"


@irdl_op_definition
class VquantOp(InstructionOp):
    """codes and scales of a, by blocks of columns."""

    name = "tw.vquant"


@irdl_op_definition
class VtopkOp(InstructionOp):
    """values and indices of the largest column of each row."""

    name = "tw.vtopk"


@irdl_op_definition
class VtrOp(InstructionOp):
    """dst[c, r] = a[r, c]."""

    name = "tw.vtr"


INSTRUCTION_OPS: dict[str, type[InstructionOp]] = {
    op.mnemonic(): op
    for op in (
        CopyOp,
        FillOp,
        GatherOp,
        ScatterOp,
        MmOp,
        VecOp,
        VselOp,
        VquantOp,
        VtopkOp,
        VtrOp,
    )
}
"""The op of each instruction with memory operands, by mnemonic."""
