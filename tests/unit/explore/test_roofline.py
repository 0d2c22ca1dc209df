"""Points under the roofs of a launch made by hand, and entries that are no steps."""

from dataclasses import replace

import small

from tilewright.compiler.explore.roofline import roofline
from tilewright.compiler.explore.steps import step_sections
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.timing.report import report_of

ROWS, K, COLUMNS = 4, 8, 16
OP = "blk.{l}.ffn_down"


def test_a_point_has_the_work_of_its_op() -> None:
    """A product of float32 takes phases, but its multiply-adds count once."""
    b = Builder()
    a = b.region("a", "spm", 0, 4 * ROWS * K, "local", "mxu")
    w = b.region("w", "spm", 1024, 4 * K * COLUMNS, "local", "mxu")
    acc = b.region("acc", "acc", 0, 4 * ROWS * COLUMNS, "local", "mxu")
    b.emit("mxu", "mm", acc=b.dense(acc, "f32", ROWS, COLUMNS), a=b.dense(a, "f32", ROWS, K),
           b=b.dense(w, "f32", COLUMNS, K))  # fmt: skip
    program = replace(b.program(), locations={"mxu": [OP, OP]})
    image = replace(small.image(), entries={"decode": program})
    step = small.step(2)
    report = replace(report_of(small.image(), step), ops={"mxu": {OP: {"matmul": 70, "scalar": 5}}})
    found = roofline(image, small.MACHINE, step, report)
    (point,) = found["points"]
    assert (point["op"], point["picoseconds"]) == (OP, 75)
    assert point["macs"] == len(step.parameters) * ROWS * K * COLUMNS
    assert point["pairs"] == {"f32 x f32": point["macs"]}
    assert (point["bytes"], point["read"], point["written"]) == (0, 0, 0)
    (roof,) = found["roofs"]
    peak = small.MACHINE.multipliers * small.MACHINE.clock_hz
    assert roof["formats"] == "f32 x f32"
    assert 0 < roof["macs_per_second"] < peak
    assert found["bytes_per_second"] == small.MACHINE.hbm_bytes_per_second


def test_an_entry_that_is_no_step_says_so() -> None:
    image = replace(small.image(), entries={"load": small.program()})
    assert step_sections(image) == {
        "load": {"untimed": "entry load is no step: decode and prefill are timed"}
    }


def test_a_decode_that_takes_no_sequences_says_so() -> None:
    found = step_sections(small.image(), [9])
    assert found == {"decode": {"untimed": "no parameter named 'rows'; this program has: none"}}
