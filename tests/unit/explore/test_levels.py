"""What the explorer's document holds: each line's op, what passes changed, instructions, sizes."""

import base64
import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.compiler.cli.explore import compiled
from tilewright.compiler.cli.timed_step import AskedStep
from tilewright.compiler.explore import document, render
from tilewright.compiler.explore.document import has_operands
from tilewright.compiler.explore.levels import changes
from tilewright.compiler.explore.record import located_lines
from tilewright.dialects.context import context

SAMPLES = Path(__file__).parents[3] / "samples"

NESTED = """\
builtin.module @m {
  func.func @m() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index loc("inner")
    scf.for %i = %c0 to %c1 step %c1 {
      scf.for %k = %c0 to %c1 step %c1 {
        %t = arith.addi %i, %k : index loc("sum")
      } loc("inner")
    } loc("blk.{l}.outer")
    func.return
  }
}
"""


def parsed(text: str) -> ModuleOp:
    return Parser(context(), text).parse_module()


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    sample = str(SAMPLES / "tiny-shakespeare")
    return document(
        compiled(AskedStep(sample, "tw-small", "decode", "48", None, None, None, chunk=8))
    )


def test_a_line_belongs_to_the_innermost_op_printed_on_it() -> None:
    lines = located_lines(parsed(NESTED))
    assert "\n".join(text for text, _ in lines) == str(parsed(NESTED))
    assert [op for _, op in lines] == [
        "", "", "", "inner", "blk.{l}.outer", "inner", "sum", "inner", "blk.{l}.outer", "", "", "",
    ]  # fmt: skip


def test_changes_are_counted_by_op() -> None:
    lines = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "")]
    assert changes([0, 1, 2], [0, 2, 3], lines) == {"x": [0, 1], "": [1, 0]}
    assert changes([0, 1], [0, 1], lines) == {}
    counted_anew = [("tile.load @a[%0] to %x", "x"), ("tile.load @a[%1] to %x_1", "x")]
    assert changes([0], [1], counted_anew) == {}


def test_dumps_follow_from_the_changes_that_are_told(found: dict[str, Any]) -> None:
    for passes in found["levels"]["entries"].values():
        assert passes[0]["name"] == "input"
        for before, after in pairwise(passes):
            grown = len(after["dump"]) - len(before["dump"])
            assert after["added"] - after["removed"] == grown
            assert after["summary"]
            added, removed = zip(*after["ops"].values(), strict=True) if after["ops"] else ((), ())
            assert (sum(added), sum(removed)) == (after["added"], after["removed"])


def test_every_level_has_lines_of_a_matmul(found: dict[str, Any]) -> None:
    op, lines = "blk.{l}.ffn_down", found["levels"]["lines"]
    for entry in ("prefill", "decode"):
        for row in found["levels"]["entries"][entry]:
            mine = [lines[n][0] for n in row["dump"] if lines[n][1] == op]
            assert mine, f"{entry}, {row['name']}: no line of {op}"
        engines = found["program"]["entries"][entry]["engines"]
        assert any(text.strip().startswith("mm ") for text, at in engines["mxu"] if at == op)


def test_ops_stand_in_the_order_of_the_program(found: dict[str, Any]) -> None:
    ops = found["about"]["ops"]["decode"]
    wanted = ["token_embd", "blk.{l}.attn_qkv", "blk.{l}.attention", "blk.{l}.ffn_down", "output"]
    assert [op for op in ops if op in wanted] == wanted


def test_scopes_and_declarations_are_no_ops(found: dict[str, Any]) -> None:
    for entry, ops in found["about"]["ops"].items():
        assert not {"blk", entry, "rows", "q_len", "blk.{l}.k_cache", "tokens", ""} & set(ops)
        assert {"blk.{l}.attn_norm", "blk.{l}.ffn_gate", "blk.{l}.ffn_gate_up"} <= set(ops)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("    mm @acc.begin, @a, @b", True), ("  loop 4", False), ("halt", False), ("}", False)],
)
def test_an_op_is_what_moves_or_computes(text: str, wanted: bool) -> None:
    assert has_operands(text) == wanted


def test_the_page_carries_the_document_and_nothing_from_elsewhere(found: dict[str, Any]) -> None:
    page = render(found)
    assert len(page.encode()) < 1 << 20
    start = page.index('id="data">') + len('id="data">')
    packed = base64.b64decode(page[start : page.index("</script>", start)])
    assert json.loads(gzip.decompress(packed)) == json.loads(json.dumps(found))
    for foreign in ('src="', "<link", "@import", "@DATA@", "@STYLE@"):
        assert foreign not in page.replace(page[start : start + len(packed)], "")
