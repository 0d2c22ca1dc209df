"""The sections of the page that time tells: one timed step for each entry that can be timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backend.errors import TilewrightError
from ...backend.image import Image
from ...backend.machine import Machine
from ...runtime.timing import report_of, time_step
from .advice import advice
from .experiments import experiments
from .memory import memory_map
from .roofline import roofline
from .timeline import recordings, timeline


def step_sections(image: Image, contexts: Sequence[int] | None = None) -> dict[str, Any]:
    """Entry -> its step; of an entry that cannot be timed, `untimed` says why.

    `contexts` are positions of each sequence; None: one sequence, as long as the image allows.
    """
    machine = Machine.from_dict(image.machine)
    found: dict[str, Any] = {}
    for entry in image.entries:
        try:
            found[entry] = _section(image, machine, entry, contexts)
        except TilewrightError as error:
            found[entry] = {"untimed": str(error)}
    return found


def _section(
    image: Image, machine: Machine, entry: str, contexts: Sequence[int] | None
) -> dict[str, Any]:
    if entry not in ("decode", "prefill"):
        raise TilewrightError(f"entry {entry} is no step: decode and prefill are timed")
    step = time_step(image, machine, entry, contexts)
    report = report_of(image, step)
    recorded = recordings(image, machine, step)
    tried, refused = experiments(image, machine, step, report)
    _, short, record = recorded[0]
    return {
        "text": report.step_text(),
        "report": report.to_dict(),
        "timeline": timeline(step, recorded),
        "memory": memory_map(machine, short.launch, record),
        "roofline": roofline(image, machine, step, report),
        "advice": advice(image, machine, step, report, tried),
        "experiments": [one.to_dict() for one in tried],
        "not_tried": refused,
    }
