"""One point of a sweep: the model is compiled for the machine, and a step of it is timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...backend.bounds import Step, step_of
from ...backend.machine import Machine
from ...backend.timing import Work
from ...runtime.timing import PICOSECONDS, time_step
from ..bound import bound_model
from ..frontend import load_model
from ..step_programs import programs_for_step


@dataclass(frozen=True)
class Workload:
    """What all points of a sweep do: a step of a model, and how it is compiled."""

    model: str
    """A path, as `tilewright compile` takes it."""
    phase: str
    """`decode` or `prefill`."""
    contexts: tuple[int, ...]
    """Of each sequence: positions with the new one, or tokens of its prompt."""
    policy: str
    weights: str | None = None
    """Format that matmul weights are quantised to; None leaves them."""
    chunk: int | None = None
    """Tokens of a sequence in one prefill launch; None: all, or in decode the compiler's own."""

    @property
    def step(self) -> Step:
        """What the bound is of. Raises BoundError for an unknown phase."""
        return step_of(self.phase, self.contexts)

    def options(self) -> dict[str, Any]:
        """As JSON values, the model's path left out: what a result depends on beside the model."""
        return {
            "phase": self.phase,
            "sequences": [[s.cached, s.new] for s in self.step.sequences],
            "policy": self.policy,
            "weights": self.weights,
            "chunk": self.chunk,
        }


@dataclass(frozen=True)
class Measured:
    """What a step took on one machine. Times in picoseconds."""

    picoseconds: int
    bound_picoseconds: int
    """No program of any compiler takes less."""
    binds: str
    """The floor that the bound is."""
    read_bytes: int
    written_bytes: int
    instructions: int
    work: Work
    """What is paid for in energy."""

    @property
    def seconds(self) -> float:
        """The step's time."""
        return self.picoseconds / PICOSECONDS

    @property
    def bound_seconds(self) -> float:
        """The bound."""
        return self.bound_picoseconds / PICOSECONDS

    @property
    def share(self) -> float:
        """The bound over the time: 1 if nothing could be faster."""
        return self.bound_picoseconds / self.picoseconds if self.picoseconds else 1.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; `from_dict` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Measured:
        """What `to_dict` gave. Raises TypeError or KeyError for anything else."""
        values: dict[str, Any] = {**data, "work": Work(**data["work"])}
        return Measured(**values)


Measure = Callable[[Workload, Machine], Measured]
"""How a point is measured; a test may count."""


def measure(workload: Workload, machine: Machine) -> Measured:
    """Compile and time one point. Raises TilewrightError where the machine cannot have it."""
    model = load_model(workload.model)
    bound = bound_model(model, workload.step, machine, workload.policy, workload.weights).bound
    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        path = Path(folder) / f"{machine.name}.toml"
        path.write_text(machine.to_toml(), encoding="utf-8")
        image, _ = programs_for_step(
            model,
            workload.phase,
            workload.contexts,
            str(path),
            workload.policy,
            workload.weights,
            workload.chunk,
        )
    timed = time_step(image, machine, workload.phase, workload.contexts)
    return Measured(
        picoseconds=timed.picoseconds,
        bound_picoseconds=bound.picoseconds,
        binds=bound.binds,
        read_bytes=timed.read_bytes,
        written_bytes=timed.written_bytes,
        instructions=sum(timed.instructions.values()),
        work=timed.work,
    )
