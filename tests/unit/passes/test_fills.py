"""How many slots a launch fills at most: ranges of parameters through arithmetic and loops."""

from __future__ import annotations

import pytest
from xdsl.parser import Parser

from tilewright.dialects import context
from tilewright.passes.fills import fills

PROGRAM = """
tg.scalar @rows : 0 to 128
tg.table @lengths : 4 x 0 to 32
stream.channel @c from ld to [vpu] : 1 slots of 64 in #tw.spm
stream.channel @word from vpu to [ld] : scalars 1 max 9
stream.channel @idle from ld to [vpu] : tokens 2 primed 1
func.func @work() {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c100 = arith.constant 100 : index
  %rows = tg.get @rows
  {count}
  scf.for %i = %c0 to %n step %c1 {{
    %s = stream.acquire @c on ld : memref<16xf32, #tw.spm>
    stream.commit %s
  }}
  func.return
}}
"""


@pytest.mark.parametrize(
    ("count", "most"),
    [
        ("%n = arith.addi %rows, %c5 : index", 133),
        ("%n = arith.subi %rows, %c100 : index", 28),
        ("%n = arith.subi %c100, %rows : index", 100),
        ("%n = arith.subi %c0, %c5 : index", 0),
        ("%n = arith.muli %rows, %c5 : index", 640),
        ("%n = arith.minsi %rows, %c5 : index", 5),
        ("%n = arith.maxsi %rows, %c100 : index", 128),
        ("%n = arith.shrui %rows, %c5 : index", 4),
        ("%n = tg.get @lengths[%c1]", 32),
        ("%n = stream.recv @word", None),
        ("%m = stream.recv @word\n%n = arith.addi %m, %c1 : index", None),
        ("%m = arith.subi %rows, %c100 : index\n%n = arith.shrui %m, %c1 : index", None),
    ],
)
def test_trips_come_from_ranges(count: str, most: int | None) -> None:
    module = Parser(context(), PROGRAM.format(count=count)).parse_module()
    assert fills(module) == {"c": most, "word": 0, "idle": 1}


def test_trips_of_loops_multiply_and_a_counter_has_a_range() -> None:
    text = PROGRAM.replace("%s = ", "scf.for %j = %c0 to %i step %c1 {{ %s = ", 1)
    text = text.replace("stream.commit %s", "stream.commit %s }}", 1)
    module = Parser(context(), text.format(count="%n = arith.minsi %rows, %c5 : index"))
    assert fills(module.parse_module())["c"] == 5 * 4
