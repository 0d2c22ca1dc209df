"""Timed steps of batches: the launches of a session, reports that add up, what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright.backend.bounds import ModelRecord, bound_of, step_of
from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image, read_image
from tilewright.backend.machine import Machine
from tilewright.backend.prediction import PlanError
from tilewright.backend.timing.energy import energy_of
from tilewright.compiler import compile_model
from tilewright.runtime.launch import Launch, SessionError, StepShape
from tilewright.runtime.session import Session
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import TimedStep, launches_of, time_step

SAMPLE = Path(__file__).parents[3] / "samples" / "tiny-shakespeare"
BATCH, CHUNK, CONTEXT = 3, 8, 32


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    path = tmp_path_factory.mktemp("steps") / "sample.tw"
    compile_model(
        SAMPLE, "tw-small", max_context=CONTEXT, batch=BATCH, chunk=CHUNK, output=path
    )  # fmt: skip
    return read_image(path)


def timed(image: Image, phase: str, *contexts: int) -> TimedStep:
    return time_step(image, Machine.from_dict(image.machine), phase, contexts or None)


@pytest.mark.parametrize("lengths", [(5, 20, 9), (8,), (1, 31), (17, 1, 16)])
def test_launches_are_those_of_a_session(
    lengths: tuple[int, ...], image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts, then a token of each: the same rows, the same chunks, the same logits."""
    seen: list[tuple[str, Launch]] = []

    def launch(self: Session, entry: str, one: Launch) -> NDArray[np.float32]:
        seen.append((entry, one))
        return np.zeros((len(one.logit_rows), 1), np.float32)

    monkeypatch.setattr(Session, "launch", launch)
    session = Session(image)
    session.prefill([[0] * length for length in lengths])
    session.decode([0] * len(lengths))
    for phase, contexts in (("prefill", lengths), ("decode", [n + 1 for n in lengths])):
        step = step_of(phase, contexts)
        ours = launches_of(step, StepShape.of(image.entries[phase]))
        theirs = [one for entry, one in seen if entry == phase]
        assert [one.parameters() for one in ours] == [one.parameters() for one in theirs]


@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_a_report_adds_up(phase: str, image: Image) -> None:
    step = timed(image, phase, 20, 3, 9)
    found = report_of(image, step)
    assert len(found.launches) == (1 if phase == "decode" else 3)
    for causes in found.causes().values():
        assert sum(causes.values()) == found.picoseconds
    machine, record = Machine.from_dict(image.machine), ModelRecord.from_dict(image.model)
    assert found.joules == vars(energy_of(machine, step.work))
    assert step.work.picoseconds == found.picoseconds
    bound = bound_of(record.sizes, step.step, machine, image.policy, record.formats)
    assert found.bound is not None
    assert found.bound.largest == bound.picoseconds
    assert found.share == bound.picoseconds / found.picoseconds <= 1
    assert found.bound.joules <= found.total_joules
    assert found.bytes["read"] + found.bytes["written"] >= bound.bytes.total


def test_sequences_that_rest_cost_nothing_and_longer_ones_more(image: Image) -> None:
    one, same = timed(image, "decode", 20), timed(image, "decode", 20)
    assert one == same
    three, longer = timed(image, "decode", 20, 3, 9), timed(image, "decode", 20, 30, 9)
    assert one.picoseconds < three.picoseconds < longer.picoseconds
    assert one.read_bytes < three.read_bytes < longer.read_bytes
    assert (three.tokens, one.tokens) == (3, 1)


def test_without_contexts_one_sequence_is_full(image: Image) -> None:
    assert timed(image, "decode") == timed(image, "decode", CONTEXT)


@pytest.mark.parametrize(
    ("phase", "contexts", "message"),
    [
        ("decode", (1, 1, 1, 1), "4 sequences exceed the batch of 3 .* a larger --batch"),
        ("prefill", (1, 33), "a context of 33 positions exceeds the 32 .* a larger --max-context"),
        ("train", (1,), "the image has no entry train, only decode, prefill"),
        ("decode", (4, 0), "context: found 0, wanted 1 or more"),
    ],
)
def test_refusals(phase: str, contexts: tuple[int, ...], message: str, image: Image) -> None:
    with pytest.raises(TilewrightError, match=message):
        timed(image, phase, *contexts)


def test_a_step_has_sequences(image: Image) -> None:
    with pytest.raises(SessionError, match="a step of no sequences"):
        time_step(image, Machine.from_dict(image.machine), "decode", [])


def test_a_report_comes_back_from_json(image: Image) -> None:
    found = report_of(image, timed(image, "decode", 20, 3))
    again = StepReport.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert again.to_dict() == found.to_dict()


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda values: values.pop(key)


def more_time(values: dict[str, Any]) -> None:
    values["launches"][0] += 1


def put(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[key] = value

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("machine"), "machine is missing, wanted a text"),
        (put("bytes", {"read": 1}), "written is missing, wanted an integer"),
        (put("sequences", [[1, 2, 3]]), r"sequences has \[1, 2, 3\], wanted \[cached, new\]"),
        (put("sequences", []), "sequences is empty"),
        (put("joules", {"hbm": "x"}), "hbm is 'x', wanted a number from 0"),
        (put("ops", {"mxu": []}), r"mxu is \[\], wanted an object"),
        (put("joules", {"hbm": float("nan")}), "hbm is nan, wanted a number from 0 to"),
        (put("memory_picoseconds", -1), "memory_picoseconds is -1, wanted 0 to"),
        (put("bound_bytes", 1 << 63), "bound_bytes is 9223372036854775808, wanted 0 to"),
        (put("bound_bytes", None), "bound_bytes is None, wanted an integer"),
        (put("bound_picoseconds", {"hbm": 1}), "matrix is missing, wanted an integer"),
        (more_time, "ops of engine .* add up to .* ps, wanted the .* ps of the launches"),
    ],
)
def test_a_damaged_report_is_refused(
    damage: Callable[[dict[str, Any]], None], message: str, image: Image
) -> None:
    values = json.loads(json.dumps(report_of(image, timed(image, "decode", 4)).to_dict()))
    damage(values)
    with pytest.raises(TilewrightError, match=message):
        StepReport.from_dict(values)


@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_a_step_is_predicted_from_its_image(phase: str, image: Image) -> None:
    """Of ops that last a few latencies each: no more than the order of the time is asked for."""
    found = report_of(image, timed(image, phase, 20, 3, 9))
    assert found.predicted is not None
    assert found.bound is not None
    assert set(found.ops["mxu"]) - {""} <= set(found.predicted)
    assert found.predicted_picoseconds == sum(found.predicted.values()) > found.bound.largest
    assert found.predicted_error is not None
    assert abs(found.predicted_error) < 0.2
    values = json.loads(json.dumps(found.to_dict()))
    assert values["predicted_seconds"] == sum(found.predicted.values()) / 1e12
    assert values["predicted_reason"] is None
    assert StepReport.from_dict(values) == found


def test_without_a_plan_nothing_is_predicted_and_the_reason_is_said(image: Image) -> None:
    bare = replace(image, plans={})
    found = report_of(bare, timed(bare, "decode", 4))
    values = found.to_dict()
    assert found.predicted is None
    assert values["predicted_seconds"] is None
    assert "no plan of this entry" in values["predicted_reason"]
    assert StepReport.from_dict(json.loads(json.dumps(values))) == found
    wrong = replace(image, plans={"decode": {"kernels": 3}})
    with pytest.raises(PlanError, match="kernels is 3, wanted a list"):
        report_of(wrong, timed(wrong, "decode", 4))


def test_without_main_memory_nothing_is_predicted_and_the_reason_is_said(tmp_path: Path) -> None:
    path = tmp_path / "sample.tw"
    compile_model(SAMPLE, "groq-like", max_context=CONTEXT, batch=BATCH, chunk=CHUNK, output=path)
    image = read_image(path)
    assert image.plans["decode"]
    found = report_of(image, timed(image, "decode", 4))
    assert found.predicted is None
    assert "rows and weights in the scratchpad" in found.to_dict()["predicted_reason"]
    assert StepReport.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_report_is_an_object() -> None:
    with pytest.raises(TilewrightError, match="found list, wanted an object"):
        StepReport.from_dict([1])
