"""Which op changed and why, on reports written by hand."""

from dataclasses import replace

import pytest

from tilewright.backend.errors import TilewrightError
from tilewright.runtime.timing.compare import Change, compare, ratio
from tilewright.runtime.timing.report import StepReport

OPS = {
    "ld": {
        "attention": {"memory": 60, "issue": 10, "room @kv": 30},
        "output": {"room @weights": 90, "memory": 10},
    },
    "mxu": {
        "attention": {"wait @kv": 80, "matmul": 20},
        "output": {"matmul": 70, "wait @weights": 20},
        "": {"done": 10},
    },
}
REPORT = StepReport(
    model="m", machine="tw-1", policy="bf16", formats={}, digest="d", phase="decode",
    sequences=((9, 1),), launches=(200,), bytes={"read": 100, "written": 10, "bursts": 128},
    memory_picoseconds=70, instructions={"ld": 3, "mxu": 4}, ops=OPS,
    joules={"hbm": 1.0, "idle": 2.0}, bound=None,
)  # fmt: skip
FASTER = replace(
    REPORT,
    launches=(170,),
    ops={
        "ld": OPS["ld"] | {"attention": {"memory": 35, "issue": 5, "room @kv": 30}},
        "mxu": OPS["mxu"] | {"attention": {"wait @kv": 45, "matmul": 20, "room @scores": 5}},
    },
    joules={"hbm": 0.5, "idle": 1.7},
)


def test_the_op_that_changed_says_why() -> None:
    attention, output, between = compare(REPORT, FASTER).ops
    assert (attention.op, attention.before, attention.after) == ("attention", 100, 70)
    assert attention.waited == Change("mxu", "wait @kv", -35)
    assert attention.binds == Change("ld", "memory", -25)
    assert (output.before, output.after, output.waited, output.binds) == (90, 90, None, None)
    assert (between.op, between.before, between.after) == ("", 10, 10)


def test_ops_add_up_to_the_step_in_both_orders() -> None:
    for a, b in ((REPORT, FASTER), (FASTER, REPORT)):
        found = compare(a, b)
        assert sum(op.before for op in found.ops) == a.picoseconds
        assert sum(op.after for op in found.ops) == b.picoseconds
    assert compare(FASTER, REPORT).ops[0].waited == Change("mxu", "wait @kv", 35)


def test_an_op_of_one_side_alone() -> None:
    bare = replace(REPORT, launches=(100,), ops={"mxu": {"norm": {"matmul": 100}}})
    found = compare(REPORT, bare)
    assert [op.op for op in found.ops] == ["attention", "output", "", "norm"]
    assert [(op.before, op.after) for op in found.ops][-1] == (0, 100)
    assert found.ops[-1].waited == Change("mxu", "matmul", 100)
    assert found.to_dict()["ops"][-1]["ratio"] is None


def test_as_json() -> None:
    values = compare(REPORT, FASTER).to_dict()
    assert values["picoseconds"] == [200, 170]
    assert values["ratio"] == ratio(200, 170) == 0.85
    assert values["joules"] == {"hbm": [1.0, 0.5], "idle": [2.0, 1.7]}
    assert values["joules_total"] == [3.0, 2.2]
    assert values["ops"][0] == {
        "op": "attention",
        "before": 100,
        "after": 70,
        "ratio": 0.7,
        "waited": {"engine": "mxu", "cause": "wait @kv", "picoseconds": -35},
        "binds": {"engine": "ld", "cause": "memory", "picoseconds": -25},
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(REPORT, sequences=((8, 1),)), "A is a decode of 1 token behind 9 and B a decode"),
        (replace(REPORT, phase="prefill"), "B a prefill of 1 token behind 9, .* the same --phase"),
        (replace(REPORT, ops={"vpu": OPS["mxu"]}), "B has no engine mxu, only vpu"),
    ],
)
def test_what_cannot_be_compared(other: StepReport, message: str) -> None:
    with pytest.raises(TilewrightError, match=message):
        compare(REPORT, other)
