"""Each op of a step as a point under the machine's roofs: multiply-adds a byte, and a second."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from ...backend.image import Image
from ...backend.machine import Machine
from ...backend.timing import phases, significand
from ...runtime.functional import launch_words, load
from ...runtime.timing import WORTH, Decoded, StepReport, TimedStep, decoded, run_fast


def roofline(image: Image, machine: Machine, step: TimedStep, report: StepReport) -> dict[str, Any]:
    """Points and roofs. An op's time is that of the matrix unit, waiting included.

    Multiply-adds count once whatever their phases; the roof of a pair of formats is the arrays'
    peak divided by its phases. Bytes are those that main memory was busy with: whole bursts.
    """
    program = image.entries[step.phase]
    loaded = load(program, machine, image.opcodes)
    work: dict[str, Counter[str]] = defaultdict(Counter)
    for parameters in step.parameters:
        words = launch_words(program, parameters).tolist()
        _add(decoded(loaded, machine, words), work)
    pairs = sorted({name for found in work.values() for name in found if " x " in name})
    peak = machine.multipliers * machine.clock_hz
    points: list[dict[str, Any]] = []
    for op, causes in report.ops.get("mxu", {}).items():
        time, found = sum(causes.values()), work[op]
        points.append(
            {
                "op": op,
                "picoseconds": time,
                "bytes": found["bytes"],
                "read": found["read"],
                "written": found["written"],
                "lane_cycles": found["lanes"],
                "macs": sum(found[pair] for pair in pairs),
                "pairs": {pair: found[pair] for pair in pairs if found[pair]},
            }
        )
    return {
        "points": points,
        "roofs": [{"formats": pair, "macs_per_second": peak // _phases(pair)} for pair in pairs],
        "bytes_per_second": machine.hbm_bytes_per_second,
    }


def _phases(pair: str) -> int:
    left, right = pair.split(" x ")
    return phases(significand(left), significand(right))


def _add(launch: Decoded, work: dict[str, Counter[str]]) -> None:
    """What the instructions of a launch did, by model op."""
    for (engine, pc, extents), count in run_fast(launch, WORTH).executed.items():
        timed = launch.streams[engine][pc]
        cost = timed.rule.at(extents)
        places = launch.program.locations.get(launch.engines[engine])
        found = work[places[pc] if places else ""]
        found["bytes"] += count * cost.burst_bytes
        found["read"] += count * cost.read_bytes
        found["written"] += count * cost.written_bytes
        found["lanes"] += count * cost.lane_cycles
        if timed.ins.mnemonic == "mm":
            views = [launch.program.views[timed.ins.operands[name].view] for name in ("a", "b")]
            pair = f"{views[0].format} x {views[1].format}"
            found[pair] += count * cost.macs // _phases(pair)
