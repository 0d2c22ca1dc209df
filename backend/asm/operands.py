"""Items of an instruction line: places, constants and fields, against a program's tables."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TilewrightError
from ..isa import (
    CHANNEL,
    CONSTANT,
    COUNTER_LOW,
    COUNTERS,
    NO_REGISTER,
    REGION,
    REGISTERS,
    Channel,
    Field,
    Ins,
    Instruction,
    Operand,
    Region,
)
from .tables import Tables
from .text import PARAMETER_FIELD, constant_bits, parse_view, symbol_name
from .tree import Node


def read_item(engine: str, row: Instruction, item: Node, ins: Ins, tables: Tables) -> None:
    """Read one item into `ins`: by its name, or into the next required operand or field."""
    label, node = item.children[0], item.child(1)
    if label is None:
        name = _next_required(row, ins)
        if name is None:
            raise item.error(f"{row.mnemonic} has no more positional operands; name this one")
    else:
        name = label.text
    if name in ins.operands or name in ins.fields:
        raise item.error(f"{name} is given twice")
    if any(spec.name == name for spec in row.operands):
        ins.operands[name] = _operand(engine, node, tables)
        return
    found = next((f for f in row.fields if f.name == name), None)
    if found is None:
        known = [spec.name for spec in row.operands] + [f.name for f in row.fields]
        raise item.error(f"found '{name}', expected one of {', '.join(known) or 'nothing'}")
    ins.fields[name] = _field(row, found, node, tables)


def _next_required(row: Instruction, ins: Ins) -> str | None:
    for spec in row.operands:
        if not spec.optional and spec.name not in ins.operands:
            return spec.name
    for f in row.fields:
        if f.default is None and f.name not in ins.fields:
            return f.name
    return None


def _operand(engine: str, node: Node, tables: Tables) -> Operand:
    if node.kind == "place":
        return _place(engine, node, tables)
    return Operand(CONSTANT, view=_constant(node, tables))


def _constant(node: Node, tables: Tables) -> int:
    """The number of an inline constant, or of a declared one by its `k` name."""
    if node.kind == "number":
        return tables.constant(constant_bits(node.child(0).text))
    if node.kind == "NAME":
        return _declared(node, "k", len(tables.constants))
    raise node.error("found a place, expected a number or a declared constant such as k0")


def _declared(token: Node, letter: str, count: int) -> int:
    digits = token.text.removeprefix(letter)
    if token.text.startswith(letter) and digits.isdigit() and int(digits) < count:
        return int(digits)
    what = f"{letter}0 to {letter}{count - 1}" if count else f"a declaration of {token.text} above"
    raise token.error(f"found {token.text}, expected {what}")


def _place(engine: str, node: Node, tables: Tables) -> Operand:
    symbol = node.child(0)
    age, base, view, *steps = node.children[1:]
    name = symbol_name(symbol.text)
    if name in tables.channels:
        kind, (number, entry) = CHANNEL, tables.channels[name]
    elif name in tables.regions:
        kind, (number, entry) = REGION, tables.regions[name]
    else:
        known = ", ".join([*tables.channels, *tables.regions]) or "none"
        raise symbol.error(f"found @{name}, expected a channel or region; declared are {known}")
    offset = None if base is None else base.child(0)
    plus = None if base is None else base.children[1]
    if offset is not None and offset.kind == "NAME":
        if view is not None:
            raise view.error(f"{offset.text} is a whole view; expected none after it")
        index = _declared(offset, "v", len(tables.views))
    elif view is None:
        raise symbol.error(f"@{name} has no view; expected one such as <4x8 f32> after it")
    else:
        index = _inline_view(view, 0 if offset is None else int(offset.text), tables)
    begin, end = _steps(engine, entry, steps)
    return Operand(
        kind, number, index, 0 if age is None else int(age.child(0).text),
        NO_REGISTER if plus is None else _register(plus), begin, end,
    )  # fmt: skip


def _inline_view(node: Node, offset: int, tables: Tables) -> int:
    try:
        return tables.view(parse_view(node.text, offset))
    except (ValueError, TilewrightError) as error:
        raise node.error(str(error)) from None


def _steps(engine: str, entry: Channel | Region, steps: Sequence[Node | None]) -> tuple[bool, bool]:
    begin = end = False
    for step in steps:
        assert step is not None
        word = step.child(0).text
        if isinstance(entry, Region):
            raise step.error(f"found {word}, expected none: @{entry.name} is a region")
        produces = entry.producer == engine
        if (word in ("acquire", "commit")) != produces:
            role = "produces" if produces else "consumes"
            wanted = "acquire or commit" if produces else "wait or release"
            raise step.error(f"found {word}, expected {wanted}: {engine} {role} @{entry.name}")
        if word in ("acquire", "wait"):
            if begin or end:
                raise step.error(f"found {word}, expected it once and first")
            begin = True
        else:
            if end:
                raise step.error(f"found {word}, expected it once")
            end = True
    return begin, end


def _register(token: Node) -> int:
    letter, digits = token.text[0], token.text[1:]
    low, count = (COUNTER_LOW, COUNTERS) if letter == "c" else (0, REGISTERS)
    if letter in "rc" and digits.isdigit() and int(digits) < count:
        return low + int(digits)
    raise token.error(
        f"found {token.text}, expected r0 to r{REGISTERS - 1} or c0 to c{COUNTERS - 1}"
    )


def _field(row: Instruction, field: Field, node: Node, tables: Tables) -> int:
    if field.kind == "constant":
        return _constant(node, tables)
    text = node.child(0).text if node.kind == "number" else node.text
    if node.kind == "place":
        return _symbol_field(row, field, node, tables)
    match field.kind:
        case "enum":
            if text in field.values:
                return field.values.index(text)
        case "destination" | "source" | "optional":
            if node.kind == "NAME":
                return _register(node)
        case "counter":
            if node.kind == "NAME" and text.startswith("c"):
                return _register(node) - COUNTER_LOW
        case _:
            if node.kind == "number" and text.lstrip("+-").isdigit():
                return int(text)
    raise node.error(f"found {text} for {field.name}, expected {_wanted(field)}")


def _symbol_field(row: Instruction, field: Field, node: Node, tables: Tables) -> int:
    """A field given by name: a channel's number, or a launch parameter's word."""
    name = symbol_name(node.child(0).text)
    if any(part is not None for part in node.children[1:]):
        raise node.error(f"found a view of @{name}, expected {_wanted(field)}")
    if field.kind == "channel" and name in tables.channels:
        return tables.channels[name][0]
    if (row.mnemonic, field.name) == PARAMETER_FIELD and name in tables.parameters:
        return tables.parameters[name].offset
    raise node.error(f"found @{name} for {field.name}, expected {_wanted(field)}")


def _wanted(field: Field) -> str:
    if field.kind == "enum":
        return " or ".join(field.values)
    return {
        "destination": "a register r0 to r15",
        "source": "a register r0 to r15 or c0 to c7",
        "optional": "a register r0 to r15 or c0 to c7",
        "counter": "a counter c0 to c7",
        "channel": "a declared channel",
    }.get(field.kind, "an integer")
