"""A recorded step as a Perfetto trace: https://perfetto.dev/docs/reference/synthetic-track-event.

Perfetto counts nanoseconds in whole numbers. A picosecond is written as one of them, so that no
time is rounded: what the viewer calls 1 us is 1 ns of the machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import IO

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    Trace,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)

from ...backend.timing import ceil_div
from .decoded import Decoded
from .trace import LaunchTrace, StepTrace
from .trace_record import Service, Slice

SEQUENCE = 1
BATCH = 4096
"""Packets that are written at a time."""
POINTS = 1000
"""Values of the bandwidth counter, at most, in each launch."""
ROOT, PASSES, ENGINES = 1, 2, 3
"""Track numbers. A track for each engine follows, then the others, in the order of the viewer."""
Notes = Mapping[str, int | str]


def write_trace(trace: StepTrace, file: IO[bytes]) -> None:
    """Write a recorded step. The same step gives the same bytes."""
    _Writer(trace, file).write()


class _Writer:
    def __init__(self, trace: StepTrace, file: IO[bytes]) -> None:
        self.trace, self.file = trace, file
        self.batch = Trace()
        self.numbers: dict[str, dict[str, int]] = defaultdict(dict)
        """Interned texts, by what they are."""
        self.arrows = 0
        """Arrows of the launches before."""
        self.engines = trace.launches[0].launch.engines
        self.channels = trace.launches[0].launch.program.channels
        first = ENGINES + len(self.engines)
        self.memory, self.bandwidth, self.rings, self.levels = range(first, first + 4)

    def write(self) -> None:
        first = self._packet()
        first.first_packet_on_sequence = True
        first.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        self._tracks()
        for launch in self.trace.launches:
            self._passes(launch)
            self._slices(launch)
            self._memory(launch)
            self._levels(launch)
            self.arrows += len(launch.record.arrows)
        self._flush()

    # Tracks

    def _tracks(self) -> None:
        step, machine = self.trace.step, self.trace.machine
        root = self._packet().track_descriptor
        root.uuid = ROOT
        root.name = (
            f"{step.phase} of {step.tokens} behind {step.cached} on {machine.name} "
            "(1 ns here is 1 ps)"
        )
        root.child_ordering = TrackDescriptor.EXPLICIT
        self._track(PASSES, "launch and layers", ROOT)
        for number, name in enumerate(self.engines, ENGINES):
            self._track(number, name, ROOT)
        self._track(self.memory, "main memory", ROOT)
        self._track(self.bandwidth, "main memory bandwidth", ROOT).counter.unit_name = "GB/s"
        self._track(self.rings, "channels", ROOT).child_ordering = TrackDescriptor.EXPLICIT
        for number, channel in enumerate(self.channels):
            for uuid, what in zip(self._level_tracks(number), ("in use", "filled"), strict=True):
                track = self._track(uuid, f"@{channel.name} {what}, of {channel.slots}", self.rings)
                track.counter.unit_name = "slots"

    def _track(self, uuid: int, name: str, parent: int) -> TrackDescriptor:
        track = self._packet().track_descriptor
        track.uuid, track.parent_uuid, track.name = uuid, parent, name
        track.sibling_order_rank = uuid
        return track

    def _level_tracks(self, channel: int) -> tuple[int, int]:
        first = self.levels + 2 * channel
        return first, first + 1

    # What happened

    def _passes(self, launch: LaunchTrace) -> None:
        """The launch, and in it the layers as the matrix unit passes through them."""
        record, number = launch.record, self.trace.launches.index(launch)
        self._begin(launch.offset + record.begin, PASSES, f"launch {number}", "launch", {})
        for layer, (begin, end) in enumerate(pairwise(self.trace.step.launches[number].layers)):
            begin, end = max(begin, record.begin), min(end, record.end)
            if begin < end:
                self._begin(launch.offset + begin, PASSES, f"layer {layer}", "layer", {})
                self._end(launch.offset + end, PASSES)
        self._end(launch.offset + record.end, PASSES)

    def _slices(self, launch: LaunchTrace) -> None:
        sources: dict[int, list[int]] = defaultdict(list)
        targets: dict[int, list[int]] = defaultdict(list)
        for number, arrow in enumerate(launch.record.arrows, self.arrows + 1):
            sources[arrow.source].append(number)
            targets[arrow.target].append(number)
        for number, found in enumerate(launch.record.slices):
            instant = found.begin == found.end
            if instant and not sources[number] and not targets[number]:
                continue
            name, category = _name(launch.launch, found)
            track, notes = ENGINES + found.engine, _notes(launch.launch, found)
            event = self._begin(launch.offset + found.begin, track, name, category, notes, instant)
            event.flow_ids.extend(sources[number])
            event.terminating_flow_ids.extend(targets[number])
            if not instant:
                self._end(launch.offset + found.end, track)

    def _memory(self, launch: LaunchTrace) -> None:
        for found in launch.record.services:
            queue = launch.launch.engines[found.engine]
            op = _op(launch.launch, found)
            notes = {"pc": found.pc, "op": op, "bytes": found.nbytes}
            name = _numbered(op, found.layer) or queue
            self._begin(launch.offset + found.begin, self.memory, name, queue, notes)
            self._end(launch.offset + found.end, self.memory)
        peak = self.trace.machine.hbm_bytes_per_second / 10**9
        for time, busy in busy_shares(launch):
            event = self._event(launch.offset + time, TrackEvent.TYPE_COUNTER, self.bandwidth)
            event.double_counter_value = busy * peak

    def _levels(self, launch: LaunchTrace) -> None:
        known: dict[int, int] = {}
        for level in launch.record.levels:
            tracks = self._level_tracks(level.channel)
            for track, slots in zip(tracks, (level.used, level.filled), strict=True):
                if known.get(track) != slots:
                    known[track] = slots
                    event = self._event(launch.offset + level.time, TrackEvent.TYPE_COUNTER, track)
                    event.counter_value = slots

    # Packets

    def _begin(
        self, time: int, track: int, name: str, category: str, notes: Notes, instant: bool = False
    ) -> TrackEvent:
        kind = TrackEvent.TYPE_INSTANT if instant else TrackEvent.TYPE_SLICE_BEGIN
        event = self._event(time, kind, track)
        packet = self.batch.packet[-1]
        event.name_iid = self._intern(packet, "event_names", name)
        event.category_iids.append(self._intern(packet, "event_categories", category))
        for key, value in notes.items():
            note = event.debug_annotations.add()
            note.name_iid = self._intern(packet, "debug_annotation_names", key)
            if isinstance(value, int):
                note.int_value = value
            else:
                note.string_value_iid = self._intern(
                    packet, "debug_annotation_string_values", value
                )
        return event

    def _end(self, time: int, track: int) -> None:
        self._event(time, TrackEvent.TYPE_SLICE_END, track)

    def _event(self, time: int, kind: TrackEvent.Type, track: int) -> TrackEvent:
        packet = self._packet()
        packet.timestamp = time
        packet.sequence_flags = TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet.track_event

    def _intern(self, packet: TracePacket, what: str, text: str) -> int:
        """The number of a text, which is defined where it is used first."""
        numbers = self.numbers[what]
        if text not in numbers:
            numbers[text] = len(numbers) + 1
            entry = getattr(packet.interned_data, what).add()
            entry.iid = numbers[text]
            if what == "debug_annotation_string_values":
                entry.str = text.encode()
            else:
                entry.name = text
        return numbers[text]

    def _packet(self) -> TracePacket:
        if len(self.batch.packet) >= BATCH:
            self._flush()
        packet = self.batch.packet.add()
        packet.trusted_packet_sequence_id = SEQUENCE
        return packet

    def _flush(self) -> None:
        """Traces may be written one behind the other: together they are one."""
        self.file.write(self.batch.SerializeToString())
        self.batch = Trace()


def busy_shares(launch: LaunchTrace) -> list[tuple[int, float]]:
    """(time, share of it that main memory is busy until the next time), where the share changes."""
    record = launch.record
    width = 1
    while (record.end - record.begin) > POINTS * width:
        width *= 10
    busy = [0] * ceil_div(record.end - record.begin, width)
    for found in record.services:
        begin = found.begin
        while begin < found.end:
            bucket = (begin - record.begin) // width
            end = min(found.end, record.begin + (bucket + 1) * width)
            busy[bucket] += end - begin
            begin = end
    shares: list[tuple[int, float]] = []
    for bucket, spent in enumerate(busy):
        begin = record.begin + bucket * width
        shares.append((begin, spent / (min(begin + width, record.end) - begin)))
    shares.append((record.end, 0.0))
    return [s for n, s in enumerate(shares) if not n or s[1] != shares[n - 1][1]]


def _name(launch: Decoded, found: Slice) -> tuple[str, str]:
    """What a slice is called, and its category."""
    if found.extents is None:
        return found.cause, found.cause.split()[0]
    mnemonic = launch.streams[found.engine][found.pc].ins.mnemonic
    return _numbered(_op(launch, found), found.layer) or mnemonic, mnemonic


def _notes(launch: Decoded, found: Slice) -> Notes:
    """What is said about a slice beside its name."""
    if found.pc < 0:
        return {"cause": found.cause}
    notes: dict[str, int | str] = {"cause": found.cause, "pc": found.pc}
    notes["op"] = _op(launch, found)
    if found.layer >= 0:
        notes["layer"] = found.layer
    if found.extents is not None:
        rule = launch.streams[found.engine][found.pc].rule
        cost = rule.at(found.extents)
        if box := rule.box(found.extents):
            notes["extents"] = " x ".join(map(str, box))
        numbers = {
            "read_bytes": cost.read_bytes,
            "written_bytes": cost.written_bytes,
            "burst_bytes": cost.burst_bytes,
            "spm_bytes": cost.spm_bytes,
            "acc_bytes": cost.acc_bytes,
        }
        notes |= {name: number for name, number in numbers.items() if number}
    return notes


def _op(launch: Decoded, found: Slice | Service) -> str:
    places = launch.program.locations.get(launch.engines[found.engine])
    return places[found.pc] if places else ""


def _numbered(op: str, layer: int) -> str:
    """A model op with its layer: blk.{l}.attn_qkv -> blk.3.attn_qkv."""
    return op.replace("{l}", str(layer)) if layer >= 0 else op
