"""Two reports of one step side by side: which model op changed, by how much, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...backend.errors import TilewrightError
from .report import StepReport
from .result import is_idle

MATRIX_UNIT = "mxu"
"""The engine by whose clock ops are compared: every kernel passes through it, one after another."""


@dataclass(frozen=True)
class Change:
    """The cause of an engine that changed most."""

    engine: str
    cause: str
    picoseconds: int
    """B minus A."""


@dataclass(frozen=True)
class OpChange:
    """One model op in both. Times in picoseconds, of the matrix unit; an op that is missing has 0.

    They add up to the step's time.
    """

    op: str
    before: int
    after: int
    waited: Change | None
    """Of the matrix unit; None where nothing changed."""
    binds: Change | None
    """Of the engine that binds the op: the one with the most time in which it did not wait."""


@dataclass(frozen=True)
class Comparison:
    """A and B, the same step of two images."""

    a: StepReport
    b: StepReport
    ops: tuple[OpChange, ...]
    """In the order of the program."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; times in picoseconds, pairs are A and B."""
        a, b = self.a, self.b
        keys = dict.fromkeys((*a.joules, *b.joules))
        return {
            "images": [a.digest, b.digest],
            "models": [a.model, b.model],
            "machines": [a.machine, b.machine],
            "policies": [a.policy, b.policy],
            "phase": a.phase,
            "sequences": [list(lengths) for lengths in a.sequences],
            "picoseconds": [a.picoseconds, b.picoseconds],
            "ratio": ratio(a.picoseconds, b.picoseconds),
            "share": [a.share, b.share],
            "bytes": {name: [a.bytes[name], b.bytes[name]] for name in a.bytes},
            "instructions": [sum(a.instructions.values()), sum(b.instructions.values())],
            "joules": {name: [a.joules.get(name, 0.0), b.joules.get(name, 0.0)] for name in keys},
            "joules_total": [a.total_joules, b.total_joules],
            "ops": [asdict(op) | {"ratio": ratio(op.before, op.after)} for op in self.ops],
        }


def ratio(before: float, after: float) -> float | None:
    """B in units of A; None where A is nothing."""
    return after / before if before else None


def compare(a: StepReport, b: StepReport) -> Comparison:
    """Compare two reports. Raises TilewrightError where they are not of the same step."""
    if (a.phase, a.sequences) != (b.phase, b.sequences):
        raise TilewrightError(
            f"A is a {a.step_text()} and B a {b.step_text()}, by sequence {list(a.sequences)} and "
            f"{list(b.sequences)}: time both with the same --phase, --context and --batch"
        )
    for name, report in (("A", a), ("B", b)):
        if MATRIX_UNIT not in report.ops:
            raise TilewrightError(
                f"{name} has no engine {MATRIX_UNIT}, only {', '.join(report.ops)}: ops are "
                "compared by the time of the matrix unit"
            )
    names = dict.fromkeys((*a.ops[MATRIX_UNIT], *b.ops[MATRIX_UNIT]))
    return Comparison(a, b, tuple(_op_change(a, b, op) for op in names))


def _op_change(a: StepReport, b: StepReport, op: str) -> OpChange:
    engine = _binding(a, b, op)
    return OpChange(
        op,
        sum(_causes(a, MATRIX_UNIT, op).values()),
        sum(_causes(b, MATRIX_UNIT, op).values()),
        _largest(MATRIX_UNIT, _causes(a, MATRIX_UNIT, op), _causes(b, MATRIX_UNIT, op)),
        _largest(engine, _causes(a, engine, op), _causes(b, engine, op)),
    )


def _binding(a: StepReport, b: StepReport, op: str) -> str:
    """The engine that spends most time on the op itself, in A and B together."""
    own: Counter[str] = Counter()
    for report in (a, b):
        for engine in report.ops:
            causes = _causes(report, engine, op)
            own[engine] += sum(time for cause, time in causes.items() if not is_idle(cause))
    return max(own, key=lambda engine: own[engine])


def _causes(report: StepReport, engine: str, op: str) -> Mapping[str, int]:
    return report.ops.get(engine, {}).get(op, {})


def _largest(engine: str, before: Mapping[str, int], after: Mapping[str, int]) -> Change | None:
    changes = {c: after.get(c, 0) - before.get(c, 0) for c in dict.fromkeys((*before, *after))}
    cause = max(changes, key=lambda c: abs(changes[c]), default="")
    return Change(engine, cause, changes[cause]) if changes.get(cause) else None
