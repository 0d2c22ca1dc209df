"""Timing one launch of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ...backend.isa import DEFAULT_OPCODES, Program
from ...backend.machine import Machine
from ..functional import Parameters, launch_words, load
from .decoded import Popped, TimingError, decoded
from .events import run_events
from .fast import WORTH, run_fast
from .layout import NEVER
from .result import TimingResult, result_of

EngineName = Literal["fast", "events"]
ENGINES: tuple[EngineName, ...] = ("fast", "events")


def time_program(
    program: Program,
    machine: Machine,
    parameters: Parameters,
    opcodes: Mapping[str, int] = DEFAULT_OPCODES,
    engine: str = "fast",
    popped: Popped | None = None,
    skip: bool = True,
) -> TimingResult:
    """Time one launch.

    `popped` are the words that each engine takes out of scalar channels, in order. `skip` false
    makes the fast engine execute every trip of every loop; the result is the same.

    Raises TimingError where the launch blocks for ever or a popped word is not known, Fault for a
    program that breaks a limit and for parameters that are missing, unknown or out of range.
    """
    if engine not in ENGINES:
        raise TimingError(f"engine '{engine}' is unknown; use {' or '.join(ENGINES)}")
    loaded = load(program, machine, opcodes)
    launch = decoded(loaded, machine, launch_words(program, parameters).tolist(), popped)
    tally = run_events(launch) if engine == "events" else run_fast(launch, WORTH if skip else NEVER)
    return result_of(launch, tally)
