"""Steps as closed forms predict them, beside the time that is emulated.

Programs are compiled from configs alone, policy bf16; both times follow from them, so that errors
are the same on every machine. An op counts where one run of it lasts 20 latencies of main memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from figures import Report
from whole_steps import ALL, CONFIGS, INT4, RAGGED, programs_of

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image
from tilewright.backend.machine import Machine
from tilewright.backend.prediction import Plan
from tilewright.compiler.frontend import load_model
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import time_step

TOTAL, OP = 0.02, 0.05
"""Errors that are allowed of a step and of an op."""
STOCKED = 0.08
"""Error that is allowed of an op that waits for its stream most of the time: how much came ahead
decides. What one op takes too long the next one takes too little, so that totals stay right."""
LATENCIES = 20
"""Of main memory: shorter runs of an op do not count."""
LONG_DECODE = [
    *((length,) * batch for batch in (1, 8) for length in (128, 1024, 8192, 32768)),
    *((length,) * 64 for length in (128, 1024)),
    RAGGED,
]
DECODE = LONG_DECODE if ALL else [(1024,), (32768,), (1024,) * 8, (128,) * 64, RAGGED]
PREFILL = [((512,), None), ((2048,), None), ((2048,), 512)]
"""Prompts, and the tokens that a launch takes."""
MODELS = [
    ("llama-2-7b-32k", INT4, "tpu-v5e"),
    ("llama-2-7b-32k", None, "tpu-v5e"),
    ("llama-2-7b-32k", None, "essay-3tbs"),
    ("llama-3-70b", INT4, "essay-3tbs"),
    ("llama-3-70b", None, "essay-3tbs"),
]
ON_CHIP = 0.12
"""Error that is allowed of a step of a small model without main memory: its ops take a few
microseconds each, and wait for results on their way rather than for products."""
STREAMED = {"wait @weights", "wait @narrow_weights", "wait @kv"}
HEAD = ["step", "emulated ms", "predicted ms", "error", "worst op", "us", "error"]


def timed(
    model: str, weights: str | None, machine: str, phase: str, step: tuple[int, ...],
    chunk: int | None,
) -> tuple[Image, StepReport]:  # fmt: skip
    """A step of a config, compiled for it."""
    config = load_model(CONFIGS / model / "config.json")
    image = programs_of(config, phase, list(step), machine, "bf16", weights, chunk)
    description = Machine.from_dict(image.machine)
    return image, report_of(image, time_step(image, description, phase, list(step)))


def op_errors(image: Image, report: StepReport) -> Mapping[str, tuple[float, float, float]]:
    """Of each op whose runs are long enough: microseconds of a run, the prediction's error, and
    the error that is allowed."""
    least = LATENCIES * Machine.from_dict(image.machine).hbm_latency_ps
    plan = Plan.from_dict(image.plans[report.phase])
    repeats = {kernel.op: kernel.repeats for kernel in plan.kernels}
    assert report.predicted is not None
    found: dict[str, tuple[float, float, float]] = {}
    for op, causes in report.ops["mxu"].items():
        time = sum(causes.values())
        run = time / (repeats.get(op, 1) * len(report.launches))
        if run >= least:
            streamed = sum(t for cause, t in causes.items() if cause in STREAMED)
            allowed = STOCKED if 2 * streamed > time else OP
            found[op] = run / 1e6, report.predicted.get(op, 0) / time - 1, allowed
    return found


@pytest.mark.parametrize(("model", "weights", "machine"), MODELS)
def test_prediction(model: str, weights: str | None, machine: str, report: Report) -> None:
    """Every step within the limits; those that do not fit are listed as refused."""
    report.line(f"{model} {weights or 'bf16'} on {machine}: closed forms beside emulation")
    table: list[list[str]] = []
    totals: list[float] = []
    singles: list[float] = []
    missed: list[str] = []
    steps = [("decode", step, None) for step in DECODE]
    steps += [("prefill", step, chunk) for step, chunk in PREFILL]
    for phase, step, chunk in steps:
        lengths = f"{step[0]:,}" if len(set(step)) == 1 else "ragged"
        name = f"{phase} {lengths} x {len(step)}" + (f", {chunk} a launch" if chunk else "")
        try:
            image, found = timed(model, weights, machine, phase, step, chunk)
        except TilewrightError as error:
            if "are needed" not in str(error):
                raise
            table.append([name, "refused", *[""] * 5])
            continue
        assert found.predicted_picoseconds is not None
        assert found.predicted_error is not None
        assert found.bound is not None
        assert found.predicted_picoseconds >= found.bound.largest, f"{name}: below its bound"
        ops = op_errors(image, found)
        worst = max(ops, key=lambda op: abs(ops[op][1]) / ops[op][2])
        run, error, allowed = ops[worst]
        totals.append(abs(found.predicted_error))
        singles.append(abs(error))
        table.append(
            [name, f"{found.picoseconds / 1e9:.3f}", f"{found.predicted_picoseconds / 1e9:.3f}",
             f"{found.predicted_error:+.2%}", worst, f"{run:.1f}", f"{error:+.1%}"]
        )  # fmt: skip
        if abs(found.predicted_error) > TOTAL or abs(error) > allowed:
            missed.append(f"{name}: {found.predicted_error:+.2%}, {worst} {error:+.1%}")
    report.table(HEAD, table)
    report.line(
        f"  allowed: {TOTAL:.0%} of a step, {OP:.0%} of an op; {STOCKED:.0%} of one that waits for "
        "its stream most of the time: how much came ahead decides, and the next op makes up for it"
    )
    assert totals, "some step fits"
    largest = f"{max(totals):.2%} of a step, {max(singles):.1%} of an op"
    report.line(f"  largest errors of {len(totals)} steps: {largest}")
    assert not missed, "; ".join(missed)


@pytest.mark.parametrize("machine", ["groq-like", "wafer-like"])
def test_prediction_without_main_memory(machine: str, report: Report) -> None:
    """Steps of a model that fits a scratchpad."""
    report.line(f"smollm2-135m {INT4} on {machine}, without main memory: totals beside emulation")
    table: list[list[str]] = []
    for phase, length in [("decode", 128), ("decode", 1024), ("prefill", 128)]:
        _, found = timed("smollm2-135m", INT4, machine, phase, (length,), None)
        assert found.predicted_error is not None
        assert found.predicted_picoseconds is not None
        name = f"{phase} {length:,} x 1"
        table.append(
            [name, f"{found.picoseconds / 1e9:.3f}", f"{found.predicted_picoseconds / 1e9:.3f}",
             f"{found.predicted_error:+.2%}"]
        )  # fmt: skip
    report.table(HEAD[:4], table)
    report.line(f"  up to {ON_CHIP:.0%} is allowed: ops of a few us wait for results on their way")
    worst = max(abs(float(row[3].rstrip("%"))) / 100 for row in table)
    assert worst <= ON_CHIP, table
