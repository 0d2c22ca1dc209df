"""Every row of the instruction table: round trips, ranges, unknown words, other opcode maps."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tilewright.backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    DEFAULT_OPCODES,
    INSTRUCTIONS,
    NO_REGISTER,
    EncodingError,
    Ins,
    Instruction,
    Operand,
    channel,
    complete,
    constant,
    decode,
    encode,
    encode_all,
    extract,
    loop_pairs,
    operand_low,
    region,
)
from tilewright.backend.isa.field import FUNCTION_LOW, OPERAND_LOW, OPERAND_PARTS, WORD_BITS

ROWS = pytest.mark.parametrize("row", INSTRUCTIONS, ids=lambda row: row.mnemonic)


def with_fields(row: Instruction, largest: bool) -> Ins:
    """An instruction of every operand and field at one end of its range."""
    big = Operand(CHANNEL, 255, 1023, 7, 23, True, True)
    small = region(0, 0, reg=0)
    operands = {
        spec.name: constant(1023 if largest else 0)
        if not spec.spaces
        else (big if largest else small)
        for spec in row.operands
    }
    fields = {f.name: f.largest if largest else f.smallest for f in row.fields}
    return Ins(row.mnemonic, operands, fields)


@ROWS
@pytest.mark.parametrize("largest", [False, True])
def test_round_trip_at_the_ends_of_every_range(row: Instruction, largest: bool) -> None:
    ins = with_fields(row, largest)
    assert decode(encode(ins)[None]) == [ins]


@ROWS
def test_each_field_alone_round_trips_and_stays_in_its_bits(row: Instruction) -> None:
    base = with_fields(row, largest=False)
    for f in row.fields:
        ins = Ins(row.mnemonic, base.operands, base.fields | {f.name: f.largest})
        word = encode(ins)
        assert decode(word[None]) == [ins]
        changed = word ^ encode(base)
        bits = [b for b in range(WORD_BITS) if int(changed[b // 64]) >> (b % 64) & 1]
        assert all(f.low <= b <= f.high for b in bits)
        assert extract(word[None], f.low, f.width, f.kind == "signed").tolist() == [f.largest]


@ROWS
def test_too_large_and_too_small_values_are_refused_by_name(row: Instruction) -> None:
    base = with_fields(row, largest=False)
    for f in row.fields:
        for value in (f.largest + 1, f.smallest - 1, 1 << 80):
            with pytest.raises(EncodingError) as caught:
                encode(Ins(row.mnemonic, base.operands, base.fields | {f.name: value}))
            assert str(caught.value) == f"{row.mnemonic} {f.name} = {value}: wanted {f.wanted}"


@ROWS
def test_optional_registers_accept_none(row: Instruction) -> None:
    base = with_fields(row, largest=False)
    for f in row.fields:
        if f.kind == "optional":
            ins = Ins(row.mnemonic, base.operands, base.fields | {f.name: NO_REGISTER})
            assert decode(encode(ins)[None]) == [ins]


@ROWS
def test_too_large_operand_parts_are_refused_by_name(row: Instruction) -> None:
    base = with_fields(row, largest=True)
    for spec in (s for s in row.operands if s.spaces):
        for part in (p for p in OPERAND_PARTS if p.width > 1 and p.name not in ("kind", "reg")):
            wide = replace(base.operands[spec.name], **{part.name: part.largest + 1})
            text = f"{row.mnemonic} {spec.name}.{part.name} = {part.largest + 1}: wanted"
            with pytest.raises(EncodingError, match=text):
                encode(Ins(row.mnemonic, base.operands | {spec.name: wide}, base.fields))
        for reg in (24, 30, 32):
            wide = replace(base.operands[spec.name], reg=reg)
            with pytest.raises(EncodingError, match=rf"{spec.name}\.reg = {reg}: wanted"):
                encode(Ins(row.mnemonic, base.operands | {spec.name: wide}, base.fields))


@ROWS
def test_names_defaults_and_required_parts(row: Instruction) -> None:
    base = with_fields(row, largest=False)
    with pytest.raises(EncodingError, match="has no operand 'nothing'"):
        encode(Ins(row.mnemonic, base.operands | {"nothing": Operand()}, base.fields))
    with pytest.raises(EncodingError, match="has no field 'nothing'"):
        encode(Ins(row.mnemonic, base.operands, base.fields | {"nothing": 0}))
    for f in row.fields:
        rest = Ins(row.mnemonic, base.operands, {k: base.fields[k] for k in base.fields} | {})
        del rest.fields[f.name]
        if f.default is None:
            with pytest.raises(EncodingError, match=f"needs field '{f.name}'"):
                encode(rest)
        else:
            assert complete(rest).fields[f.name] == f.default
    for spec in row.operands:
        rest = Ins(row.mnemonic, dict(base.operands), base.fields)
        del rest.operands[spec.name]
        if spec.optional:
            assert decode(encode(rest)[None]) == [rest]
        else:
            with pytest.raises(EncodingError, match=f"needs operand '{spec.name}'"):
                encode(rest)
        if spec.spaces and not spec.allows_constant:
            wrong = base.operands | {spec.name: constant(0)}
            with pytest.raises(EncodingError, match="a constant cannot stand here"):
                encode(Ins(row.mnemonic, wrong, base.fields))


@ROWS
def test_fields_do_not_overlap_and_unused_bits_are_refused(row: Instruction) -> None:
    owner = dict.fromkeys(range(8), "opcode")
    ranges = [(f.name, f.low, f.width) for f in row.fields]
    for index, spec in enumerate(row.operands):
        known = (p for p in OPERAND_PARTS)
        ranges += [(f"{spec.name}.{p.name}", operand_low(index) + p.low, p.width) for p in known]
    for name, low, width in ranges:
        assert OPERAND_LOW <= low
        assert low + width <= WORD_BITS
        for bit in range(low, low + width):
            assert bit not in owner, f"{name} overlaps {owner[bit]}"
            owner[bit] = name
    for bit in (b for b in range(WORD_BITS) if b not in owner):
        word = encode(with_fields(row, largest=True))
        word[bit // 64] |= np.uint64(1 << (bit % 64))
        with pytest.raises(EncodingError, match=f"{row.mnemonic} has bit {bit} set; it is unused"):
            decode(word[None])


@ROWS
def test_a_shuffled_opcode_map_round_trips(row: Instruction) -> None:
    numbers = random.Random(7).sample(range(1, 256), len(INSTRUCTIONS))
    opcodes = dict(zip(DEFAULT_OPCODES, numbers, strict=True))
    ins = with_fields(row, largest=True)
    word = encode(ins, opcodes)
    assert int(word[0]) & 255 == opcodes[row.mnemonic]
    assert decode(word[None], opcodes) == [ins]
    assert decode(encode_all(decode(word[None], opcodes))) == [ins]


@ROWS
def test_every_row_is_documented(row: Instruction) -> None:
    assert row.summary.endswith(".")
    assert row.meaning.rstrip().endswith(".")
    assert row.duration
    assert all(f.doc for f in row.fields)
    assert all(s.doc for s in row.operands)
    assert sum(f.low >= FUNCTION_LOW for f in row.fields) or row.mnemonic == "halt"


@pytest.mark.parametrize("opcode", [0, 255])
def test_an_unknown_opcode_names_the_word(opcode: int) -> None:
    words = np.zeros((2, 4), np.uint64)
    words[0] = encode(Ins("halt"))
    words[1, 0] = opcode
    with pytest.raises(EncodingError, match=f"word 1: opcode {opcode} is unknown; the map"):
        decode(words)


def test_unknown_mnemonic_and_bad_opcode_maps() -> None:
    with pytest.raises(EncodingError, match="no instruction 'jump'; the table has li"):
        encode(Ins("jump"))
    with pytest.raises(EncodingError, match="the opcode map has no 'halt'"):
        encode(Ins("halt"), {"li": 1})
    with pytest.raises(EncodingError, match="halt opcode = 0: wanted"):
        encode(Ins("halt"), {"halt": 0})
    with pytest.raises(EncodingError, match="two mnemonics share an opcode"):
        decode(np.zeros((1, 4), np.uint64), {"li": 1, "halt": 1})
    with pytest.raises(EncodingError, match=r"words are uint64 \[n, 4\], found int64"):
        decode(np.zeros((1, 4), np.int64))  # pyright: ignore[reportArgumentType]


def test_operands_that_mean_nothing_are_refused() -> None:
    acc, b = channel(0, 0), channel(1, 1)
    for wrong, text in (
        (Operand(), "mm needs operand 'a'"),
        (Operand(0, id=3), "mm needs operand 'a'"),
        (Operand(4, 0, 0), r"mm a\.kind = 4: wanted 0\.\.3"),
        (Operand(2, 0, 0, age=1), "mm a: a region has no age, begin or end"),
        (Operand(2, 0, 0, begin=True), "mm a: a region has no age, begin or end"),
    ):
        with pytest.raises(EncodingError, match=text):
            encode(Ins("mm", {"acc": acc, "a": wrong, "b": b}))
    with pytest.raises(EncodingError, match="a constant has no id"):
        encode(Ins("vec", {"a": Operand(3, id=1)}))
    with pytest.raises(EncodingError, match="an absent operand has no other parts"):
        encode(Ins("vec", {"a": acc, "b": Operand(0, id=1)}))
    word = encode(Ins("vec", {"a": acc}))
    word[0] |= np.uint64(1 << (OPERAND_LOW + 3))  # dst.id without a kind
    with pytest.raises(EncodingError, match="word 0: vec dst: an absent operand"):
        decode(word[None])


def test_loops_pair_like_brackets() -> None:
    def loop(counter: int) -> Ins:
        return complete(Ins("loop", fields={"counter": counter, "trips": 2}))

    def end(counter: int) -> Ins:
        return Ins("next", fields={"counter": counter})

    good = [loop(0), loop(1), end(1), loop(1), end(1), end(0), Ins("halt")]
    assert loop_pairs(good) == {0: 5, 5: 0, 1: 2, 2: 1, 3: 4, 4: 3}
    for wrong, text in (
        ([loop(0)], "instruction 0: this loop has no next"),
        ([end(0)], "instruction 0: next c0 ends no loop of c0"),
        ([loop(0), end(1)], "instruction 1: next c1 ends no loop of c1"),
        ([loop(0), loop(0)], "instruction 1: c0 counts a loop around it"),
    ):
        with pytest.raises(EncodingError, match=text):
            loop_pairs(wrong)


def test_random_streams_round_trip() -> None:
    rng = random.Random(1)
    stream = [with_fields(rng.choice(INSTRUCTIONS), rng.random() < 0.5) for _ in range(300)]
    words = encode_all(stream)
    assert words.shape == (300, 4)
    assert decode(words) == stream
    assert np.array_equal(encode_all(decode(words)), words)
    assert [BY_MNEMONIC[i.mnemonic] for i in stream]
