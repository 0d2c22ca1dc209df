"""Traces of a timed step: every launch recorded, whole or for a range of layers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ...backend.image import Image
from ...backend.machine import Machine
from ..functional import launch_words, load
from .decoded import Decoded, TimingError, decoded
from .events import run_events
from .result import TimingResult
from .steps import TimedStep
from .trace_record import Complete, Recorder


@dataclass(frozen=True)
class LaunchTrace:
    """One launch of a step."""

    launch: Decoded
    record: Recorder
    offset: int
    """When the launch begins within the step, in picoseconds."""


@dataclass(frozen=True)
class StepTrace:
    """A step, launch after launch."""

    step: TimedStep
    machine: Machine
    launches: tuple[LaunchTrace, ...]

    @property
    def picoseconds(self) -> int:
        """The time that is recorded."""
        return sum(launch.record.end - launch.record.begin for launch in self.launches)

    @property
    def events(self) -> int:
        """Slices, levels of channels and services of main memory."""
        return sum(launch.record.events for launch in self.launches)


def trace_step(
    image: Image,
    machine: Machine,
    step: TimedStep,
    layers: tuple[int, int] | None,
    most: int,
) -> StepTrace:
    """Record a step that `time_step` has timed.

    `layers` (first, end) keeps of each launch the time in which the matrix unit passes through
    them: what comes before the first layer belongs to it, what follows the last layer to that.

    Raises TimingError beyond `most` events and for layers that the program does not have.
    """
    program = image.entries[step.phase]
    loaded = load(program, machine, image.opcodes)
    found: list[LaunchTrace] = []
    offset = events = 0
    for parameters, result in zip(step.parameters, step.launches, strict=True):
        launch = decoded(loaded, machine, launch_words(program, parameters).tolist())
        begin, end = _window(result, layers)
        record = record_launch(Recorder(launch, begin, end, most, events))
        found.append(LaunchTrace(launch, record, offset))
        offset += result.picoseconds
        events += record.events
    return StepTrace(step, machine, tuple(found))


def record_launch(recorder: Recorder) -> Recorder:
    """Record a launch. Raises TimingError for too many events and where it cannot be timed."""
    with suppress(Complete):
        run_events(recorder.launch, recorder)
    recorder.finish()
    return recorder


def _window(result: TimingResult, layers: tuple[int, int] | None) -> tuple[int, int]:
    """The part of a launch that some layers take."""
    if layers is None:
        return 0, result.picoseconds
    count = max(len(result.layers) - 1, 0)
    first, end = layers
    if not 0 <= first < end <= count:
        has = f"layers 0:{count}" if count else "no layers: record the whole step"
        raise TimingError(f"layers {first}:{end} cannot be recorded: the program has {has}")
    return (
        result.layers[first] if first else 0,
        result.layers[end] if end < count else result.picoseconds,
    )
