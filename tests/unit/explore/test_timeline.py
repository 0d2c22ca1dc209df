"""The timeline of a launch made by hand: slices, stretches of layers, levels of rings."""

from collections import Counter
from dataclasses import replace

import pytest
import small

from tilewright.compiler.explore.timeline import SHOWN, recordings, timeline
from tilewright.runtime.timing.result import TimingResult


@pytest.mark.parametrize("launches", [1, 2, 5])
def test_the_first_and_the_last_launch_are_shown(launches: int) -> None:
    step = small.step(launches)
    found = timeline(step, recordings(small.image(), small.MACHINE, step))
    assert found["picoseconds"] == sum(found["launches"]) == step.picoseconds
    numbers = [one["number"] for one in found["shown"]]
    assert numbers == [0, launches - 1][-min(launches, SHOWN) :]


def test_slices_add_up_to_the_launch_by_cause_and_op() -> None:
    step = small.step()
    (launch,) = timeline(step, recordings(small.image(), small.MACHINE, step))["shown"]
    assert launch["recorded"] == step.picoseconds
    for engine in launch["engines"]:
        causes: Counter[str] = Counter()
        for kind, duration in zip(engine["kind"], engine["duration"], strict=True):
            causes[engine["kinds"][kind]["cause"]] += duration
        assert causes == Counter(step.launches[0].causes(engine["name"]))
        ops = {kind["op"] for kind in engine["kinds"] if kind["what"] in ("copy", "vec")}
        assert ops <= {small.ENGINES.get(engine["name"])}


def test_rings_fill_to_their_slots_and_end_empty() -> None:
    step = small.step()
    (launch,) = timeline(step, recordings(small.image(), small.MACHINE, step))["shown"]
    rings = {ring["name"]: ring for ring in launch["channels"]}
    assert (max(rings["ring"]["used"]), max(rings["back"]["used"])) == (2, 1)
    for ring in rings.values():
        assert ring["used"][-1] == ring["filled"][-1] == 0
        assert all(
            f <= u <= ring["slots"] for f, u in zip(ring["filled"], ring["used"], strict=True)
        )
        assert sum(ring["gap"]) <= launch["recorded"]


def with_layers(result: TimingResult, *layers: int) -> TimingResult:
    return replace(result, layers=layers)


def test_stretches_cover_the_launch_and_say_what_is_left_out() -> None:
    step = small.step()
    ((number, short, record),) = recordings(small.image(), small.MACHINE, step)
    end = short.result.picoseconds
    cut = replace(
        short, result=with_layers(short.result, 10, 20, 35, 50), left_out=5, steady=1,
        layer_picoseconds=15,
    )  # fmt: skip
    stretches = timeline(step, [(number, cut, record)])["shown"][0]["stretches"]
    assert [(one["title"], one["times"]) for one in stretches] == [
        ("before the layers", 1), ("layer 0", 1), ("layer 1", 6), ("layer 7", 1),
        ("behind the layers", 1),
    ]  # fmt: skip
    edges = [one["begin"] for one in stretches] + [stretches[-1]["end"]]
    assert edges == [0, 10, 20, 35, 50, end]
    whole = timeline(step, [(number, short, record)])["shown"][0]["stretches"]
    assert whole == [{"title": "the whole launch", "begin": 0, "end": end, "times": 1}]
