"""A step's time as its image's plans predict it, beside the time that is emulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from ...backend.image import Image
from ...backend.machine import Machine
from ...backend.prediction import Launch, Plan, predict_launch
from ..functional import Parameters


def predict_step(
    image: Image, machine: Machine, phase: str, parameters: Sequence[Parameters]
) -> dict[str, int] | None:
    """Picoseconds by model op, all launches together; None where the image has no plan for them.

    `parameters` are those of each launch (`TimedStep`). An op's time is that of the matrix unit,
    waiting included, so ops add up to the step. Raises PlanError for a plan that is none.
    """
    noted = image.plans.get(phase)
    if not noted:
        return None
    plan = Plan.from_dict(noted)
    found: Counter[str] = Counter()
    for one in parameters:
        for op, time in predict_launch(plan, machine, launch_of(one)).items():
            found[op] += round(time)
    return dict(found)


def launch_of(parameters: Parameters) -> Launch:
    """The numbers of a launch that a prediction reads."""
    rows, logit_rows = (cast(int, parameters[name]) for name in ("rows", "logit_rows"))
    cached, new = (cast(Sequence[int], parameters[name]) for name in ("kv_len", "q_len"))
    return Launch(rows, logit_rows, tuple(zip(cached, new, strict=True)))
