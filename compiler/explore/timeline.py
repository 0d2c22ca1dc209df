"""The timeline of a step for the page: what each engine did when, as the recorder of traces tells.

Slices of an engine follow each other without a gap, so a slice is its kind and its duration. A kind
is (cause, instruction, extents); a launch has a few hundred.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from ...backend.image import Image
from ...backend.machine import Machine
from ...runtime.functional import launch_words, load
from ...runtime.timing import (
    Decoded,
    Recorder,
    Shortened,
    TimedStep,
    decoded,
    record_launch,
    shortened,
)

MOST_EVENTS = 400_000
"""More than any step of 70B takes in three layers; beyond it TimingError says what to do."""
SHOWN = 2
"""Launches of a step: the first and the last."""


def recordings(
    image: Image, machine: Machine, step: TimedStep
) -> list[tuple[int, Shortened, Recorder]]:
    """(number of the launch, launch, record) of the launches that are shown.

    Raises TimingError for launches of too many events.
    """
    program = image.entries[step.phase]
    loaded = load(program, machine, image.opcodes)
    last = len(step.launches) - 1
    numbers = range(last + 1) if last < SHOWN else (0, last)
    found: list[tuple[int, Shortened, Recorder]] = []
    events = 0
    for number in numbers:
        words = launch_words(program, step.parameters[number]).tolist()
        short = shortened(decoded(loaded, machine, words), step.launches[number])
        end = short.result.picoseconds
        record = record_launch(Recorder(short.launch, 0, end, MOST_EVENTS, events))
        events += record.events
        found.append((number, short, record))
    return found


def timeline(step: TimedStep, recorded: list[tuple[int, Shortened, Recorder]]) -> dict[str, Any]:
    """The section: launches that are shown, of how many, and their time together."""
    return {
        "picoseconds": step.picoseconds,
        "launches": [launch.picoseconds for launch in step.launches],
        "shown": [_launch(number, short, record) for number, short, record in recorded],
    }


def _launch(number: int, short: Shortened, record: Recorder) -> dict[str, Any]:
    launch = short.launch
    return {
        "number": number,
        "recorded": short.result.picoseconds,
        "left_out": short.left_out,
        "steady": short.steady,
        "layer_picoseconds": short.layer_picoseconds,
        "stretches": _stretches(short),
        "engines": [_engine(launch, record, e) for e in range(len(launch.engines))],
        "memory": _services(launch, record),
        "channels": _levels(launch, record),
    }


def _stretches(short: Shortened) -> list[dict[str, Any]]:
    """What lies before, in and behind the layers: begin, end, and how often it happens."""
    layers, end = short.result.layers, short.result.picoseconds
    if len(layers) < 2:
        return [{"title": "the whole launch", "begin": 0, "end": end, "times": 1}]
    found: list[dict[str, Any]] = []

    def add(title: str, begin: int, end: int, times: int = 1) -> None:
        if begin < end:
            found.append({"title": title, "begin": begin, "end": end, "times": times})

    add("before the layers", 0, layers[0])
    for layer, (begin, until) in enumerate(pairwise(layers)):
        shown = layer + (short.left_out if layer > short.steady >= 0 else 0)
        times = short.left_out + 1 if layer == short.steady else 1
        add(f"layer {shown}", begin, until, times)
    add("behind the layers", layers[-1], end)
    return found


def _engine(launch: Decoded, record: Recorder, engine: int) -> dict[str, Any]:
    """Kinds and slices: durations in picoseconds, kinds by number, layers as runs."""
    places = launch.program.locations.get(launch.engines[engine]) or []
    kinds: dict[tuple[str, int, str], int] = {}
    of: list[int] = []
    durations: list[int] = []
    layers: list[tuple[int, int]] = []
    for found in record.slices:
        if found.engine != engine or found.begin == found.end:
            continue
        box = ""
        if found.extents is not None:
            rule = launch.streams[engine][found.pc].rule
            box = " x ".join(map(str, rule.box(found.extents)))
        kind = (found.cause, found.pc, box)
        if not layers or layers[-1][1] != found.layer:
            layers.append((len(of), found.layer))
        of.append(kinds.setdefault(kind, len(kinds)))
        durations.append(found.end - found.begin)
    table = [
        {
            "cause": cause,
            "pc": pc,
            "box": box,
            "op": places[pc] if 0 <= pc < len(places) else "",
            "what": launch.streams[engine][pc].ins.mnemonic if pc >= 0 else "",
        }
        for cause, pc, box in kinds
    ]
    return {
        "name": launch.engines[engine],
        "kinds": table,
        "kind": of,
        "duration": durations,
        "layers": layers,
    }


def _services(launch: Decoded, record: Recorder) -> dict[str, Any]:
    """Main memory at work: gap behind the service before, duration, and kind of each."""
    kinds: dict[tuple[int, int, int], int] = {}
    gaps: list[int] = []
    durations: list[int] = []
    of: list[int] = []
    until = 0
    for found in record.services:
        gaps.append(found.begin - until)
        durations.append(found.end - found.begin)
        of.append(kinds.setdefault((found.engine, found.pc, found.nbytes), len(kinds)))
        until = found.end
    table = [
        {"queue": launch.engines[e], "pc": pc, "bytes": n, "op": _op(launch, e, pc)}
        for e, pc, n in kinds
    ]
    return {"kinds": table, "gap": gaps, "duration": durations, "kind": of}


def _op(launch: Decoded, engine: int, pc: int) -> str:
    places = launch.program.locations.get(launch.engines[engine])
    return places[pc] if places else ""


def _levels(launch: Decoded, record: Recorder) -> list[dict[str, Any]]:
    """Each channel: time since the level before, slots in use, slots filled."""
    by_channel: list[list[tuple[int, int, int]]] = [[] for _ in launch.program.channels]
    for level in record.levels:
        by_channel[level.channel].append((level.time, level.used, level.filled))
    found: list[dict[str, Any]] = []
    for channel, levels in zip(launch.program.channels, by_channel, strict=True):
        times = [time for time, _, _ in levels]
        found.append(
            {
                "name": channel.name,
                "slots": channel.slots,
                "kind": channel.kind,
                "producer": channel.producer,
                "consumers": list(channel.consumers),
                "gap": [t - before for before, t in pairwise([0, *times])],
                "used": [used for _, used, _ in levels],
                "filled": [filled for _, _, filled in levels],
            }
        )
    return found


def recorded_causes(record: Recorder, engine: int) -> dict[str, int]:
    """Time of an engine by cause, as recorded."""
    found: Counter[str] = Counter()
    for one in record.slices:
        if one.engine == engine:
            found[one.cause] += one.end - one.begin
    return dict(found)
