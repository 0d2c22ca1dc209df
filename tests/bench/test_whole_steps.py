"""Emulated time of whole steps: over the largest of their bounds, and under policy `exact`.

Over the bound, policy `bf16`: time beside what must be reached. `exact` costs more: keys and values
take twice the bytes; products by weights of 8 significant bits take 3 phases instead of 1, scores
and the mixing of values 9. Steps that do not fit a machine's memory are listed as refused.
"""

import pytest
from figures import Report
from whole_steps import WholeStep, machines, steps_of, timed

from tilewright.runtime.timing.report import StepReport

HEAD = ("step", "ms", "bound, ms", "binds", "share", "least", "time / bf16's", "bound / bf16's")
PRODUCT_PHASES, SCORE_PHASES = 3, 9


def least_share(step: WholeStep) -> float:
    """The share of its bound that a step must keep: somewhat below what is reached."""
    match step.phase, len(step.contexts), step.machine:
        case "prefill", _, _:
            return 0.90
        case _, 64, _:
            return 0.60
        case _, 8, _:
            return 0.90
        case _, _, "tw-1":
            return 0.70
        case _:
            return 0.95


@pytest.mark.parametrize("machine", machines())
def test_time_over_bound(machine: str, report: Report) -> None:
    """One line a step: time over bound, at most one over the share that is wanted."""
    report.line(f"time over bound on {machine}, policy bf16, checks on")
    for step in steps_of(machine):
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


@pytest.mark.parametrize("machine", machines())
def test_cost_of_exactness(machine: str, report: Report) -> None:
    """Each step's time, its bound, and both over those of policy `bf16`."""
    rows: list[tuple[str, ...]] = []
    refused: list[str] = []
    failed: list[str] = []
    for step in steps_of(machine):
        exact, bf16 = timed(step, "exact"), timed(step, "bf16")
        if isinstance(exact, str):
            refused.append(f"{step}: refused, {exact}")
            continue
        assert isinstance(bf16, StepReport), "what fits with caches of f32 fits with bf16"
        assert exact.bound is not None
        assert bf16.bound is not None
        share, least = exact.bound.largest / exact.picoseconds, least_share(step)
        bounds = exact.bound.largest / bf16.bound.largest
        cells = (
            f"{exact.picoseconds / 1e9:.3f}",
            f"{exact.bound.largest / 1e9:.3f}",
            exact.bound.binds,
            f"{share:.2%}",
            f"{least:.0%}",
            f"{exact.picoseconds / bf16.picoseconds:.2f}",
            f"{bounds:.2f}",
        )
        rows.append((str(step), *cells))
        fewest = PRODUCT_PHASES if step.phase == "prefill" else 1
        if not (least <= share <= 1 and fewest <= bounds <= SCORE_PHASES):
            failed.append(f"{step}: {', '.join(cells)}")
    report.line(f"policy exact on {machine}, checks on")
    report.table(HEAD, rows)
    for line in refused:
        report.line(line)
    assert not failed, "\n".join(failed)
