"""A timed step beside its bound, its prediction and its energy: what `tilewright time --json`
writes, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...backend.bounds import ModelRecord, bound_of, least_energy
from ...backend.errors import TilewrightError
from ...backend.image import Image
from ...backend.isa import typed, typed_list, typed_object
from ...backend.machine import Machine
from ...backend.timing import energy_of
from .prediction import predict_step
from .result import PICOSECONDS
from .steps import OpCauses, TimedStep

MOST = 1 << 63
"""Counts of a report are smaller."""
_FLOORS = ("hbm", "matrix", "vector", "dependencies")
_BYTES = ("read", "written", "bursts")
NO_PLAN = "the image has no plan of this entry: it holds kernels of one op, or was assembled"
"""Why nothing is predicted."""


@dataclass(frozen=True)
class StepBound:
    """Floors of the same step."""

    picoseconds: dict[str, int]
    """By what they prove: `hbm`, `matrix`, `vector`, `dependencies`."""
    bytes: int
    """What must move to and from main memory."""
    joules: float
    """The least."""

    @property
    def largest(self) -> int:
        """The bound, in picoseconds."""
        return max(self.picoseconds.values())

    @property
    def binds(self) -> str:
        """Which floor is the largest."""
        return max(self.picoseconds, key=lambda name: self.picoseconds[name])


@dataclass(frozen=True)
class StepReport:
    """Everything that was asked of a step. Times in picoseconds."""

    model: str
    machine: str
    policy: str
    formats: dict[str, str]
    """Symbol -> format of each matrix; empty where the image is of a graph."""
    digest: str
    """Of the image."""
    phase: str
    sequences: tuple[tuple[int, int], ...]
    """(cached, new) positions of each."""
    launches: tuple[int, ...]
    """Time of each."""
    bytes: dict[str, int]
    """`read` and `written`: moved out of and into main memory; `bursts`: what it was busy with."""
    memory_picoseconds: int
    """Time that main memory was busy."""
    instructions: dict[str, int]
    """Executed, by engine."""
    ops: dict[str, OpCauses]
    """Engine -> model op, in the order of the program -> time by cause."""
    joules: dict[str, float]
    """By what took them."""
    bound: StepBound | None
    """None where the image is of a graph."""
    predicted: dict[str, int] | None = None
    """Model op -> time by closed forms; None where the image has no plan."""

    @property
    def tokens(self) -> int:
        """New tokens, all sequences together."""
        return sum(new for _, new in self.sequences)

    @property
    def picoseconds(self) -> int:
        """Time of all launches."""
        return sum(self.launches)

    @property
    def share(self) -> float | None:
        """The bound's share of the time: 1 is the best that can be."""
        return self.bound.largest / self.picoseconds if self.bound and self.picoseconds else None

    @property
    def predicted_picoseconds(self) -> int | None:
        """The prediction of all ops."""
        return None if self.predicted is None else sum(self.predicted.values())

    @property
    def predicted_error(self) -> float | None:
        """How far the prediction is off, of the time: positive where it is too long."""
        found = self.predicted_picoseconds
        return found / self.picoseconds - 1 if found is not None and self.picoseconds else None

    @property
    def memory_share(self) -> float:
        """Share of the time in which main memory was busy."""
        return self.memory_picoseconds / (self.picoseconds or 1)

    @property
    def total_joules(self) -> float:
        """All of them."""
        return sum(self.joules.values())

    def causes(self) -> dict[str, dict[str, int]]:
        """Engine -> time by cause, largest first."""
        found: dict[str, dict[str, int]] = {}
        for engine, ops in self.ops.items():
            total: Counter[str] = Counter()
            for causes in ops.values():
                total.update(causes)
            found[engine] = dict(total.most_common())
        return found

    def step_text(self) -> str:
        """The step in words: `decode of 2 sequences, 2 tokens behind 1,534`."""
        count, cached = len(self.sequences), sum(before for before, _ in self.sequences)
        several = f"{count} sequences, " if count > 1 else ""
        tokens = f"{self.tokens:,} token{'s' * (self.tokens > 1)}"
        return f"{self.phase} of {several}{tokens} behind {cached:,}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; times in picoseconds but for those called seconds."""
        bound, predicted = self.bound, self.predicted_picoseconds
        floors = bound.picoseconds.items() if bound else ()
        return {
            "model": self.model,
            "machine": self.machine,
            "policy": self.policy,
            "formats": self.formats,
            "image": self.digest,
            "phase": self.phase,
            "sequences": [list(lengths) for lengths in self.sequences],
            "tokens": self.tokens,
            "seconds": self.picoseconds / PICOSECONDS,
            "bound_seconds": bound.largest / PICOSECONDS if bound else None,
            "predicted_seconds": None if predicted is None else predicted / PICOSECONDS,
            "predicted_error": self.predicted_error,
            "predicted_reason": NO_PLAN if predicted is None else None,
            "share": self.share,
            "bound": {name: time / PICOSECONDS for name, time in floors} if bound else None,
            "bound_picoseconds": bound.picoseconds if bound else None,
            "bound_bytes": bound.bytes if bound else None,
            "bound_joules": bound.joules if bound else None,
            "launches": list(self.launches),
            "bytes": self.bytes,
            "memory_picoseconds": self.memory_picoseconds,
            "memory_share": self.memory_share,
            "instructions": self.instructions,
            "joules": self.joules,
            "joules_total": self.total_joules,
            "joules_per_token": self.total_joules / self.tokens,
            "causes": self.causes(),
            "ops": self.ops,
            "predicted": self.predicted,
        }

    @staticmethod
    def from_dict(values: object) -> StepReport:
        """The report that `to_dict` gave; what follows from other values is not read.

        Raises TilewrightError that names the key at fault.
        """
        if not isinstance(values, dict):
            raise TilewrightError(f"found {type(values).__name__}, wanted an object")
        values = cast(dict[str, Any], values)
        formats, joules = typed_object(values, "formats"), typed_object(values, "joules")
        found = StepReport(
            model=typed(values, "model", str),
            machine=typed(values, "machine", str),
            policy=typed(values, "policy", str),
            formats={symbol: typed(formats, symbol, str) for symbol in formats},
            digest=typed(values, "image", str),
            phase=typed(values, "phase", str),
            sequences=_sequences(values),
            launches=tuple(_counts(values, "launches")),
            bytes={name: _count(typed_object(values, "bytes"), name) for name in _BYTES},
            memory_picoseconds=_count(values, "memory_picoseconds"),
            instructions=_each_count(values, "instructions"),
            ops={
                engine: {op: _each_count(ops, op) for op in ops}
                for engine in typed_object(values, "ops")
                for ops in [typed_object(values["ops"], engine)]
            },
            joules={name: _number(joules, name) for name in joules},
            bound=_bound(values) if values.get("bound") is not None else None,
            predicted=_each_count(values, "predicted") if values.get("predicted") else None,
        )
        if not found.tokens:
            raise TilewrightError("sequences is empty, wanted at least one new token")
        for engine, causes in found.causes().items():
            if sum(causes.values()) != found.picoseconds:
                raise TilewrightError(
                    f"ops of engine {engine} add up to {sum(causes.values())} ps, wanted the "
                    f"{found.picoseconds} ps of the launches"
                )
        return found


def report_of(image: Image, step: TimedStep) -> StepReport:
    """A timed step of an image, with its energy, its prediction and, of a model, its bound.

    Raises PlanError where the image's plan is none.
    """
    machine = Machine.from_dict(image.machine)
    record = ModelRecord.from_dict(image.model) if image.model else None
    bound = None
    if record is not None:
        least = bound_of(record.sizes, step.step, machine, image.policy, record.formats)
        joules = least_energy(machine, least).total
        bound = StepBound(least.floors, least.bytes.total, joules)
    return StepReport(
        model=str(image.meta.get("model", "")),
        machine=machine.name,
        policy=image.policy,
        formats=dict(record.formats) if record is not None else {},
        digest=step.digest,
        phase=step.phase,
        sequences=tuple((s.cached, s.new) for s in step.step.sequences),
        launches=tuple(launch.picoseconds for launch in step.launches),
        bytes=dict(
            zip(_BYTES, (step.read_bytes, step.written_bytes, step.burst_bytes), strict=True)
        ),
        memory_picoseconds=sum(launch.memory_picoseconds for launch in step.launches),
        instructions=step.instructions,
        ops=step.op_causes(),
        joules=dict(vars(energy_of(machine, step.work))),
        bound=bound,
        predicted=predict_step(image, machine, step.phase, step.parameters),
    )


def _bound(values: Mapping[str, Any]) -> StepBound:
    floors = typed_object(values, "bound_picoseconds")
    return StepBound(
        {name: _count(floors, name) for name in _FLOORS},
        _count(values, "bound_bytes"),
        _number(values, "bound_joules"),
    )


def _sequences(values: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for item in cast(list[list[Any]], typed_list(values, "sequences", list)):
        if len(item) != 2:
            raise TilewrightError(f"sequences has {repr(item)[:80]}, wanted [cached, new]")
        cached, new = _counts({"sequences": item}, "sequences")
        found.append((cached, new))
    return tuple(found)


def _count(values: Mapping[str, Any], key: str) -> int:
    """A number of bytes, instructions, positions or picoseconds."""
    value = typed(values, key, int)
    if not 0 <= value < MOST:
        raise TilewrightError(f"{key} is {repr(value)[:80]}, wanted 0 to 2^63 - 1")
    return value


def _counts(values: Mapping[str, Any], key: str) -> list[int]:
    return [_count({key: value}, key) for value in typed_list(values, key, int)]


def _each_count(values: Mapping[str, Any], key: str) -> dict[str, int]:
    found = typed_object(values, key)
    return {name: _count(found, name) for name in found}


def _number(values: Mapping[str, Any], key: str) -> float:
    """A number of joules, which JSON may write as an integer."""
    value = values.get(key)
    if type(value) not in (int, float) or not 0 <= cast(float, value) < MOST:
        raise TilewrightError(f"{key} is {repr(value)[:80]}, wanted a number from 0 to 2^63")
    return float(cast(float, value))
