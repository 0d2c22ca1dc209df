"""`tilewright trace`: a timed step as a Perfetto trace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ...backend.errors import TilewrightError
from .options import (
    Contexts,
    ModelOrImage,
    Phase,
    Sequences,
    TimedChunk,
    TimedMachine,
    TimedPolicy,
    Weights,
)
from .output import bytes_text
from .timed_step import AskedStep, find_step

MOST_EVENTS = 500_000
"""Some 30 MB: what a browser opens at once."""
VIEWER = "https://ui.perfetto.dev"


def trace_command(
    model: ModelOrImage,
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace to write.")] = Path(
        "step.pftrace"
    ),
    machine: TimedMachine = None,
    phase: Phase = "decode",
    context: Contexts = None,
    batch: Sequences = None,
    policy: TimedPolicy = None,
    weights: Weights = None,
    chunk: TimedChunk = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="FIRST:END records the time of these layers only; 0:2 are the first two.",
        ),
    ] = None,
    most_events: Annotated[
        int, typer.Option(help="Refuse a trace of more events than this.", min=1)
    ] = MOST_EVENTS,
) -> None:
    """Record a timed step as a trace for Perfetto.

    Engines are tracks: a slice for each instruction, named after its model op and layer, and one
    for each wait, named after its cause. Slots of channels in use and bandwidth of main memory are
    counters; arrows lead from what fills a slot to what takes it. The viewer's 1 ns is 1 ps.

    \b
    Examples:
      tilewright trace tiny.tw -o step.pftrace --context 128
      tilewright trace tiny.tw -o layers.pftrace --layers 0:2
      tilewright trace tiny.tw -o prompt.pftrace --phase prefill --context 64
    """
    from ...backend.machine import Machine
    from ...runtime.timing.steps import time_step
    from ...runtime.timing.trace import trace_step
    from ...runtime.timing.trace_file import write_trace
    from .engine import prepare_timing

    wanted = None if layers is None else layer_range(layers)
    found = find_step(AskedStep(model, machine, phase, context, batch, policy, weights, chunk))
    image, description = found.image, Machine.from_dict(found.image.machine)
    prepare_timing()
    step = time_step(image, description, phase, found.contexts)
    trace = trace_step(image, description, step, wanted, most_events)
    with output.open("wb") as file:
        write_trace(trace, file)
    print(
        f"{output}: {trace.events:,} events, {bytes_text(output.stat().st_size)}; of "
        f"{step.seconds * 1e6:,.1f} us, {trace.picoseconds / 10**6:,.1f} us are recorded"
    )
    print(f"open it at {VIEWER}; what it calls 1 us is 1 ns of the machine")


def layer_range(text: str) -> tuple[int, int]:
    """`2:4` as numbers. Raises TilewrightError for anything else."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match:
        raise TilewrightError(f"--layers '{text}' is no range; write FIRST:END, for instance 0:2")
    return int(match[1]), int(match[2])
