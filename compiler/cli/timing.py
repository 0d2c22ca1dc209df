"""`tilewright time`: how long a step takes on the machine, and what the engines waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Contexts,
    Json,
    ModelOrImage,
    Phase,
    Sequences,
    TimedChunk,
    TimedMachine,
    TimedPolicy,
    Weights,
)
from .output import bytes_text, print_columns, print_json
from .timed_step import AskedStep, find_step, timed

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...runtime.timing.report import StepReport


def time_command(
    model: ModelOrImage,
    machine: TimedMachine = None,
    phase: Phase = "decode",
    context: Contexts = None,
    batch: Sequences = None,
    policy: TimedPolicy = None,
    weights: Weights = None,
    chunk: TimedChunk = None,
    ops: Annotated[bool, typer.Option(help="Time of the matrix unit by model op, too.")] = False,
    as_json: Json = False,
) -> None:
    """Time a step of a model or an image: seconds, bound, prediction, causes, joules.

    Each sequence of a decode step gets one token behind a context of its own; a prefill is prompts
    of their own lengths. Times follow from the instructions and the machine's description alone;
    values play no part. docs/timing.md says what is charged.

    \b
    Examples:
      tilewright time tiny.tw --context 128
      tilewright time tiny.tw --phase prefill --context 64 --ops
      tilewright time samples/tiny-shakespeare --context 100,64,37 --machine tw-small --policy exact
      tilewright time samples/configs/qwen3-0.6b/config.json --machine tpu-v5e --weights int4-g128
      tilewright time tiny.tw --context 64 --json > a.json
    """
    asked = AskedStep(model, machine, phase, context, batch, policy, weights, chunk)
    found = find_step(asked, quiet=as_json)
    report = timed(found.image, phase, found.contexts)
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(report, ops)


def print_report(report: StepReport, ops: bool) -> None:
    """The report for people."""
    count = len(report.launches)
    print(
        f"{report.step_text()} on {report.machine}, policy {report.policy}: "
        f"{report.picoseconds / 1e6:,.1f} us in {count} launch{'es' * (count > 1)}"
    )
    if report.bound is not None and report.share is not None:
        floors = ", ".join(f"{n} {ps / 1e6:,.1f}" for n, ps in report.bound.picoseconds.items())
        print(
            f"bound: {report.bound.largest / 1e6:,.1f} us ({report.bound.binds}), "
            f"{report.share:.2%} of the time; {floors}"
        )
    else:
        print("bound: none, as the image is of a graph, whose sizes are not known")
    print(prediction_text(report))
    if report.bytes["bursts"]:
        print(
            f"main memory: {bytes_text(report.bytes['read'])} read, "
            f"{bytes_text(report.bytes['written'])} written, busy {report.memory_share:.1%}"
        )
    rows = [("engine", "instructions", "share of its time")]
    for engine, causes in report.causes().items():
        total = sum(causes.values()) or 1
        text = ", ".join(f"{cause} {time / total:.1%}" for cause, time in causes.items()
                         if time * 200 >= total)  # fmt: skip
        rows.append((engine, f"{report.instructions.get(engine, 0):,}", text))
    print_columns(rows, right="lr")
    print_energy(report)
    if ops:
        print("\nmatrix unit by model op")
        print_columns(op_rows(report), right="lrrrr")


def print_energy(report: StepReport) -> None:
    """Joules by what took them."""
    total = report.total_joules
    rows = [("energy", "joules", "a token", "share")]
    for name, joules in (*report.joules.items(), ("total", total)):
        each, share = joules / report.tokens, joules / (total or 1)
        rows.append((name, f"{joules:.3g}", f"{each:.3g}", f"{share:.1%}"))
    print_columns(rows, right="lrrr")
    if report.bound is not None:
        print(f"at least {report.bound.joules:.3g} J in the time of the bound")


def prediction_text(report: StepReport) -> str:
    """What the closed forms say of the step, and by how much they are off."""
    from ...runtime.timing.report import NO_PLAN

    time, error = report.predicted_picoseconds, report.predicted_error
    if time is None or error is None:
        return f"predicted: none, as {NO_PLAN}"
    return f"predicted: {time / 1e6:,.1f} us by closed forms, {error:+.2%}"


def op_rows(report: StepReport) -> list[tuple[Any, ...]]:
    """Time of the matrix unit by model op, emulated and predicted, and its share."""
    total = report.picoseconds or 1
    rows: list[tuple[Any, ...]] = [("op", "share", "us", "predicted", "error")]
    for op, causes in report.ops.get("mxu", {}).items():
        time = sum(causes.values())
        texts = ("", "")
        if report.predicted is not None:
            predicted = report.predicted.get(op, 0)
            error = f"{predicted / time - 1:+.1%}" if time else ""
            texts = (f"{predicted / 1e6:,.1f}", error)
        rows.append((op_text(op), f"{time / total:.1%}", f"{time / 1e6:,.1f}", *texts))
    return rows


def op_text(op: str) -> str:
    """A model op's name; what belongs to none has words of its own."""
    return op or "(between ops)"
