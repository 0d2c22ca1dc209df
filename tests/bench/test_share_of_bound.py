"""Emulated time of whole steps over the largest of their bounds, beside what must be reached.

Policy `bf16`. Steps that do not fit a machine's memory are listed as refused.
"""

import pytest
from figures import Report
from whole_steps import WHOLE_STEPS, machines, timed


@pytest.mark.parametrize("machine", machines())
def test_time_over_bound(machine: str, report: Report) -> None:
    """One line a step: time over bound, at most one over the share that is wanted."""
    report.line(f"time over bound on {machine}, policy bf16, checks on")
    for step in (step for step in WHOLE_STEPS if step.machine == machine):
        found = timed(step, "bf16")
        if isinstance(found, str):
            report.line(f"  {step}: refused, {found}")
            continue
        assert found.bound is not None
        ratio = found.picoseconds / found.bound.largest
        assert ratio >= 1, "no program beats its bound"
        report.figure(
            f"  {step}", ratio, "", 1 / step.share,
            f"{found.picoseconds / 1e9:.3f} ms, {1 / ratio:.2%} of the {found.bound.binds} bound, "
            f"wanted {step.share:.0%}",
        )  # fmt: skip
