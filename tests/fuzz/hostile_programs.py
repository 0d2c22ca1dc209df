"""Programs with a wrong number that its place can hold: in instructions, views and tables."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any, TypeVar

from damage import HOSTILE_WORDS

from tilewright.backend.isa import BY_MNEMONIC, Ins, Program, View, decode, encode_all
from tilewright.backend.isa.field import OPERAND_PARTS

Entry = TypeVar("Entry")


def hostile_program(program: Program, rng: random.Random) -> Program:
    """One to three numbers are others. Raises TilewrightError where the tables know better."""
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(8):
            case 0 | 1 | 2 | 3:
                engine = rng.choice(list(program.engines))
                stream = decode(program.engines[engine])
                at = rng.randrange(len(stream))
                stream[at] = _instruction(stream[at], rng)
                program = replace(program, engines=program.engines | {engine: encode_all(stream)})
            case 4 | 5:
                program = replace(program, views=_one(program.views, _view, rng))
            case 6:
                program = replace(program, channels=_one(program.channels, _entry, rng))
            case _:
                table = rng.choice(("regions", "parameters"))
                changed = _one(getattr(program, table), _entry, rng)
                program = replace(program, **{table: changed})
    return program


def _number(value: int, rng: random.Random, most: int) -> int:
    """Another number: one beside it, small, the largest, or hostile."""
    near = (value + 1, value - 1, 2 * value, -value, value + 64, rng.randrange(8), most)
    return rng.choice((*near, rng.choice(HOSTILE_WORDS) & most))


def _instruction(ins: Ins, rng: random.Random) -> Ins:
    places = [*BY_MNEMONIC[ins.mnemonic].fields, *ins.operands]
    if not places:
        return Ins(rng.choice(list(BY_MNEMONIC)))
    place = rng.choice(places)
    if isinstance(place, str):
        part, operand = rng.choice(OPERAND_PARTS), ins.operands[place]
        value = getattr(operand, part.name)
        value = type(value)(min(max(_number(int(value), rng, part.largest), 0), part.largest))
        return replace(ins, operands=ins.operands | {place: replace(operand, **{part.name: value})})
    value = _number(ins.fields[place.name], rng, place.largest)
    value = min(max(value, place.smallest), place.largest)
    return replace(ins, fields=ins.fields | {place.name: value})


def _view(view: View, rng: random.Random) -> View:
    numbers = {"shape": (1 << 32) - 1, "strides": (1 << 39) - 1}
    name = rng.choice((*numbers, "offset"))
    if name == "offset":
        return replace(view, offset=_number(view.offset, rng, (1 << 39) - 1))
    values = list(getattr(view, name))
    axis = rng.randrange(len(values))
    values[axis] = _number(values[axis], rng, numbers[name])
    return replace(view, **{name: tuple(values)})


def _entry(entry: Any, rng: random.Random) -> Any:
    """A row of a table with another number."""
    names = [f.name for f in fields(entry) if isinstance(getattr(entry, f.name), int)]
    name = rng.choice(names)
    return replace(entry, **{name: _number(getattr(entry, name), rng, (1 << 63) - 1)})


def _one(entries: tuple[Entry, ...], change: Any, rng: random.Random) -> tuple[Entry, ...]:
    at = rng.randrange(len(entries))
    return (*entries[:at], change(entries[at], rng), *entries[at + 1 :])
