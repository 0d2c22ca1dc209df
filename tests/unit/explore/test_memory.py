"""The map of the scratchpad: what lies where, which ops use it, and when it lives."""

import pytest
import small

from tilewright.compiler.explore.memory import covered_bytes, live_runs, memory_map
from tilewright.compiler.explore.timeline import recordings

READ, WRITE, UPDATE = (True, False), (False, True), (True, True)


def test_buffers_of_a_launch() -> None:
    ((_, short, record),) = recordings(small.image(), small.MACHINE, small.step())
    found = memory_map(small.MACHINE, short.launch, record)
    assert found["acc"] == {"bytes": small.MACHINE.acc_bytes, "free": small.MACHINE.acc_bytes,
                            "buffers": []}  # fmt: skip
    ring, back, total = found["spm"]["buffers"]
    assert [one["name"] for one in (ring, back, total)] == ["ring", "back", "sum"]
    assert (ring["base"], ring["bytes"], ring["slots"]) == (0, 512, 2)
    assert ring["ops"] == [small.ENGINES["ld"], small.ENGINES["vpu"]]
    assert set(back["ops"]) == {small.ENGINES["vpu"], small.ENGINES["st"]}
    assert total["ops"] == [small.ENGINES["vpu"]]
    assert found["spm"]["free"] == small.MACHINE.spm_bytes - 1024
    assert len(total["live"]) == small.TRIPS
    edges = [edge for run in total["live"] for edge in run]
    assert edges == sorted(edges)
    assert edges[-1] <= short.result.picoseconds


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([(5, 7, *WRITE), (8, 9, *READ), (12, 13, *READ)], [[5, 13]]),
        ([(5, 7, *WRITE), (8, 9, *READ), (20, 21, *WRITE), (30, 31, *READ)], [[5, 9], [20, 31]]),
        ([(5, 7, *WRITE), (8, 9, *UPDATE), (20, 21, *READ)], [[5, 21]]),
        ([(5, 7, *WRITE), (8, 9, *WRITE), (20, 21, *READ)], [[5, 21]]),  # half and half
        ([(5, 7, *READ)], [[0, 7]]),  # came from before
        ([(5, 7, *WRITE)], [[5, 7]]),  # never read
        ([], []),
    ],
)
def test_a_value_lives_from_its_write_to_its_last_read(
    events: list[tuple[int, int, bool, bool]], wanted: list[list[int]]
) -> None:
    assert live_runs(events) == wanted


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        ([], 0),
        ([(0, 8)], 8),
        ([(0, 8), (4, 12)], 12),
        ([(0, 8), (16, 20)], 12),
        ([(0, 9), (2, 3)], 9),
    ],
)
def test_bytes_under_several_buffers_count_once(spans: list[tuple[int, int]], wanted: int) -> None:
    assert covered_bytes(spans) == wanted
