"""Whole steps of large shapes: which are timed, and their reports under a policy.

Programs are compiled from configs alone; the checks of the timing emulator are on, as they cannot
be switched off.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image
from tilewright.backend.machine import Machine
from tilewright.compiler.frontend import Model, load_model
from tilewright.compiler.step_programs import programs_for_step
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import time_step

CONFIGS = Path(__file__).parents[2] / "samples" / "configs"
INT4 = "i4_g128"
ALL = bool(os.environ.get("TILEWRIGHT_LONG_TESTS"))
"""Whether every step is timed; by default a few of each kind."""
RAGGED = (1024, 37, 128, 512, 2000, 3000, 900, 4096)
LONG_DECODE = ((128,), (8192,), (32768,), (128,) * 8, (1024,) * 8, (8192,) * 8, RAGGED)
MOST_CHUNK = 512
"""New positions of a prompt in one launch."""


@dataclass(frozen=True)
class WholeStep:
    """A step of a model on a machine, one context for each sequence."""

    model: str
    weights: str | None
    """None for the config's own."""
    machine: str
    phase: str
    contexts: tuple[int, ...]
    share: float
    """Of the largest bound; wanted under policy `bf16`."""

    def __str__(self) -> str:
        same = len(set(self.contexts)) == 1
        contexts = f"{self.contexts[0]:,}" if same else "ragged"
        step = f"{self.phase} {contexts} x {len(self.contexts)}"
        return f"{self.model} {self.weights or 'bf16'} {step}"


WHOLE_STEPS = (
    WholeStep("llama-2-7b", None, "essay-3tbs", "decode", (1024,), 0.99),
    WholeStep("llama-3-70b", None, "essay-3tbs", "decode", (1024,), 0.99),
    WholeStep("llama-3-70b", INT4, "essay-3tbs", "decode", (1024,), 0.99),
    *(
        WholeStep(model, weights, machine, "decode", contexts, 0.97)
        for model, weights, machine in (
            ("llama-2-7b-32k", INT4, "tpu-v5e"),
            ("llama-2-7b-32k", None, "essay-3tbs"),
            ("llama-3-70b", INT4, "essay-3tbs"),
        )
        for contexts in (LONG_DECODE if ALL else ((32768,), (1024,) * 8, RAGGED))
    ),
    WholeStep("llama-2-7b-32k", INT4, "tpu-v5e", "decode", (1024,) * 64, 0.95),
    WholeStep("llama-2-7b", None, "essay-3tbs", "decode", (1024,) * 64, 0.88),
    WholeStep("llama-3-70b", INT4, "essay-3tbs", "decode", (1024,) * 64, 0.90),
    *(
        WholeStep("llama-2-7b", None, machine, "prefill", (tokens,), share)
        for machine in ("tpu-v5e", "essay-3tbs")
        for tokens, share in ((512, 0.94), (2048, 0.97))
    ),
    *(
        WholeStep("smollm2-135m", None, machine, "decode", (1024,), 0.95)
        for machine in ("tw-small", "tw-1", "tpu-v5e")
    ),
)


def machines() -> list[str]:
    """Those that have a step."""
    return sorted({step.machine for step in WHOLE_STEPS})


def steps_of(machine: str) -> list[WholeStep]:
    """The steps of a machine."""
    return [step for step in WHOLE_STEPS if step.machine == machine]


def programs_of(
    model: Model, phase: str, contexts: Sequence[int], machine: str, policy: str,
    weights: str | None, chunk: int | None,
) -> Image:  # fmt: skip
    """The image for a step, as `time` compiles it. What other tests verify is not verified here."""
    image, _ = programs_for_step(
        model, phase, contexts, machine, policy, weights, chunk, watchers=lambda entry, handed: ()
    )
    return image


@cache
def timed(step: WholeStep, policy: str) -> StepReport | str:
    """The report of a step; why it is refused, if it does not fit the machine's main memory."""
    contexts = list(step.contexts)
    chunk = min(MOST_CHUNK, max(contexts)) if step.phase == "prefill" else 16
    model = load_model(CONFIGS / step.model / "config.json")
    try:
        image = programs_of(model, step.phase, contexts, step.machine, policy, step.weights, chunk)
    except TilewrightError as error:
        if "are needed" not in str(error):
            raise
        return str(error).split(";")[0]
    machine = Machine.from_dict(image.machine)
    return report_of(image, time_step(image, machine, step.phase, contexts))
