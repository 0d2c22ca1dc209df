"""Emulated time of whole steps over the largest of their bounds, beside what must be reached.

Programs are compiled from configs alone, policy bf16; the checks of the timing emulator are on, as
they cannot be switched off. Steps that do not fit a machine's memory are listed as refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from figures import Report

from tilewright.backend.errors import TilewrightError
from tilewright.backend.machine import Machine
from tilewright.compiler.frontend import load_model
from tilewright.compiler.timing import compile_for_step
from tilewright.runtime.timing.report import report_of
from tilewright.runtime.timing.steps import time_step

CONFIGS = Path(__file__).parents[2] / "samples" / "configs"
INT4 = "i4_g128"
RAGGED = (1024, 37, 128, 512, 2000, 3000, 900, 4096)
Case = tuple[str, str | None, str, str, tuple[int, ...], float]

ROWS: tuple[Case, ...] = (
    ("llama-2-7b", None, "essay-3tbs", "decode", (1024,), 0.99),
    ("llama-3-70b", None, "essay-3tbs", "decode", (1024,), 0.99),
    ("llama-3-70b", INT4, "essay-3tbs", "decode", (1024,), 0.99),
    *(
        (model, weights, machine, "decode", contexts, 0.97)
        for model, weights, machine in (
            ("llama-2-7b-32k", INT4, "tpu-v5e"),
            ("llama-2-7b-32k", None, "essay-3tbs"),
            ("llama-3-70b", INT4, "essay-3tbs"),
        )
        for contexts in ((128,), (8192,), (32768,), (128,) * 8, (1024,) * 8, (8192,) * 8, RAGGED)
    ),
    ("llama-2-7b-32k", INT4, "tpu-v5e", "decode", (1024,) * 64, 0.95),
    ("llama-2-7b", None, "essay-3tbs", "decode", (1024,) * 64, 0.88),
    ("llama-3-70b", INT4, "essay-3tbs", "decode", (1024,) * 64, 0.90),
    *(
        ("llama-2-7b", None, machine, "prefill", (tokens,), share)
        for machine in ("tpu-v5e", "essay-3tbs")
        for tokens, share in ((512, 0.94), (2048, 0.97))
    ),
    *(
        ("smollm2-135m", None, machine, "decode", (1024,), 0.95)
        for machine in ("tw-small", "tw-1", "tpu-v5e")
    ),
)


def _text(contexts: tuple[int, ...]) -> str:
    same = len(set(contexts)) == 1
    return f"{contexts[0]:,} x {len(contexts)}" if same else f"ragged x {len(contexts)}"


@pytest.mark.parametrize("machine", sorted({row[2] for row in ROWS}))
def test_time_over_bound(machine: str, report: Report) -> None:
    """One line a step: time over bound, at most one over the share that is wanted."""
    report.line(f"time over bound on {machine}, policy bf16, checks on")
    for model, weights, _, phase, contexts, share in (row for row in ROWS if row[2] == machine):
        name = f"{model} {weights or 'bf16'} {phase} {_text(contexts)}"
        chunk = min(512, max(contexts)) if phase == "prefill" else 16
        try:
            image = compile_for_step(
                load_model(CONFIGS / model / "config.json"), phase, list(contexts), machine, "bf16",
                weights, chunk,
            )  # fmt: skip
        except TilewrightError as error:
            if "are needed" not in str(error):
                raise
            report.line(f"  {name}: refused, {str(error).split(';')[0]}")
            continue
        step = time_step(image, Machine.from_dict(image.machine), phase, list(contexts))
        found = report_of(image, step)
        assert found.bound is not None
        ratio = found.picoseconds / found.bound.largest
        assert ratio >= 1, "no program beats its bound"
        report.figure(
            f"  {name}", ratio, "", 1 / share,
            f"{step.seconds * 1e3:.3f} ms, {1 / ratio:.2%} of the {found.bound.binds} bound, "
            f"wanted {share:.0%}",
        )  # fmt: skip
