"""Why a step, or one of its ops, is not faster: its floor, the gap to it by cause, what would help.

The time of an op is that of the matrix unit, waiting included, so ops and causes add up. The floor
is set against the causes in which the resource that binds is at work, and then against the longest
others; what is left of each cause is the gap, and adds up to it.
"""

from __future__ import annotations

from typing import Any

from ...backend.bounds import ModelRecord, bound_of
from ...backend.image import Image
from ...backend.isa import Channel, Program
from ...backend.machine import Machine
from ...runtime.timing import StepReport, TimedStep
from .experiments import Experiment

MATRIX, VECTOR = "mxu", "vpu"
MOST_MEANWHILE = 3
"""Causes that are named of the engine that was waited for."""
MOST_HELP = 5


def advice(
    image: Image, machine: Machine, step: TimedStep, report: StepReport, tried: list[Experiment]
) -> dict[str, Any]:
    """The step as `step`, each op as `ops`: time, floor, gap by cause with a sentence, help."""
    program = image.entries[step.phase]
    floors = _op_floors(image, machine, step)
    ops = report.ops.get(MATRIX, {})
    whole = report.causes().get(MATRIX, {})
    step_floors = report.bound.picoseconds if report.bound else None
    writer = _Writer(program, report)
    found: dict[str, Any] = {
        "step": writer.entry(None, whole, step_floors)
        | _help(report.picoseconds, [(e, e.picoseconds) for e in tried]),
        "ops": {},
    }
    for op, causes in ops.items():
        time = sum(causes.values())
        predicted = report.predicted.get(op, 0) if report.predicted is not None else None
        found["ops"][op] = (
            writer.entry(op, causes, floors.get(op.rsplit(".", 1)[-1]) if floors else None)
            | {"predicted": predicted}
            | _help(time, [(e, e.ops.get(op, 0)) for e in tried])
        )
    return found


def _op_floors(image: Image, machine: Machine, step: TimedStep) -> dict[str, dict[str, int]]:
    """Name of an op in the bounds -> its floors; empty where the image is of a graph."""
    if not image.model:
        return {}
    record = ModelRecord.from_dict(image.model)
    bound = bound_of(record.sizes, step.step, machine, image.policy, record.formats)
    return {
        one.op.name: {"hbm": one.hbm_ps, "matrix": one.matrix_ps, "vector": one.vector_ps}
        for one in bound.ops
    }


def _help(time: int, changed: list[tuple[Experiment, int]]) -> dict[str, Any]:
    """What saves most of a time, each measured by timing the same instructions again."""
    saved = sorted(((time - after, e) for e, after in changed), key=lambda s: -s[0])
    return {
        "help": [
            {"what": e.what, "before": e.before, "after": e.after, "saves": gain}
            for gain, e in saved[:MOST_HELP]
            if gain > 0
        ]
    }


class _Writer:
    """Sentences about the causes of one report."""

    def __init__(self, program: Program, report: StepReport) -> None:
        self.report = report
        self.channels = {channel.name: channel for channel in program.channels}

    def entry(
        self, op: str | None, causes: dict[str, int], floors: dict[str, int] | None
    ) -> dict[str, Any]:
        """Time, floor and gap; the lines of the gap add up to it."""
        time = sum(causes.values())
        binds = max(floors, key=lambda name: floors[name]) if floors else ""
        floor = floors[binds] if floors else 0
        left = min(floor, time)
        lines: list[dict[str, Any]] = []
        order = sorted(causes, key=lambda c: (not self._works(binds, c), -causes[c]))
        for cause in order:
            taken = min(left, causes[cause])
            left -= taken
            lines.append(
                {
                    "cause": cause,
                    "picoseconds": causes[cause],
                    "gap": causes[cause] - taken,
                    "why": self.sentence(op, cause),
                }
            )
        lines.sort(key=lambda line: (-line["gap"], -line["picoseconds"]))
        # An op can be done sooner than its floor where another op's time holds part of its work.
        return {
            "picoseconds": time,
            "binds": binds,
            "floor": floor,
            "floors": floors,
            "gap": max(time - floor, 0),
            "lines": lines,
        }

    def _works(self, binds: str, cause: str) -> bool:
        """Whether the resource that binds is at work while the matrix unit is charged so."""
        channel = self._channel(cause)
        match binds:
            case "hbm":
                return channel is not None and channel.producer.startswith("ld")
            case "vector":
                return channel is not None and channel.producer == VECTOR
            case _:
                return cause == "matmul"

    def _channel(self, cause: str) -> Channel | None:
        return self.channels.get(cause.split("@", 1)[1]) if "@" in cause else None

    def sentence(self, op: str | None, cause: str) -> str:
        """One plain sentence: what the matrix unit did or waited for, and why that took so long."""
        channel = self._channel(cause)
        if channel is None:
            return {
                "matmul": "The arrays multiply: more time than the matrix floor is tiles that do "
                "not fill the arrays, or few rows that wait for their weights to enter.",
                "scalar": "Scalar instructions of the matrix unit: loops, addresses and bounds "
                "between products.",
                "done": "The matrix unit has finished; other engines still work or store.",
            }.get(cause, f"The matrix unit is charged with {cause}.")
        ring = f"@{channel.name} has {channel.slots} slot{'s' * (channel.slots > 1)}"
        if channel.slot_bytes:
            ring += f" of {channel.slot_bytes:,} bytes in {channel.space}"
        if cause.startswith("wait"):
            doing = self._meanwhile(op, channel.producer)
            return f"It waits until {channel.producer} fills a slot ({ring}). {doing}"
        doing = " ".join(self._meanwhile(op, consumer) for consumer in channel.consumers)
        readers = ", ".join(channel.consumers)
        return f"It waits for a free slot: {readers} still reads ({ring}). {doing}"

    def _meanwhile(self, op: str | None, engine: str) -> str:
        """What an engine did in the time of an op, or of the step."""
        ops = self.report.ops.get(engine, {})
        causes = self.report.causes().get(engine, {}) if op is None else ops.get(op, {})
        total = sum(causes.values())
        if not total:
            return f"{engine} has no time of its own on this op: it worked for others."
        most = sorted(causes.items(), key=lambda item: -item[1])[:MOST_MEANWHILE]
        text = ", ".join(f"{cause} {time / total:.1%}" for cause, time in most)
        return f"Of its own {total / 1e6:,.1f} us {engine} spent {text}."
