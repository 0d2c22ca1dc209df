"""What is said of a report made by hand: its gap by cause, what would help, the sentences."""

from dataclasses import replace
from typing import Any

import pytest
import small

from tilewright.compiler.explore.advice import MOST_HELP, advice
from tilewright.compiler.explore.experiments import Experiment
from tilewright.runtime.timing.report import StepBound, StepReport

ATTENTION, FFN = "blk.{l}.attention", "blk.{l}.ffn_down"
FLOORS = {"hbm": 50, "matrix": 120, "vector": 10, "dependencies": 0}
REPORT = StepReport(
    model="m", machine="tw-small", policy="bf16", formats={}, digest="", phase="decode",
    sequences=((7, 1),), launches=(200,), bytes={"read": 0, "written": 0, "bursts": 0},
    memory_picoseconds=0, instructions={},
    ops={
        "mxu": {
            ATTENTION: {"matmul": 60, "wait @ring": 30, "scalar": 10},
            FFN: {"matmul": 40, "room @back": 60},
        },
        "ld": {ATTENTION: {"memory": 80}, "": {"done": 120}},
    },
    joules={}, bound=StepBound(FLOORS, 0, 0.0), predicted={ATTENTION: 90, FFN: 110},
)  # fmt: skip


def tried(*saved: tuple[str, int, int]) -> list[Experiment]:
    return [Experiment(what, 1, 2, 200 - step, {ATTENTION: 100 - op}) for what, step, op in saved]


def advised(report: StepReport = REPORT, *experiments: Experiment) -> dict[str, Any]:
    return advice(small.image(), small.MACHINE, small.step(), report, list(experiments))


def test_the_gap_of_the_step_is_its_causes_less_the_floor() -> None:
    found = advised()["step"]
    assert (found["picoseconds"], found["binds"], found["floor"], found["gap"]) == (
        200, "matrix", 120, 80,
    )  # fmt: skip
    assert sum(line["gap"] for line in found["lines"]) == 80
    gaps = {line["cause"]: line["gap"] for line in found["lines"]}
    # The arrays are at work in `matmul`, all of which is floor; 20 more come off the longest other.
    assert gaps == {"matmul": 0, "room @back": 40, "wait @ring": 30, "scalar": 10}


@pytest.mark.parametrize(
    ("binds", "spared"), [("hbm", "wait @ring"), ("vector", "room @back"), ("matrix", "matmul")]
)
def test_the_floor_is_set_against_what_works_while_it_binds(binds: str, spared: str) -> None:
    floors = dict.fromkeys(FLOORS, 0) | {binds: 30}
    found = advised(replace(REPORT, bound=StepBound(floors, 0, 0.0)))["step"]
    lines = {line["cause"]: line for line in found["lines"]}
    assert found["binds"] == binds
    changed = {cause for cause, line in lines.items() if line["gap"] != line["picoseconds"]}
    assert changed == {spared}


def test_an_op_without_floors_has_all_its_time_as_gap() -> None:
    found = advised()["ops"]
    assert list(found) == [ATTENTION, FFN]
    assert (found[ATTENTION]["floor"], found[ATTENTION]["gap"]) == (0, 100)
    assert found[ATTENTION]["predicted"] == 90
    assert advised(replace(REPORT, bound=None, predicted=None))["step"]["floors"] is None


def test_help_is_what_saves_most_first_and_only_what_saves() -> None:
    found = advised(REPORT, *tried(("lanes", 5, 0), ("@ring", 60, 30), ("arrays", -4, 2)))
    assert [(one["what"], one["saves"]) for one in found["step"]["help"]] == [
        ("@ring", 60), ("lanes", 5),
    ]  # fmt: skip
    assert [one["what"] for one in found["ops"][ATTENTION]["help"]] == ["@ring", "arrays"]
    many = advised(REPORT, *tried(*((f"@{n}", n + 1, 0) for n in range(MOST_HELP + 2))))
    assert len(many["step"]["help"]) == MOST_HELP


def test_sentences_name_the_ring_and_what_its_other_side_did() -> None:
    why = {line["cause"]: line["why"] for line in advised()["ops"][ATTENTION]["lines"]}
    assert why["wait @ring"] == (
        "It waits until ld fills a slot (@ring has 2 slots of 256 bytes in spm). "
        "Of its own 0.0 us ld spent memory 100.0%."
    )
    (room,) = (x for x in advised()["ops"][FFN]["lines"] if x["cause"] == "room @back")
    assert room["why"] == (
        "It waits for a free slot: st still reads (@back has 1 slot of 256 bytes in spm). "
        "st has no time of its own on this op: it worked for others."
    )
