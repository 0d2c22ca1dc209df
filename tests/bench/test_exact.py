"""What policy `exact` costs: the steps of test_share_of_bound.py under it, beside its own bounds.

Keys and values take twice the bytes; products by weights of 8 significant bits take 3 phases
instead of 1, scores and the mixing of values 9. Steps that do not fit a machine's memory are listed
as refused.
"""

import pytest
from figures import Report
from whole_steps import WHOLE_STEPS, WholeStep, machines, timed

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
def test_cost_of_exactness(machine: str, report: Report) -> None:
    """Each step's time, its bound, and both over those of policy `bf16`."""
    rows: list[tuple[str, ...]] = []
    refused: list[str] = []
    failed: list[str] = []
    for step in (step for step in WHOLE_STEPS if step.machine == machine):
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
