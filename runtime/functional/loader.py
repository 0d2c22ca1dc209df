"""A program as the engines see it: instructions decoded, loops paired, limits checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...backend.isa import CHANNEL, DEFAULT_OPCODES, EncodingError, Ins, Program, decode, loop_pairs
from ...backend.machine import Machine
from .faults import HELD_FAULT, UNFINISHED_FAULT, Fault, FaultPoint, fault_at
from .limits import find_problem, table_problem


@dataclass(frozen=True)
class Loaded:
    """A decoded program; lists are parallel to `engines`."""

    program: Program
    engines: tuple[str, ...]
    """Engines that have a stream or a part in a channel, in the machine's order."""
    instructions: tuple[list[Ins], ...]
    """Empty for an engine without a stream, which counts as halted."""
    pairs: tuple[dict[int, int], ...]
    """Index of each loop to that of its next, and back."""

    def fault(self, point: FaultPoint) -> Fault:
        """The Fault that `point` describes."""
        if point.kind in (HELD_FAULT, UNFINISHED_FAULT):
            point = replace(point, note=self.used_at(point.channel))
        if point.engine < 0:
            return fault_at(self.program, "", None, point)
        stream = self.instructions[point.engine]
        ins = stream[point.pc] if 0 <= point.pc < len(stream) else None
        place = self.place(point.engine, point.pc, point.counters)
        return fault_at(self.program, self.engines[point.engine], ins, point, place)

    def place(self, engine: int, pc: int, counters: Sequence[int] = ()) -> str:
        """The model op of an instruction, `blk.3.ffn_down`; empty if none is known.

        `counters` are those of the loops around it, outermost first: `{l}` is that of the first
        loop that is not itself a part of a layer. Without them it stays.
        """
        places = self.program.locations.get(self.engines[engine], [])
        place = places[pc] if 0 <= pc < len(places) else ""
        if "{l}" not in place:
            return place
        around = [start for start, end in self.pairs[engine].items() if start < pc <= end]
        for start, counter in zip(sorted(around), counters, strict=False):
            if "{l}" not in places[start]:
                return place.replace("{l}", str(counter))
        return place

    def used_at(self, channel: int) -> str:
        """The model ops that use a channel: what is left over at the end of a launch has no other
        place. Empty if none is known."""
        places = [
            place
            for engine, stream in zip(self.engines, self.instructions, strict=True)
            for ins, place in zip(stream, self.program.locations.get(engine, []), strict=False)
            if place and channel in channels_of(ins)
        ]
        found = ", ".join(dict.fromkeys(places))
        return f"; it is used at {found}" if found else ""

    def loop_counters(self, engine: int, pc: int) -> tuple[int, ...]:
        """Numbers of the counters of the loops around an instruction, outermost first."""
        stream = self.instructions[engine]
        around = [start for start, end in self.pairs[engine].items() if start < pc <= end]
        return tuple(stream[start].fields["counter"] for start in sorted(around))


def load(
    program: Program, machine: Machine, opcodes: Mapping[str, int] = DEFAULT_OPCODES
) -> Loaded:
    """Decode and check a program. Raises Fault where it breaks a limit, EncodingError for words."""
    known = machine.engines()
    ends = {e for c in program.channels for e in (c.producer, *c.consumers)}
    used = {*program.engines, *ends}
    for name in sorted(used):
        if name not in known:
            raise Fault("operand", f"machine {machine.name} has no engine '{name}'")
    reason = table_problem(program, {"spm": machine.spm_bytes, "acc": machine.acc_bytes})
    if reason:
        raise Fault("operand", reason)
    engines = tuple(name for name in known if name in used)
    streams = tuple(_decoded(program, name, opcodes) for name in engines)
    return Loaded(program, engines, streams, tuple(loop_pairs(stream) for stream in streams))


def _decoded(program: Program, engine: str, opcodes: Mapping[str, int]) -> list[Ins]:
    if engine not in program.engines:
        return []
    try:
        stream = decode(program.engines[engine], opcodes)
    except EncodingError as error:
        raise EncodingError(f"engine {engine}: {error}") from None
    halts = [pc for pc, ins in enumerate(stream) if ins.mnemonic == "halt"]
    if halts != [len(stream) - 1]:
        raise Fault("operand", f"halt stands at {halts}, wanted once, as the last word", engine)
    for pc, ins in enumerate(stream):
        reason = find_problem(program, engine, ins)
        if reason:
            locations = program.locations.get(engine, [])
            location = locations[pc] if pc < len(locations) else ""
            raise Fault("operand", reason, engine, pc, (), location)
    return stream


def channels_of(ins: Ins) -> set[int]:
    """Numbers of the channels that an instruction touches."""
    found = {operand.id for operand in ins.operands.values() if operand.kind == CHANNEL}
    return found | {ins.fields["channel"]} if "channel" in ins.fields else found
