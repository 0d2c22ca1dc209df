"""The same instructions timed again with one number changed: what would help, measured.

Only the machine's rates and the lengths of rings are changed, none of which changes a result. The
program stays as it is, so a compiler that knew of the change could do better still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...backend.errors import TilewrightError
from ...backend.image import Image
from ...backend.machine import Machine
from ...runtime.timing import StepReport, TimedStep, time_step

DOUBLED = (
    "clock_hz",
    "hbm_bytes_per_second",
    "arrays",
    "weight_rows",
    "lanes",
    "vector_port_bytes",
)
HALVED = ("hbm_latency_ps", "dma_issue_ps", "matrix_fill", "vector_startup")
LEAST_SHARE = 1000
"""A ring is tried where some engine stood at it for a thousandth of the step or more."""


@dataclass(frozen=True)
class Experiment:
    """One number changed, and the step timed again."""

    what: str
    """A key of the machine's description, or a channel as `@name`."""
    before: int
    after: int
    picoseconds: int
    ops: dict[str, int]
    """Model op -> time of the matrix unit, waiting included."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return dict(vars(self))


def experiments(
    image: Image, machine: Machine, step: TimedStep, report: StepReport
) -> tuple[list[Experiment], dict[str, str]]:
    """All of them, most gain first; and what could not be tried, with the reason."""
    contexts = [s.context for s in step.step.sequences]
    found: list[Experiment] = []
    refused: dict[str, str] = {}

    def attempt(what: str, before: int, after: int, image: Image, machine: Machine) -> None:
        try:
            timed = time_step(image, machine, step.phase, contexts)
        except TilewrightError as error:
            refused[what] = str(error)
            return
        ops = {op: sum(c.values()) for op, c in timed.op_causes().get("mxu", {}).items()}
        found.append(Experiment(what, before, after, timed.picoseconds, ops))

    for key in (*DOUBLED, *HALVED):
        before: int = getattr(machine, key)
        after = before * 2 if key in DOUBLED else before // 2
        if before and after != before:
            try:
                changed = Machine.from_dict(machine.to_dict() | {key: after})
            except TilewrightError as error:
                refused[key] = str(error)
                continue
            attempt(key, before, after, image, changed)
    program = image.entries[step.phase]
    for number, channel in enumerate(program.channels):
        if channel.kind == "scalar" or not _stood(report, channel.name):
            continue
        rings = list(program.channels)
        rings[number] = replace(channel, slots=channel.slots * 2)
        longer = replace(program, channels=tuple(rings))
        # Addresses take no part in time, so room for the longer ring may lie anywhere.
        added = -(-channel.nbytes // machine.alignment) * machine.alignment
        spm, acc = (2 * machine.spm_bytes + added, 2 * machine.acc_bytes + added)
        roomy = replace(machine, spm_bytes=spm, acc_bytes=acc)
        changed = replace(image, entries={**image.entries, step.phase: longer})
        attempt(f"@{channel.name}", channel.slots, channel.slots * 2, changed, roomy)
    return sorted(found, key=lambda one: one.picoseconds), refused


def _stood(report: StepReport, channel: str) -> bool:
    """Whether some engine stood at a channel for long."""
    names = (f"wait @{channel}", f"room @{channel}")
    return any(
        sum(causes.get(name, 0) for name in names) * LEAST_SHARE >= report.picoseconds
        for causes in report.causes().values()
    )
