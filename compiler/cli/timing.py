"""`tilewright time`: how long a step takes on the machine, and what the engines waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...backend.errors import TilewrightError
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
from .output import bytes_text, note_machine, print_columns, print_json, progress_bar
from .phases import DEFAULT_CONTEXT, check_phase, contexts_of
from .text import is_image

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...backend.image import Image
    from ...runtime.timing.report import StepReport

DEFAULT_MACHINE, DEFAULT_POLICY = "tw-1", "bf16"


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
    image, contexts = image_and_contexts(
        model, machine, phase, context, batch, policy, weights, chunk, quiet=as_json
    )
    report = timed(image, phase, contexts)
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(report, ops)


def image_and_contexts(
    model: str,
    machine: str | None,
    phase: str,
    context: str | None,
    batch: int | None,
    policy: str | None,
    weights: str | None,
    chunk: int | None,
    quiet: bool = False,
) -> tuple[Image, list[int]]:
    """The image that is asked for, read or compiled in memory, and positions of each sequence."""
    from ...backend.machine import load_machine

    check_phase(phase)
    if is_image(model):
        image = opened(model, machine, policy, weights, chunk)
        contexts = contexts_of(context, batch, default_context(image, phase))
    else:
        from ..frontend import load_model
        from ..timing import compile_for_step

        name = machine or DEFAULT_MACHINE
        description = load_machine(name)
        loaded = load_model(model)
        default = min(DEFAULT_CONTEXT, loaded.most_context)
        contexts = contexts_of(context, batch, default)
        with progress_bar() as progress:
            image = compile_for_step(
                loaded, phase, contexts, name, policy or DEFAULT_POLICY, weights, chunk, progress
            )
        if not quiet:
            note_machine(description)
    return image, contexts


def opened(
    path: str,
    machine: str | None = None,
    policy: str | None = None,
    weights: str | None = None,
    chunk: int | None = None,
) -> Image:
    """The image at a path. Raises TilewrightError for an option that it was not compiled with."""
    from ...backend.bounds import ModelRecord
    from ...backend.formats import format_name
    from ...backend.image import read_image
    from ...backend.machine import load_machine

    image = read_image(path)
    asked: list[tuple[str, str, str]] = []
    if machine is not None and load_machine(machine).to_dict() != image.machine:
        same = load_machine(machine).name == image.machine.get("name")
        found = f"{image.machine.get('name')}{' of other numbers' if same else ''}"
        asked.append(("machine", machine, found))
    if policy is not None and policy != image.policy:
        asked.append(("policy", policy, image.policy))
    if weights is not None:
        record = ModelRecord.from_dict(image.model) if image.model else None
        formats = dict(record.formats) if record is not None else {}
        formats.pop("token_embd", None)
        if set(formats.values()) != {format_name(weights)}:
            found = ", ".join(dict.fromkeys(formats.values())) or "formats of a graph"
            asked.append(("weights", weights, found))
    if chunk is not None and chunk != image.meta.get("chunk"):
        asked.append(("chunk", str(chunk), str(image.meta.get("chunk"))))
    for option, wanted, found in asked:
        raise TilewrightError(
            f"--{option} {wanted}: {path} is an image that was compiled for {found}; leave the "
            "option away, or name the model instead of the image"
        )
    return image


def default_context(image: Image, phase: str) -> int:
    """Positions of each sequence where the user names none."""
    from ...runtime.launch import StepShape

    if phase not in image.entries:  # `time_step` says so
        return 1
    return min(DEFAULT_CONTEXT, StepShape.of(image.entries[phase]).context)


def timed(image: Image, phase: str, contexts: list[int]) -> StepReport:
    """A step of an image, with its bound and its energy."""
    from ...backend.machine import Machine
    from ...runtime.timing.report import report_of
    from ...runtime.timing.steps import time_step
    from .engine import prepare_timing

    prepare_timing()
    return report_of(image, time_step(image, Machine.from_dict(image.machine), phase, contexts))


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
