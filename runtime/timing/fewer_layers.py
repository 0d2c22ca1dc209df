"""A launch of fewer layers that stands for the whole one: layers repeat to the picosecond.

A step of a large model is millions of instructions, nearly all of them in layers like the one
before. A launch whose loops over layers make fewer trips has the same beginning, the same steady
layer and the same end; whether that is so is checked, charge by charge, against the whole launch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from ...backend.isa import NO_REGISTER
from .decoded import Decoded
from .fast import WORTH, run_fast
from .result import TimingResult, result_of

KEPT = (3, 4, 5)
"""Layers that are tried, fewest first: the first, a steady one, the last."""


@dataclass(frozen=True)
class Shortened:
    """A launch of which `left_out` equal layers are left out, behind layer `steady`."""

    launch: Decoded
    result: TimingResult
    """Of the launch as it is shortened."""
    left_out: int
    steady: int
    """The layer that the left out ones equal; -1 where none is left out."""
    layer_picoseconds: int
    """Time of one left out layer."""


def shortened(launch: Decoded, whole: TimingResult) -> Shortened:
    """The launch with as few layers as stand for all of them, or the launch itself.

    What is left out times its number, and what is kept, add up to `whole` exactly: time and every
    charge of every engine.
    """
    layers = len(whole.layers) - 1
    for kept in KEPT:
        if layers <= kept:
            break
        short, shorter = _with_fewer(launch, layers - kept), _with_fewer(launch, layers - kept + 1)
        if short is None or shorter is None:
            break
        result, less = _timed(short), _timed(shorter)
        if _repeats(whole, result, less, layers - kept):
            steady = kept - 2
            period = result.picoseconds - less.picoseconds
            return Shortened(short, result, layers - kept, steady, period)
    return Shortened(launch, whole, 0, -1, 0)


def layer_loops(launch: Decoded, engine: int) -> list[int]:
    """The outermost loops of an engine around instructions that every layer has."""
    stream, pairs = launch.streams[engine], launch.loaded.pairs[engine]
    places = launch.program.locations.get(launch.engines[engine]) or [""] * len(stream)
    found: list[int] = []
    outer = -1
    for start, end in sorted(pairs.items()):
        if not outer < start < end or "{l}" in places[start]:
            continue
        outer = end
        if any("{l}" in place for place in places[start:end]):
            found.append(start)
    return found


def _with_fewer(launch: Decoded, fewer: int) -> Decoded | None:
    """The launch with `fewer` trips of each loop over layers; None where one has not so many."""
    streams = [list(stream) for stream in launch.streams]
    for engine, stream in enumerate(streams):
        loops = layer_loops(launch, engine)
        if len(loops) > 1:
            return None
        for pc in loops:
            ins = stream[pc].ins
            trips = ins.fields["trips"] - fewer
            if ins.fields["count"] != NO_REGISTER or trips < 1:
                return None
            stream[pc] = replace(stream[pc], ins=replace(ins, fields=ins.fields | {"trips": trips}))
    loaded = replace(
        launch.loaded, instructions=tuple([timed.ins for timed in stream] for stream in streams)
    )
    return replace(launch, loaded=loaded, streams=tuple(tuple(stream) for stream in streams))


def _timed(launch: Decoded) -> TimingResult:
    return result_of(launch, run_fast(launch, WORTH))


def _repeats(whole: TimingResult, short: TimingResult, less: TimingResult, times: int) -> bool:
    """Whether `times` layers, each the difference of `short` and `less`, and `short` are all."""
    if whole.picoseconds != short.picoseconds + times * (short.picoseconds - less.picoseconds):
        return False
    for engine, charges in whole.engines.items():
        kept, fewer = Counter(short.engines[engine]), Counter(less.engines[engine])
        for charge in {*charges, *kept, *fewer}:
            layer = kept[charge] - fewer[charge]
            if charges.get(charge, 0) != kept[charge] + times * layer:
                return False
    return True
