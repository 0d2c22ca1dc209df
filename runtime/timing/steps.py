"""Steps of a language model, timed: one decode, or the launches of a whole prompt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ...backend.image import Image
from ...backend.machine import Machine
from ..functional.parameters import Parameters
from ..launch import SessionError, StepShape
from .launch import time_program
from .result import PICOSECONDS, TimingResult


@dataclass(frozen=True)
class TimedStep:
    """A step of one sequence. Launches follow each other and do not overlap."""

    phase: str
    tokens: int
    """New tokens."""
    cached: int
    """Positions before them."""
    digest: str
    """Of the image, which is the one that runs."""
    launches: tuple[TimingResult, ...]
    parameters: tuple[Parameters, ...]
    """Of each launch."""

    @property
    def picoseconds(self) -> int:
        """Time of all launches."""
        return sum(launch.picoseconds for launch in self.launches)

    @property
    def seconds(self) -> float:
        """Time of all launches."""
        return self.picoseconds / PICOSECONDS

    @property
    def read_bytes(self) -> int:
        """Bytes out of main memory."""
        return sum(launch.read_bytes for launch in self.launches)

    @property
    def written_bytes(self) -> int:
        """Bytes into main memory."""
        return sum(launch.written_bytes for launch in self.launches)

    @property
    def memory_share(self) -> float:
        """Share of the time in which main memory was busy."""
        busy = sum(launch.memory_picoseconds for launch in self.launches)
        return busy / self.picoseconds if self.picoseconds else 0.0

    @property
    def instructions(self) -> dict[str, int]:
        """Instructions executed, by engine."""
        total: Counter[str] = Counter()
        for launch in self.launches:
            total.update(launch.instructions)
        return dict(total)

    def causes(self) -> dict[str, dict[str, int]]:
        """Engine -> picoseconds by cause, largest first."""
        found: dict[str, Counter[str]] = {}
        for launch in self.launches:
            for engine in launch.engines:
                found.setdefault(engine, Counter()).update(launch.causes(engine))
        return {engine: dict(total.most_common()) for engine, total in found.items()}

    def ops(self, engine: str) -> dict[str, int]:
        """Picoseconds of one engine by model op, in the order of the program."""
        total: Counter[str] = Counter()
        for launch in self.launches:
            total.update(launch.ops(engine))
        return dict(total)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; times in picoseconds but for `seconds`."""
        return {
            "phase": self.phase,
            "tokens": self.tokens,
            "cached": self.cached,
            "digest": self.digest,
            "seconds": self.seconds,
            "launches": [launch.picoseconds for launch in self.launches],
            "read_bytes": self.read_bytes,
            "written_bytes": self.written_bytes,
            "burst_bytes": sum(launch.burst_bytes for launch in self.launches),
            "memory_share": self.memory_share,
            "instructions": self.instructions,
            "causes": self.causes(),
            "ops": {engine: self.ops(engine) for engine in self.instructions},
        }


def time_step(image: Image, machine: Machine, phase: str, context: int | None) -> TimedStep:
    """Time a step of the first sequence of an image.

    `decode` adds one token so that the context has `context` positions; `prefill` takes a prompt
    of `context` tokens, chunk by chunk. None: as many as the image allows. Raises SessionError for
    an entry or a context that the image does not have.
    """
    if phase not in image.entries:
        entries = ", ".join(image.entries)
        raise SessionError(f"the image has no entry {phase}, only {entries}: it cannot be timed")
    program = image.entries[phase]
    shape = StepShape.of(program)
    wanted = shape.context if context is None else context
    if wanted > shape.context:
        raise SessionError(
            f"a context of {wanted} positions exceeds the {shape.context} that the image was "
            "compiled for: compile it with a larger --max-context"
        )
    cached = wanted - 1 if phase == "decode" else 0
    launches: list[TimingResult] = []
    given: list[Parameters] = []
    done = cached
    while done < wanted:
        count = min(wanted - done, shape.chunk, shape.rows)
        parameters: Parameters = {
            "rows": count,
            "logit_rows": 1,
            "row_start": [0],
            "q_len": [count],
            "kv_len": [done],
        }
        launches.append(time_program(program, machine, parameters, image.opcodes))
        given.append(parameters)
        done += count
    return TimedStep(phase, wanted - cached, cached, image.digest, tuple(launches), tuple(given))
