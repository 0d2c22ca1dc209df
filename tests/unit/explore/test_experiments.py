"""One number changed at a time: which are tried, in which order they come, what is refused."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import small

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image
from tilewright.backend.machine import Machine
from tilewright.compiler.explore import experiments as tried
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import TimedStep


def waiting(cause: str, share: float) -> StepReport:
    """The report of the launch, with some of `vpu`'s time charged to a cause."""
    found = report_of(small.image(), small.step())
    time = int(found.picoseconds * share)
    return replace(found, ops={"vpu": {"": {cause: time, "done": found.picoseconds - time}}})


def slots(image: Image) -> dict[str, int]:
    return {channel.name: channel.slots for channel in image.entries["decode"].channels}


def timer(image: Image, machine: Machine, phase: str, contexts: Sequence[int]) -> TimedStep:
    """Time follows from lanes and slots; a faster clock is refused."""
    assert (phase, list(contexts)) == ("decode", [8])
    if machine.clock_hz != small.MACHINE.clock_hz:
        raise TilewrightError("too hot")
    step = small.step()
    saved = machine.lanes + 100 * sum(slots(image).values())
    result = replace(step.launches[0], picoseconds=10**6 - saved)
    return replace(step, launches=(result,))


def test_most_gain_comes_first_and_refusals_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tried, "time_step", timer)
    report = waiting("wait @ring", 0.5)
    found, refused = tried.experiments(small.image(), small.MACHINE, small.step(), report)
    assert refused == {"clock_hz": "too hot"}
    assert [one.picoseconds for one in found] == sorted(one.picoseconds for one in found)
    assert (found[0].what, found[0].before, found[0].after) == ("@ring", 2, 4)
    changed = {one.what: (one.before, one.after) for one in found}
    assert changed["lanes"] == (small.MACHINE.lanes, 2 * small.MACHINE.lanes)
    for key in tried.HALVED:
        before: int = getattr(small.MACHINE, key)
        assert (key in changed) == (before > 0)
        assert changed.get(key) in (None, (before, before // 2))


@pytest.mark.parametrize(
    ("cause", "share", "wanted"),
    [
        ("wait @ring", 0.5, {"@ring"}),
        ("room @back", 0.5, {"@back"}),
        ("wait @ring", 0.0001, set[str]()),
        ("vector", 0.5, set[str]()),
    ],
)
def test_rings_are_tried_where_an_engine_stood(
    monkeypatch: pytest.MonkeyPatch, cause: str, share: float, wanted: set[str]
) -> None:
    monkeypatch.setattr(tried, "time_step", timer)
    found, _ = tried.experiments(small.image(), small.MACHINE, small.step(), waiting(cause, share))
    assert {one.what for one in found if one.what.startswith("@")} == wanted
