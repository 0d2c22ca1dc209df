"""The image that a command times a step of, read or compiled in memory, and the timed step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...backend.errors import TilewrightError
from .output import note_machine, progress_bar
from .phases import DEFAULT_CONTEXT, check_phase, contexts_of
from .text import is_image

if TYPE_CHECKING:  # they bring numpy or xDSL, which would multiply the time of --help
    from ...backend.image import Image
    from ...runtime.timing.report import StepReport
    from ..driver import CompiledEntry, Watchers

DEFAULT_MACHINE, DEFAULT_POLICY = "tw-1", "bf16"


@dataclass(frozen=True)
class AskedStep:
    """A step as the command line asks for it; None leaves a choice to the image or the defaults."""

    model: str
    """A model, or an image."""
    machine: str | None
    phase: str
    context: str | None
    batch: int | None
    policy: str | None
    weights: str | None
    chunk: int | None
    max_context: int | None = None


@dataclass(frozen=True)
class FoundStep:
    """The image of a step, and positions of each sequence."""

    image: Image
    contexts: list[int]
    entries: Mapping[str, CompiledEntry]
    """What compiling each entry gave; empty for an image that was read."""


def find_step(asked: AskedStep, quiet: bool = False, watchers: Watchers | None = None) -> FoundStep:
    """Read or compile the image of a step. `watchers` gives what is called after each pass.

    `quiet`: no notes on the machine. Raises TilewrightError for what the user can mend.
    """
    check_phase(asked.phase)
    if not is_image(asked.model):
        return _compiled(asked, quiet, watchers)
    if asked.max_context is not None:
        raise TilewrightError(
            f"--max-context {asked.max_context}: {asked.model} is an image; leave the option away, "
            "or name the model instead of the image"
        )
    image = opened(asked.model, asked.machine, asked.policy, asked.weights, asked.chunk)
    default = default_context(image, asked.phase)
    return FoundStep(image, contexts_of(asked.context, asked.batch, default), {})


def _compiled(asked: AskedStep, quiet: bool, watchers: Watchers | None) -> FoundStep:
    from ...backend.machine import load_machine
    from ..frontend import load_model
    from ..step_programs import programs_for_step

    machine = asked.machine or DEFAULT_MACHINE
    description = load_machine(machine)
    model = load_model(asked.model)
    most = model.most_context if asked.max_context is None else asked.max_context
    default = min(DEFAULT_CONTEXT, most, model.most_context)
    contexts = contexts_of(asked.context, asked.batch, default)
    with progress_bar() as progress:
        image, entries = programs_for_step(
            model,
            asked.phase,
            contexts,
            machine,
            asked.policy or DEFAULT_POLICY,
            asked.weights,
            asked.chunk,
            progress,
            asked.max_context,
            watchers,
        )
    if not quiet:
        note_machine(description)
    return FoundStep(image, contexts, entries)


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
