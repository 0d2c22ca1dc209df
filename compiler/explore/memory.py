"""The map of the on-chip memories: what lies where, when it lives, which ops use it."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

from ...backend.isa import BY_MNEMONIC, CHANNEL, REGION, Program
from ...backend.machine import Machine
from ...runtime.timing import Decoded, Recorder

Key = tuple[int, int]
"""CHANNEL or REGION, and the number."""


def memory_map(machine: Machine, launch: Decoded, record: Recorder) -> dict[str, Any]:
    """Both memories: their sizes, buffers, and bytes that no buffer covers.

    `live` of a region are runs (begin, end) in picoseconds of the recorded launch: from the first
    write behind a read to the last read before the next write. Rings have levels in the timeline.
    """
    uses = _uses(launch)
    lives = _lives(launch, record)
    found: dict[str, Any] = {}
    for name, size in (("spm", machine.spm_bytes), ("acc", machine.acc_bytes)):
        buffers = _buffers(launch.program, name, uses, lives)
        covered = covered_bytes([(b["base"], b["base"] + b["bytes"]) for b in buffers])
        found[name] = {"bytes": size, "free": size - covered, "buffers": buffers}
    return found


def _buffers(
    program: Program, memory: str, uses: dict[Key, list[str]], lives: dict[Key, list[list[int]]]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, ring in enumerate(program.channels):
        if ring.space == memory:
            found.append(
                {
                    "name": ring.name,
                    "kind": "ring",
                    "base": ring.base,
                    "bytes": ring.nbytes,
                    "slots": ring.slots,
                    "slot_bytes": ring.slot_bytes,
                    "owner": ring.producer,
                    "channel": number,
                    "ops": uses[CHANNEL, number],
                }
            )
    for number, region in enumerate(program.regions):
        if region.memory == memory:
            found.append(
                {
                    "name": region.name,
                    "kind": "local" if region.role == "local" else f"resident {region.role}",
                    "base": region.base,
                    "bytes": region.nbytes,
                    "owner": region.owner,
                    "ops": uses[REGION, number],
                    "live": lives[REGION, number],
                }
            )
    return sorted(found, key=lambda b: (b["base"], b["name"]))


def _uses(launch: Decoded) -> dict[Key, list[str]]:
    """The model ops whose instructions name a channel or region, in the order of the program."""
    found: dict[Key, dict[str, None]] = defaultdict(dict)
    for engine, stream in zip(launch.engines, launch.streams, strict=True):
        places = launch.program.locations.get(engine) or [""] * len(stream)
        for timed, place in zip(stream, places, strict=True):
            for operand in timed.ins.operands.values():
                if operand.kind in (CHANNEL, REGION) and place:
                    found[operand.kind, operand.id][place] = None
    return defaultdict(list, {key: list(ops) for key, ops in found.items()})


def _lives(launch: Decoded, record: Recorder) -> dict[Key, list[list[int]]]:
    """Runs of time in which a region holds a value that is read later."""
    events: dict[Key, list[tuple[int, int, bool, bool]]] = defaultdict(list)
    for found in record.slices:
        if found.pc < 0 or found.extents is None or found.begin == found.end:
            continue
        ins = launch.streams[found.engine][found.pc].ins
        touched: dict[int, tuple[bool, bool]] = {}
        for spec in BY_MNEMONIC[ins.mnemonic].operands:
            operand = ins.operands.get(spec.name)
            if operand is not None and operand.kind == REGION:
                reads, writes = touched.get(operand.id, (False, False))
                touched[operand.id] = (
                    reads or spec.access != "write",
                    writes or spec.access != "read",
                )
        for number, (reads, writes) in touched.items():
            events[REGION, number].append((found.begin, found.end, reads, writes))
    return defaultdict(list, {key: live_runs(sorted(found)) for key, found in events.items()})


def live_runs(events: list[tuple[int, int, bool, bool]]) -> list[list[int]]:
    """From the first write to the last read before the next write. What is read first came from
    before; what is never read lives as long as its write."""
    runs: list[list[int]] = []
    been_read = True
    for begin, end, reads, writes in events:
        if not runs or (writes and not reads and been_read):
            runs.append([0 if reads and not runs else begin, end])
            been_read = False
        runs[-1][1] = max(runs[-1][1], end)
        been_read = been_read or reads
    return runs


def covered_bytes(spans: list[tuple[int, int]]) -> int:
    """Bytes in at least one of the spans."""
    edges = sorted({edge for span in spans for edge in span})
    return sum(b - a for a, b in pairwise(edges) if any(s <= a and b <= e for s, e in spans))
