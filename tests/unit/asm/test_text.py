"""What assembly looks like, and what its errors say."""

import textwrap
from pathlib import Path

import numpy as np
import pytest

from tilewright.backend.asm import AsmError, assemble, disassemble
from tilewright.backend.isa import (
    DEFAULT_OPCODES,
    Channel,
    Ins,
    Program,
    ProgramError,
    Region,
    channel,
    constant,
    decode,
    dense_view,
    encode_all,
    region,
)

# ruff: noqa: E501 - assembly puts an instruction on one line
TABLES = """\
kv_block 8
meta {"model": "toy"}
words 5 -6
parameter @rows at 2 of 1 : 0 to 8
channel @w from ld to [mxu] : slot 4 of 1280 in spm at 64
channel @s from mxu to [vpu, st] : slot 2 of 512 in acc at 0
channel @done from st to [ld] : token 1 primed 1
channel @count from vpu to [ld] : scalar 2 of 64 in spm at 4096 max 6
region @x : input in hbm at 0 of 1024
region @"row max" : local in spm at 8192 of 640 on vpu
"""

ENTRY = (
    TABLES
    + """
engine ld {
  ldp r0, word=@rows
  li r1, -123
  sync wait, @done
  pop r2, @count, offset=4
  loop c0, count=r2  // blk.{l}.ffn_down
    loop c1, trips=5
      copy @w[0]<4x64 f32> acquire commit, @x[128 + r1]<4x64 f32>, axis0=r0  // blk.{l}.ffn_down
    next c1
  next c0
  fill @w(1)[0]<4x64 f32>, -1e+30
  halt
}

engine mxu {
  mm @s[0]<4x64 f32> acquire commit, @w[0]<4x512 bf16>, @w[0]<512x64 q4_1 kn, [1280, 64]> wait release, m=r0
  halt
}

engine vpu {
  vec dst=@"row max"[0]<4x1 f32>, red=@"row max"[64]<4x1 f32>, a=@s[0]<4x64 f32, [0, 4]> wait, b=0.125, c=@"row max"[0 + c0]<4x64 f32, [4, 0]>, f=exp, rop=max, step=1, cols=r1, hi=r3, fill=-1e+30
  vsel @"row max"[0]<4x1 f32>, 1.0, @s[0]<4x64 f32>, 0.0
  halt
}
"""
)


def body(line: str, engine: str = "ld") -> str:
    """A text with one instruction, on line 13."""
    return f"{TABLES}\nengine {engine} {{\n  {line}\n  halt\n}}\n"


def test_the_whole_text_of_an_entry() -> None:
    program = assemble(ENTRY)
    assert disassemble(program) == ENTRY
    assert (program.kv_block, program.meta) == (8, {"model": "toy"})
    assert program.words.tolist() == [5, -6]
    assert program.locations == {"ld": ["", "", "", "", *["blk.{l}.ffn_down"] * 1, "",
                                        "blk.{l}.ffn_down", "", "", "", ""]}  # fmt: skip
    assert [v.format for v in program.views] == ["f32", "f32", "bf16", "q4_1", *["f32"] * 4]
    assert program.constants.tolist() == [np.float32(-1e30), 0.125, 1.0, 0.0]
    assert decode(program.engines["ld"])[0] == Ins("ldp", {}, {"rd": 0, "ra": 31, "word": 2})


def test_free_spelling_means_the_same() -> None:
    plain = assemble(ENTRY)
    loose = ENTRY.replace("  ", "\t ").replace("\n\n", "\n# nothing here\n\n  # nor here\r\n")
    loose = loose.replace("word=@rows", "word = 2").replace(", axis0=r0", ",   axis0 =r0")
    loose = loose.replace("-1e+30", "-1e30").replace("[1280, 64]", "[1280 64]")
    again = assemble(loose.replace("halt", "halt # the end"))
    assert disassemble(again) == disassemble(plain)


def test_another_opcode_map() -> None:
    opcodes = {name: 255 - number for name, number in DEFAULT_OPCODES.items()}
    program = assemble(ENTRY, opcodes)
    assert int(program.engines["ld"][0, 0]) & 255 == 255 - DEFAULT_OPCODES["ldp"]
    assert disassemble(program, opcodes) == ENTRY


def test_tables_that_the_instructions_do_not_number_are_declared() -> None:
    view = dense_view("f32", (4,), 8)
    stream = [
        Ins("fill", {"dst": region(0, 2), "value": constant(2)}),
        Ins("fill", {"dst": region(0, 0), "value": constant(0)}),
    ]
    program = Program(
        engines={"ld": encode_all(stream)},
        views=(view, dense_view("u8", (1,)), view),
        constants=np.array([1, 2, 1], np.float32),
        regions=(Region("x", "hbm", 0, 64, "state"),),
    )
    text = disassemble(program)
    assert text.splitlines()[1:] == [
        "view v0 at 8 <4 f32>",
        "view v1 at 0 <1 u8>",
        "view v2 at 8 <4 f32>",
        "constant k0 1.0",
        "constant k1 2.0",
        "constant k2 1.0",
        "",
        "engine ld {",
        "  fill @x[v2], k2",
        "  fill @x[8]<4 f32>, 1.0",
        "}",
    ]
    again = assemble(text)
    assert np.array_equal(again.engines["ld"], program.engines["ld"])
    assert again.views == program.views


@pytest.mark.parametrize(
    ("line", "engine", "error"),
    [
        ("jump r1", "ld", "13:3: found instruction 'jump', expected one of li, alu, ldp"),
        ("li r1 5", "ld", "13:9: found '5', expected , or // and a location or = or end of line"),
        ("li r16, 5", "ld", "13:6: found r16, expected r0 to r15 or c0 to c7"),
        ("li c0, 5", "ld", r"13:3: li rd = 16: wanted 0\.\.15"),
        ("li 5, 5", "ld", "13:6: found 5 for rd, expected a register r0 to r15"),
        ("li r1, r2", "ld", "13:10: found r2 for imm, expected an integer"),
        ("li r1, 1.5", "ld", "13:10: found 1.5 for imm, expected an integer"),
        ("li r1, 9223372036854775808", "ld", "13:3: li imm = 9223372036854775808: wanted"),
        ("li r1, 5, 6", "ld", "13:13: li has no more positional operands; name this one"),
        ("li r1", "ld", "13:3: li needs field 'imm', value"),
        ("alu div, r1, r2", "ld", "13:7: found div for fn, expected add or sub or mul"),
        ("next r1", "ld", "13:8: found r1 for counter, expected a counter c0 to c7"),
        ("ldp r1, word=@none", "ld", "13:16: found @none for word, expected an integer"),
        ("pop r1, @x", "ld", "13:11: found @x for channel, expected a declared channel"),
        ("pop r1, @w[0]", "ld", "13:11: found a view of @w, expected a declared channel"),
        ("copy @y[0]<4 f32>", "ld", "13:8: found @y, expected a channel or region; declared are w"),
        ("copy @x", "ld", "13:8: @x has no view; expected one such as <4x8 f32> after it"),
        ("copy @x[0]<4 f64>", "ld", "13:13: view format 'f64': known are f32"),
        ("copy @x[0]<4>", "ld", "13:13: found <4>, expected a view such as <512x64 q4_1 kn"),
        ("copy @x[0]<32x16 q4_1>", "ld", "13:13: <32x16 q4_1>: expected strides, as in"),
        ("copy @x[v0]", "ld", "13:11: found v0, expected a declaration of v0 above"),
        ("copy @x[0 + 5]<4 f32>", "ld", "13:15: found '5', expected a word"),
        ("copy @x[0]<4 f32> wait", "ld", "13:21: found wait, expected none: @x is a region"),
        ("copy @w[0]<4 u8> wait", "ld", "13:20: found wait, expected acquire or commit: ld prod"),
        ("copy @w[0]<4 u8> commit commit", "ld", "13:27: found commit, expected it once"),
        ("copy @w[0]<4 u8> commit acquire", "ld", "13:27: found acquire, expected it once and fi"),
        ("copy 1.0, @x[0]<4 f32>", "ld", "13:3: copy dst: a constant cannot stand here"),
        ("fill @x[0]<4 f32>, k0", "ld", "13:22: found k0, expected a declaration of k0 above"),
        ("vec f=@x[0]<4 f32>", "vpu", "13:9: found a view of @x, expected identity or neg"),
        ("vec fill=@x[0]<4 f32>", "vpu", "13:12: found a place, expected a number or a declared"),
        ("vec f=exp, f=exp", "vpu", "13:14: f is given twice"),
        ("vec g=exp", "vpu", "13:7: found 'g', expected one of dst, red, a, b, c, d, f, op"),
        ("li r1, $", "ld", r"13:10: found '\$', expected a name such as @w or a"),
    ],
)
def test_errors_in_instructions(line: str, engine: str, error: str) -> None:
    where, text = error.split(": ", 1)
    at, column = where.split(":")
    with pytest.raises(AsmError, match=f"line {at}, column {column}: {text}") as caught:
        assemble(body(line, engine))
    assert (caught.value.line, caught.value.column) == (int(at), int(column))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("regio @x", "line 1, column 1: found 'regio', expected channel or constant or end of"),
        ("engine ld {\n  halt", "line 2, column 7: found end of text, expected"),
        ("region @x : heap in hbm at 0 of 4", "1, column 1: region: region 'x': role 'heap'"),
        ("region @x : input in hbm at a of 4", "column 29: found 'a', expected an integer"),
        ("view v1 at 0 <4 f32>", "line 1, column 1: view: found v1, expected v0"),
        ("view v0 at 0 <4 f64>", "line 1, column 1: view: view format 'f64'"),
        ("constant k1 0.5", "line 1, column 1: constant: found k1, expected k0"),
        ("meta {", "line 1, column 1: meta: Expecting property name"),
        ("words 9223372036854775808", "line 1, column 1: words: Python int too large"),
        (TABLES + "region @w : input in hbm at 0 of 4", "line 11, column 1: region: w is declared"),
        (TABLES + "parameter @rows at 0 of 1 : 0 to 1", "line 11, column 1: parameter: rows is"),
        ("engine ld {\n}\nengine ld {\n}", "line 3, column 1: engine ld stands here twice"),
        ("engine gpu {\n}", "engine 'gpu' is of no known kind"),
    ],
)
def test_errors_in_tables(text: str, error: str) -> None:
    with pytest.raises(AsmError, match=error):
        assemble(text)


def test_words_that_point_outside_the_tables() -> None:
    program = Program(
        engines={"ld": encode_all([Ins("fill", {"dst": channel(0, 3), "value": constant(0)})])},
        channels=(Channel("w", "ld", ("mxu",), "slot", 1, 64, "spm"),),
    )
    with pytest.raises(ProgramError, match="view 3 is named, the program has 0 views"):
        disassemble(program)


def test_the_readme_shows_what_the_disassembler_prints() -> None:
    readme = (Path(__file__).parents[3] / "backend" / "asm" / "README.md").read_text("utf-8")
    block = readme[readme.index("    parameter") : readme.index("    }\n") + len("    }\n")]
    text = textwrap.dedent(block)
    assert disassemble(assemble(text)) == text
