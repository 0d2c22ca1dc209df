"""Plans as JSON, and what is no plan."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from tilewright.backend.prediction import Part, Plan, PlanError, RowsKernel, Turn

from .test_forms import ATTENTION, DEEP, LINEAR, ROWS

PLAN = Plan((LINEAR, ATTENTION, ROWS), DEEP)


def values() -> dict[str, Any]:
    return json.loads(json.dumps(PLAN.to_dict()))


def test_a_plan_comes_back() -> None:
    assert Plan.from_dict(values()) == PLAN
    picked = RowsKernel("e", 1, "rows", 4, True, (Part(8, 1, (), 0, 0),), "vector", 0)
    assert Plan.from_dict(Plan((picked,), {}).to_dict()) == Plan((picked,), {})


@pytest.mark.parametrize(
    ("kernel", "key", "value", "text"),
    [
        (0, "kind", "conv", "kind is 'conv', wanted one of linear, attention, rows"),
        (0, "depth", 0, "depth is 0, wanted a whole number from 1 to"),
        (0, "k", True, "k is True, wanted a whole number"),
        (0, "n", 4000, "the last panel of linear has no weight tiles"),
        (0, "turned", [asdict(Turn(7, ((1, 64),), 1, 1))], "7 panels of linear"),
        (0, "turned", [{"panels": 8}], "Turn is .*, wanted the keys panels, passes"),
        (0, "norm", 1, "norm is 1, wanted true or false"),
        (0, "op", 7, "op is 7, wanted a string"),
        (0, "source", "disk", "source is 'disk', wanted one of memory, vector, matrix"),
        (0, "repeats", 1 << 20, "runs of kernels, wanted 65536 or fewer"),
        (1, "block_heads", 9, "a KV block of attention has more heads than there are"),
        (2, "parts", [3], r"parts is \[3\], wanted objects"),
        (2, "parts", "x", "parts is 'x', wanted a list"),
        (2, "rows", 1.5, "rows is 1.5, wanted a whole number"),
        (2, "more", 1, "RowsKernel is .*, wanted the keys op, repeats"),
    ],
)
def test_what_is_no_plan_is_refused(kernel: int, key: str, value: object, text: str) -> None:
    found = values()
    found["kernels"][kernel][key] = value
    with pytest.raises(PlanError, match=text):
        Plan.from_dict(found)


def test_slots_and_passes_are_numbers() -> None:
    with pytest.raises(PlanError, match="weights is 0"):
        Plan.from_dict(values() | {"slots": {"weights": 0}})
    with pytest.raises(PlanError, match="slots is None, wanted an object"):
        Plan.from_dict({"kernels": []})
    found = values()
    found["kernels"][2]["parts"][0]["passes"] = [[1, 2, 3]]
    with pytest.raises(PlanError, match="wanted pairs of lines and columns"):
        Plan.from_dict(found)
