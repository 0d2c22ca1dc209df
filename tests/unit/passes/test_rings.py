"""When slots of one ring begin and end: first in, first out, for every engine."""

from __future__ import annotations

import pytest

from tilewright.passes.channels import Hold, RingError, Use, schedule


def test_waits_follow_the_order_of_the_producer() -> None:
    # K is loaded first and read last: mxu takes it before V all the same.
    k = Use(0, {"ld": (0, 0), "mxu": (5, 6)})
    v = Use(1, {"ld": (1, 1), "mxu": (3, 4)})
    holds = dict(schedule([v, k], [], "ld", ["mxu"]))
    assert holds[0] == {"ld": Hold(0, 0), "mxu": Hold(3, 6)}
    assert holds[1] == {"ld": Hold(1, 1), "mxu": Hold(3, 6)}


def test_ends_follow_the_order_of_the_begins() -> None:
    outer = Use(0, {"vpu": (0, 4), "st": (6, 6)})
    inner = Use(1, {"vpu": (1, 2), "st": (5, 5)})
    holds = dict(schedule([outer, inner], [], "vpu", ["st"]))
    assert holds[0] == {"vpu": Hold(0, 4), "st": Hold(5, 6)}
    assert holds[1] == {"vpu": Hold(1, 4), "st": Hold(5, 6)}


def test_a_reader_in_the_way_of_the_order_is_refused() -> None:
    first = Use(0, {"vpu": (0, 4), "st": (5, 5)})
    second = Use(1, {"vpu": (1, 1), "st": (2, 2)})
    with pytest.raises(RingError, match="st must take this slot before vpu has finished") as error:
        schedule([first, second], [], "vpu", ["st"])
    assert error.value.member == 0


@pytest.mark.parametrize("nested", [2, 3])
def test_a_slot_is_not_held_across_a_loop_of_its_ring(nested: int) -> None:
    held = Use(0, {"ld": (0, 0), "mxu": (2, 4)})
    with pytest.raises(RingError, match="held across a loop"):
        schedule([held], [nested], "ld", ["mxu"])


def test_a_loop_before_or_behind_is_fine() -> None:
    slot = Use(0, {"ld": (1, 1), "mxu": (2, 2)})
    assert schedule([slot], [0, 3], "ld", ["mxu"]) == [(0, {"ld": Hold(1, 1), "mxu": Hold(2, 2)})]
    with pytest.raises(RingError, match="held across a loop"):
        schedule([Use(0, {"ld": (1, 1), "mxu": (3, 3)})], [2], "ld", ["mxu"])
