"""Instructions to words and back, driven by the table.

`encode` and `decode` check every value against its field and name mnemonic, field, value and limit.
Bits that belong to no field are zero, so a word has one meaning and a meaning one word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import TilewrightError
from .field import (
    CONSTANT,
    COUNTERS,
    NO_REGISTER,
    NONE,
    OPCODE_BITS,
    OPERAND_BITS,
    OPERAND_LOW,
    OPERAND_PARTS,
    REGISTERS,
    Operand,
)
from .program import Words
from .row import Instruction
from .table import BY_MNEMONIC, DEFAULT_OPCODES


class EncodingError(TilewrightError):
    """An instruction that no word can say, or a word that is no instruction."""


@dataclass(frozen=True)
class Ins:
    """One instruction: operands by name (absent ones left out) and fields by name.

    A field left out has its table default. Enum fields hold the index of the value.
    """

    mnemonic: str
    operands: dict[str, Operand] = field(default_factory=dict[str, Operand])
    fields: dict[str, int] = field(default_factory=dict[str, int])


def complete(ins: Ins) -> Ins:
    """The instruction with every field present, in table order; checks names and ranges."""
    row = BY_MNEMONIC.get(ins.mnemonic)
    if row is None:
        raise EncodingError(
            f"no instruction '{ins.mnemonic}'; the table has {', '.join(BY_MNEMONIC)}"
        )
    return Ins(ins.mnemonic, _complete_operands(row, ins), _complete_fields(row, ins))


def encode(ins: Ins, opcodes: Mapping[str, int] = DEFAULT_OPCODES) -> npt.NDArray[np.uint64]:
    """The word of an instruction: uint64 [4]. EncodingError names what does not fit."""
    return encode_all([ins], opcodes)[0]


def encode_all(instructions: Sequence[Ins], opcodes: Mapping[str, int] = DEFAULT_OPCODES) -> Words:
    """The words of a stream: uint64 [n, 4]."""
    data = b"".join(_word(ins, opcodes).to_bytes(32, "little") for ins in instructions)
    return np.frombuffer(data, dtype="<u8").reshape(-1, 4).astype(np.uint64)


def decode(words: Words, opcodes: Mapping[str, int] = DEFAULT_OPCODES) -> list[Ins]:
    """The instructions of a stream, uint64 [n, 4], each complete. EncodingError names the word."""
    if words.ndim != 2 or words.shape[1] != 4 or words.dtype != np.uint64:
        raise EncodingError(f"words are uint64 [n, 4], found {words.dtype}{words.shape}")
    mnemonics = {opcode: mnemonic for mnemonic, opcode in opcodes.items()}
    if len(mnemonics) != len(opcodes):
        raise EncodingError("two mnemonics share an opcode; each needs its own")
    data = np.ascontiguousarray(words, dtype="<u8").tobytes()
    return [
        _instruction(int.from_bytes(data[at : at + 32], "little"), mnemonics, at // 32)
        for at in range(0, len(data), 32)
    ]


def extract(words: Words, low: int, width: int, signed: bool = False) -> npt.NDArray[np.int64]:
    """Bits [low, low + width) of every word as int64 [n]; the emulator's way to whole columns."""
    first, shift = divmod(low, 64)
    value = words[:, first] >> np.uint64(shift)
    if shift + width > 64:
        value = value | (words[:, first + 1] << np.uint64(64 - shift))
    if width == 64:
        return value.astype(np.int64)
    value = (value & np.uint64((1 << width) - 1)).astype(np.int64)
    if signed:
        value = np.where(value >> (width - 1) != 0, value - (1 << width), value)
    return value


def operand_low(index: int) -> int:
    """Lowest bit of operand field `index` (0 to 5)."""
    return OPERAND_LOW + OPERAND_BITS * index


def loop_pairs(instructions: Sequence[Ins]) -> dict[int, int]:
    """Index of each `loop` to that of its `next`, and back. EncodingError when unbalanced."""
    pairs, open_loops = dict[int, int](), list[int]()
    for pc, ins in enumerate(instructions):
        if ins.mnemonic == "loop":
            counter = ins.fields["counter"]
            if any(instructions[outer].fields["counter"] == counter for outer in open_loops):
                raise EncodingError(f"instruction {pc}: c{counter} counts a loop around it")
            open_loops.append(pc)
        elif ins.mnemonic == "next":
            counter = ins.fields["counter"]
            if not open_loops or instructions[open_loops[-1]].fields["counter"] != counter:
                raise EncodingError(f"instruction {pc}: next c{counter} ends no loop of c{counter}")
            start = open_loops.pop()
            pairs[start], pairs[pc] = pc, start
    if open_loops:
        raise EncodingError(f"instruction {open_loops[-1]}: this loop has no next")
    return pairs


def _refuse_unknown(
    row: Instruction, what: str, given: Iterable[str], known: Sequence[str]
) -> None:
    for name in given:
        if name not in known:
            raise EncodingError(
                f"{row.mnemonic} has no {what} '{name}'; it has {', '.join(known) or 'none'}"
            )


def _complete_operands(row: Instruction, ins: Ins) -> dict[str, Operand]:
    _refuse_unknown(row, "operand", ins.operands, [spec.name for spec in row.operands])
    out = dict[str, Operand]()
    for spec in row.operands:
        operand = ins.operands.get(spec.name, Operand())
        if operand.kind == NONE and not spec.optional:
            raise EncodingError(f"{row.mnemonic} needs operand '{spec.name}', {spec.doc}")
        if operand.kind == CONSTANT and not spec.allows_constant:
            raise EncodingError(f"{row.mnemonic} {spec.name}: a constant cannot stand here")
        _operand_bits(row.mnemonic, spec.name, operand)
        if operand.kind != NONE:
            out[spec.name] = operand
    return out


def _complete_fields(row: Instruction, ins: Ins) -> dict[str, int]:
    _refuse_unknown(row, "field", ins.fields, [f.name for f in row.fields])
    out = dict[str, int]()
    for f in row.fields:
        value = ins.fields.get(f.name, f.default)
        if value is None:
            raise EncodingError(f"{row.mnemonic} needs field '{f.name}', {f.doc}")
        if not f.accepts(value):
            raise EncodingError(f"{row.mnemonic} {f.name} = {value}: wanted {f.wanted}")
        out[f.name] = int(value)
    return out


def _operand_bits(mnemonic: str, name: str, operand: Operand) -> int:
    """The 32 bits of an operand field; EncodingError where a part does not fit its bits."""
    where = f"{mnemonic} {name}"
    bits = 0
    for part in OPERAND_PARTS:
        value = int(getattr(operand, part.name))
        largest = CONSTANT if part.name == "kind" else part.largest
        if not 0 <= value <= largest:
            raise EncodingError(f"{where}.{part.name} = {value}: wanted 0..{largest}")
        bits |= value << part.low
    if operand.reg >= REGISTERS + COUNTERS and operand.reg != NO_REGISTER:
        raise EncodingError(
            f"{where}.reg = {operand.reg}: wanted 0..{REGISTERS + COUNTERS - 1} or {NO_REGISTER}"
        )
    plain = Operand(operand.kind, view=operand.view)
    if operand.kind == CONSTANT and operand != plain:
        raise EncodingError(f"{where}: a constant has no id, age, register, begin or end")
    if operand.kind == NONE and operand != Operand():
        raise EncodingError(f"{where}: an absent operand has no other parts")
    region_only = operand.age == 0 and not operand.begin and not operand.end
    if operand.kind not in (NONE, CONSTANT) and operand.kind != 1 and not region_only:
        raise EncodingError(f"{where}: a region has no age, begin or end")
    return 0 if operand.kind == NONE else bits


def _word(ins: Ins, opcodes: Mapping[str, int]) -> int:
    full = complete(ins)
    row = BY_MNEMONIC[ins.mnemonic]
    opcode = opcodes.get(ins.mnemonic)
    if opcode is None:
        raise EncodingError(f"the opcode map has no '{ins.mnemonic}'")
    if not 0 < opcode < 1 << OPCODE_BITS:
        raise EncodingError(f"{ins.mnemonic} opcode = {opcode}: wanted 1..255")
    word = opcode
    for index, spec in enumerate(row.operands):
        operand = full.operands.get(spec.name)
        if operand is not None:
            word |= _operand_bits(row.mnemonic, spec.name, operand) << operand_low(index)
    for f in row.fields:
        word |= (full.fields[f.name] & ((1 << f.width) - 1)) << f.low
    return word


def _instruction(word: int, mnemonics: Mapping[int, str], number: int) -> Ins:
    mnemonic = mnemonics.get(word & ((1 << OPCODE_BITS) - 1))
    row = BY_MNEMONIC.get(mnemonic or "")
    if mnemonic is None or row is None:
        raise EncodingError(
            f"word {number}: opcode {word & 255} is unknown; the map has "
            f"{', '.join(f'{op} {name}' for op, name in sorted(mnemonics.items()))}"
        )
    rest = word >> OPCODE_BITS << OPCODE_BITS
    operands = dict[str, Operand]()
    for index, spec in enumerate(row.operands):
        low = operand_low(index)
        bits = (word >> low) & ((1 << OPERAND_BITS) - 1)
        if bits:
            operands[spec.name] = _operand(bits)
            known = sum(((1 << part.width) - 1) << part.low for part in OPERAND_PARTS)
            rest &= ~(known << low)
    fields = dict[str, int]()
    for f in row.fields:
        value = (word >> f.low) & ((1 << f.width) - 1)
        if f.kind == "signed" and value >> (f.width - 1):
            value -= 1 << f.width
        fields[f.name] = value
        rest &= ~(((1 << f.width) - 1) << f.low)
    if rest:
        raise EncodingError(
            f"word {number}: {mnemonic} has bit {(rest & -rest).bit_length() - 1} set; it is unused"
        )
    try:
        return complete(Ins(mnemonic, operands, fields))
    except EncodingError as error:
        raise EncodingError(f"word {number}: {error}") from None


def _operand(bits: int) -> Operand:
    part = {p.name: (bits >> p.low) & p.largest for p in OPERAND_PARTS}
    begin, end = bool(part.pop("begin")), bool(part.pop("end"))
    return Operand(**part, begin=begin, end=end)
