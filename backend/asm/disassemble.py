"""Words to text: a whole entry, one line an instruction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np

from ..isa import (
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    DEFAULT_OPCODES,
    NO_REGISTER,
    Channel,
    Ins,
    Instruction,
    Operand,
    Parameter,
    Program,
    ProgramError,
    Region,
    View,
    decode,
    register_name,
)
from .text import PARAMETER_FIELD, constant_text, symbol_text, view_text

T = TypeVar("T")
Reference = tuple[Literal["view", "constant"], int]


def disassemble(program: Program, opcodes: Mapping[str, int] = DEFAULT_OPCODES) -> str:
    """The text of an entry. `assemble` gives the same words and tables back.

    Runs of white space in a location become one space, and an engine whose locations are all empty
    comes back without.
    """
    streams = {engine: decode(words, opcodes) for engine, words in program.engines.items()}
    printer = _Printer(program, streams)
    lines = [*_tables(program), *printer.declarations()]
    for engine, stream in streams.items():
        lines += ["", f"engine {engine} {{", *printer.body(engine, stream), "}"]
    return "\n".join(lines).lstrip("\n") + "\n"


def instruction_lines(
    program: Program, opcodes: Mapping[str, int] = DEFAULT_OPCODES
) -> dict[str, list[str]]:
    """Engine -> its instructions as `disassemble` spells them, indented, without locations."""
    streams = {engine: decode(words, opcodes) for engine, words in program.engines.items()}
    printer = _Printer(replace(program, locations={}), streams)
    return {engine: list(printer.body(engine, stream)) for engine, stream in streams.items()}


def references(engine_streams: Mapping[str, list[Ins]]) -> Iterator[Reference]:
    """Table entries in the order in which text names them; this order numbers inline entries."""
    for stream in engine_streams.values():
        for ins in stream:
            row = BY_MNEMONIC[ins.mnemonic]
            for operand in ins.operands.values():
                yield ("constant" if operand.kind == CONSTANT else "view", operand.view)
            for field in row.fields:
                if field.kind == "constant" and _is_printed(ins, row, field.name):
                    yield ("constant", ins.fields[field.name])


def _is_printed(ins: Ins, row: Instruction, name: str) -> bool:
    """A field is printed where it differs from its default; a band's fill always."""
    field = row.field(name)
    if field.kind == "constant" and {"lo", "hi"} <= ins.fields.keys():
        has_band = (ins.fields["lo"], ins.fields["hi"]) != (NO_REGISTER, NO_REGISTER)
        return has_band or ins.fields[name] != field.default
    return ins.fields[name] != field.default


def _tables(program: Program) -> list[str]:
    lines = list[str]()
    if program.kv_block:
        lines.append(f"kv_block {program.kv_block}")
    if program.meta:
        lines.append(f"meta {json.dumps(program.meta, sort_keys=True)}")
    if len(program.words):
        lines.append("words " + " ".join(str(int(word)) for word in program.words))
    lines += map(_parameter, program.parameters)
    lines += map(_channel, program.channels)
    lines += map(_region, program.regions)
    return lines


def _parameter(p: Parameter) -> str:
    return f"parameter {symbol_text(p.name)} at {p.offset} of {p.count} : {p.lo} to {p.hi}"


def _channel(c: Channel) -> str:
    text = f"channel {symbol_text(c.name)} from {c.producer} to [{', '.join(c.consumers)}]"
    text += f" : {c.kind} {c.slots}"
    if c.kind != "token":
        text += f" of {c.slot_bytes} in {c.space} at {c.base}"
    if c.primed:
        text += f" primed {c.primed}"
    return text + (f" max {c.max}" if c.max else "")


def _region(r: Region) -> str:
    text = f"region {symbol_text(r.name)} : {r.role} in {r.memory} at {r.base} of {r.nbytes}"
    return text + (f" on {r.owner}" if r.owner else "")


class _Printer:
    """Spells instructions against a program's tables."""

    def __init__(self, program: Program, streams: Mapping[str, list[Ins]]) -> None:
        self.program = program
        self.bits = program.constants.view(np.uint32).tolist()
        named = list(references(streams))
        self.declares_views = not _is_in_order(
            [i for kind, i in named if kind == "view"], list(program.views)
        )
        self.declares_constants = not _is_in_order(
            [i for kind, i in named if kind == "constant"], self.bits
        )
        self.first_view = _first_index(program.views)
        self.first_constant = _first_index(self.bits)
        self.parameters = {p.offset: p.name for p in reversed(program.parameters)}

    def declarations(self) -> list[str]:
        """Tables whose numbering the instructions alone would not give back."""
        lines = list[str]()
        if self.declares_views:
            for number, view in enumerate(self.program.views):
                lines.append(f"view v{number} at {view.offset} {view_text(view)}")
        if self.declares_constants:
            for number, bits in enumerate(self.bits):
                lines.append(f"constant k{number} {constant_text(bits)}")
        return lines

    def body(self, engine: str, stream: list[Ins]) -> Iterator[str]:
        """The lines of one engine, indented by loops."""
        locations = self.program.locations.get(engine, [""] * len(stream))
        depth = 1
        for ins, location in zip(stream, locations, strict=True):
            depth -= ins.mnemonic == "next" and depth > 1
            comment = " ".join(location.split())
            line = f"{ins.mnemonic} {', '.join(self.items(engine, ins))}".rstrip()
            yield "  " * depth + line + (f"  // {comment}" if comment else "")
            depth += ins.mnemonic == "loop"

    def items(self, engine: str, ins: Ins) -> Iterator[str]:
        """Operands, then fields: required ones by position, the others by name."""
        row = BY_MNEMONIC[ins.mnemonic]
        by_name = any(spec.optional for spec in row.operands)
        for name, operand in ins.operands.items():
            text = self.operand(engine, operand)
            yield f"{name}={text}" if by_name else text
        for field in row.fields:
            if field.default is None:
                yield self.field(row, field.name, ins.fields[field.name])
            elif _is_printed(ins, row, field.name) or self.names_parameter(row, ins, field.name):
                yield f"{field.name}={self.field(row, field.name, ins.fields[field.name])}"

    def operand(self, engine: str, operand: Operand) -> str:
        """A place with its view and channel steps, or a constant."""
        if operand.kind == CONSTANT:
            return self.constant(operand.view)
        entry: Channel | Region
        if operand.kind == CHANNEL:
            entry = _at(self.program.channels, operand.id, "channel")
        else:
            entry = _at(self.program.regions, operand.id, "region")
        view = _at(self.program.views, operand.view, "view")
        register = "" if operand.reg == NO_REGISTER else f" + {register_name(operand.reg)}"
        age = f"({operand.age})" if operand.age else ""
        if self.first_view[view] == operand.view:
            text = f"{symbol_text(entry.name)}{age}[{view.offset}{register}]{view_text(view)}"
        else:
            text = f"{symbol_text(entry.name)}{age}[v{operand.view}{register}]"
        produces = isinstance(entry, Channel) and entry.producer == engine
        if operand.begin:
            text += " acquire" if produces else " wait"
        if operand.end:
            text += " commit" if produces else " release"
        return text

    def constant(self, index: int) -> str:
        """The constant's value, or `k3` where an earlier entry has the same bits."""
        bits = _at(self.bits, index, "constant")
        return constant_text(bits) if self.first_constant[bits] == index else f"k{index}"

    def names_parameter(self, row: Instruction, ins: Ins, name: str) -> bool:
        """True for a field that holds the word of a launch parameter."""
        return (row.mnemonic, name) == PARAMETER_FIELD and ins.fields[name] in self.parameters

    def field(self, row: Instruction, name: str, value: int) -> str:
        """A field's value."""
        field = row.field(name)
        match field.kind:
            case "enum":
                return field.values[value]
            case "destination" | "source" | "optional":
                return register_name(value)
            case "counter":
                return f"c{value}"
            case "channel":
                return symbol_text(_at(self.program.channels, value, "channel").name)
            case "constant":
                return self.constant(value)
            case _:
                if (row.mnemonic, name) == PARAMETER_FIELD and value in self.parameters:
                    return symbol_text(self.parameters[value])
                return str(value)


def _at(table: Sequence[T], index: int, what: str) -> T:
    """A table entry; ProgramError where the program has none of that number."""
    if index >= len(table):
        raise ProgramError(f"{what} {index} is named, the program has {len(table)} {what}s")
    return table[index]


def _is_in_order(named: list[int], table: Sequence[View | int]) -> bool:
    """True when naming entries by value, in this order, rebuilds the table with its numbers."""
    first_uses = list(dict.fromkeys(named))
    return first_uses == list(range(len(table))) and len(set(table)) == len(table)


def _first_index(table: Sequence[T]) -> dict[T, int]:
    return {value: index for index, value in reversed(list(enumerate(table)))}
