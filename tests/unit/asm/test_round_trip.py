"""Words to text to words, over random programs of every instruction."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.backend.asm import assemble, disassemble
from tilewright.backend.asm.text import constant_bits, constant_text, parse_view, view_text
from tilewright.backend.isa import (
    INSTRUCTIONS,
    NO_REGISTER,
    VIEW_FORMATS,
    Channel,
    Ins,
    Instruction,
    Operand,
    Parameter,
    Program,
    Region,
    View,
    channel,
    constant,
    contiguous_strides,
    encode_all,
    region,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
ENGINES = ("ld", "ld1", "st", "mxu", "vpu")
NAMES = ("w", "a.b-c$1", "two words", "ünder", "9", "r0", "wait")
WORDS = st.integers(-(1 << 63), (1 << 63) - 1)
OFFSETS = st.one_of(st.integers(0, 200), st.integers(-(1 << 39), (1 << 39) - 1))


@st.composite
def views(draw: Draw) -> View:
    """Any view: dense with any strides, or packed."""
    fmt = draw(st.sampled_from(VIEW_FORMATS))
    order = draw(st.sampled_from(("", "kn", "nk")))
    if order or fmt not in ("f32", "f16", "bf16", "i32", "i8", "u8"):
        shape, strides = draw(st.tuples(st.integers(0, 99), st.integers(0, 99))), (40, 16)
        return View(fmt, shape, strides, order or "kn", draw(OFFSETS))
    shape = tuple(draw(st.lists(st.integers(0, 70), min_size=1, max_size=5)))
    plain = contiguous_strides(fmt, shape)
    inner = draw(st.sampled_from((0, plain[-1])))
    strides = draw(st.sampled_from((plain, (*(-s for s in plain[:-1]), inner))))
    return View(fmt, shape, strides, "", draw(OFFSETS))


@st.composite
def instructions(draw: Draw, row: Instruction, sizes: dict[str, int]) -> Ins:
    """Any instruction of a row that refers to tables of these sizes."""
    operands = dict[str, Operand]()
    for spec in row.operands:
        if spec.optional and draw(st.booleans()):
            continue
        reg = draw(st.sampled_from((0, 15, 16, 23, NO_REGISTER)))
        index = draw(st.integers(0, sizes["views"] - 1))
        kinds = [0] if not spec.spaces else [0, 1, 2] if spec.allows_constant else [1, 2]
        match draw(st.sampled_from(kinds)):
            case 0:
                operands[spec.name] = constant(draw(st.integers(0, sizes["constants"] - 1)))
            case 1:
                number = draw(st.integers(0, sizes["channels"] - 1))
                age, ends = draw(st.integers(0, 7)), (draw(st.booleans()), draw(st.booleans()))
                operands[spec.name] = channel(number, index, age, reg, *ends)
            case _:
                operands[spec.name] = region(draw(st.integers(0, 1)), index, reg)
    fields = dict[str, int]()
    for f in row.fields:
        most = {"constant": sizes["constants"] - 1, "channel": sizes["channels"] - 1}
        value = st.integers(f.smallest, most.get(f.kind, f.largest))
        if f.default is not None:
            value = st.one_of(st.just(f.default), value)
        fields[f.name] = draw(value)
    return Ins(row.mnemonic, operands, fields)


@st.composite
def programs(draw: Draw) -> Program:
    """Any program: tables with duplicates and unused entries, engines with any instructions."""
    names = draw(st.permutations(NAMES))
    channels = tuple(
        Channel(name, draw(st.sampled_from(("ld", "vpu"))), ("mxu", "st"), "slot",
                draw(st.integers(1, 9)), 64, "spm", 0, 0, draw(st.integers(0, 3)))
        for name in names[: draw(st.integers(1, 4))]
    )  # fmt: skip
    token = Channel("t", "st", ("ld",), "token", 3, primed=draw(st.integers(0, 3)))
    regions = (Region(names[4], "hbm", 0, 64, "state"), Region(names[5], "spm", 64, 8, "local",
               draw(st.sampled_from(("", "vpu")))))  # fmt: skip
    sizes = {"views": draw(st.integers(1, 4)), "constants": draw(st.integers(1, 4)),
             "channels": len(channels) + 1}  # fmt: skip
    bits = st.one_of(st.integers(0, (1 << 32) - 1), st.just(0x3F800000))
    engines, locations = dict[str, list[Ins]](), dict[str, list[str]]()
    for engine in draw(st.permutations(ENGINES))[: draw(st.integers(0, 3))]:
        rows = draw(st.lists(st.sampled_from(INSTRUCTIONS), max_size=5))
        engines[engine] = [draw(instructions(row, sizes)) for row in rows]
        located = ["blk.{l}.ffn // \\n # 'x'" if draw(st.booleans()) else "" for _ in rows]
        if any(located):
            locations[engine] = located
    return Program(
        engines={name: encode_all(stream) for name, stream in engines.items()},
        views=tuple(draw(st.lists(views(), min_size=sizes["views"], max_size=sizes["views"]))),
        constants=np.array(
            draw(st.lists(bits, min_size=sizes["constants"], max_size=sizes["constants"])),
            np.uint32,
        ).view(np.float32),
        channels=(*channels, token),
        regions=regions,
        parameters=(Parameter("p q", 0, 1, -5, 5), Parameter("len", 7, 4, 0, 9)),
        words=np.array(
            draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=3)), np.int64
        ),
        locations=locations,
        kv_block=draw(st.sampled_from((0, 16))),
        meta=draw(st.sampled_from(({}, {"shape": [1, 2], "note": "# {} //"}))),
    )


@settings(max_examples=150, deadline=None)
@given(programs())
def test_words_to_text_to_words(program: Program) -> None:
    text = disassemble(program)
    again = assemble(text)
    assert list(again.engines) == list(program.engines)
    for engine, words in program.engines.items():
        assert np.array_equal(again.engines[engine], words)
    assert again.views == program.views
    assert again.constants.tobytes() == program.constants.tobytes()
    assert disassemble(again) == text
    assert again.tables() == program.tables()


@settings(max_examples=300)
@given(st.integers(0, (1 << 32) - 1))
def test_every_constant_round_trips(bits: int) -> None:
    assert constant_bits(constant_text(bits)) == bits


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (0x3F800000, "1.0"), (0x80000000, "-0.0"), (0x7F800000, "inf"), (0xFF800000, "-inf"),
        (0x7FC00000, "nan(0x7fc00000)"), (0x3DCCCCCD, "0.1"), (1, "1e-45"),
        (0x7F7FFFFF, "3.4028235e+38"), (0xF149F2CA, "-1e+30"),
    ],
)  # fmt: skip
def test_constants_are_short(bits: int, text: str) -> None:
    assert constant_text(bits) == text
    assert constant_bits(text) == bits


@given(views())
def test_every_view_round_trips(view: View) -> None:
    assert parse_view(view_text(view), view.offset) == view
