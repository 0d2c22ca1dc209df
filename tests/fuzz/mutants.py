"""Mutants of a compiled program: each lacks, moves or doubles one step, or shifts one address.

    for mutant in mutants(program): mutant.make()

`verdicts` says who notices each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tilewright.backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    ELEMENT_BYTES,
    REGION,
    SYNC_KINDS,
    Channel,
    Ins,
    Program,
    Region,
    decode,
    encode_all,
)

LINE = 64
Streams = dict[str, list[Ins]]


@dataclass(frozen=True)
class Mutant:
    """A changed program."""

    kind: str
    what: str
    channel: str
    """Channel or region that was changed; what is said must name it."""
    make: Callable[[], Program]
    at: tuple[str, int] | None = None
    """Engine and instruction, where that is all that was changed."""


def _with(
    program: Program, engine: str, stream: list[Ins], locations: list[str] | None = None
) -> Program:
    """The same tables, other instructions of one engine."""
    places = program.locations if locations is None else {**program.locations, engine: locations}
    return replace(
        program, engines={**program.engines, engine: encode_all(stream)}, locations=places
    )


def mutants(program: Program) -> Iterator[Mutant]:
    """Every mutant, in a fixed order."""
    streams = {engine: decode(words) for engine, words in program.engines.items()}
    for engine, stream in streams.items():
        for pc, ins in enumerate(stream):
            if ins.mnemonic == "sync":
                yield from _of_sync(program, streams, engine, pc)
            yield from _of_bits(program, streams, engine, pc)
    yield from _of_tokens(program, streams)
    yield from _of_tables(program)
    yield from _of_views(program, streams)


def _changed(
    program: Program, streams: Streams, engine: str, order: list[int]
) -> Callable[[], Program]:
    """The instructions of an engine in another order, some left out or twice."""
    stream, places = streams[engine], program.locations[engine]
    return lambda: _with(program, engine, [stream[i] for i in order], [places[i] for i in order])


def _instead(
    program: Program, streams: Streams, engine: str, pc: int, other: Ins
) -> Callable[[], Program]:
    """Another instruction in the place of one."""
    stream = streams[engine]
    return lambda: _with(program, engine, [*stream[:pc], other, *stream[pc + 1 :]])


def _of_sync(program: Program, streams: Streams, engine: str, pc: int) -> Iterator[Mutant]:
    stream = streams[engine]
    ins = stream[pc]
    name = program.channels[ins.fields["channel"]].name
    what = f"{SYNC_KINDS[ins.fields['kind']]} of {engine} {pc}"
    every = list(range(len(stream)))
    yield Mutant(
        "drop", what, name, _changed(program, streams, engine, every[:pc] + every[pc + 1 :])
    )
    double = [*every[: pc + 1], *every[pc:]]
    yield Mutant("duplicate", what, name, _changed(program, streams, engine, double))
    for other, kind in ((pc - 1, "move earlier"), (pc + 1, "move later")):
        if not 0 <= other < len(stream) or stream[other].mnemonic in ("loop", "next", "halt"):
            continue
        if stream[other].mnemonic == "sync":
            kind = "swap"
            if other < pc or stream[other] == ins:
                continue
        order = [*every]
        order[pc], order[other] = order[other], order[pc]
        yield Mutant(kind, what, name, _changed(program, streams, engine, order))


def _of_bits(program: Program, streams: Streams, engine: str, pc: int) -> Iterator[Mutant]:
    ins = streams[engine][pc]
    for name, operand in ins.operands.items():
        for bit in ("begin", "end"):
            if operand.kind != CHANNEL:
                continue
            had = getattr(operand, bit)
            other = replace(
                ins, operands={**ins.operands, name: replace(operand, **{bit: not had})}
            )
            yield Mutant(
                "drop" if had else "duplicate",
                f"{name}.{bit} of {engine} {pc}",
                program.channels[operand.id].name,
                _instead(program, streams, engine, pc, other),
            )


def _of_tokens(program: Program, streams: Streams) -> Iterator[Mutant]:
    """Without its token a channel balances, so that only the order of accesses shows."""
    for number, channel in enumerate(program.channels):
        if channel.kind != "token":
            continue
        name = channel.name
        yield Mutant("drop a token at both ends", name, name, _without(program, streams, number))


def _without(program: Program, streams: Streams, token: int) -> Callable[[], Program]:
    """Without the steps of a token."""

    def make() -> Program:
        out = program
        for engine, stream in streams.items():
            kept = [i for i, ins in enumerate(stream) if ins.mnemonic != "sync"
                    or ins.fields["channel"] != token]  # fmt: skip
            if len(kept) < len(stream):
                out = _changed(out, streams, engine, kept)()
        return out

    return make


def _put(program: Program, number: int, other: Channel) -> Callable[[], Program]:
    """Another entry of the channel table."""
    table = [*program.channels]
    table[number] = other
    return lambda: replace(program, channels=tuple(table))


def _of_tables(program: Program) -> Iterator[Mutant]:
    for number, one in enumerate(program.channels):
        if one.slots > 1:
            yield Mutant(
                "shrink a ring",
                one.name,
                one.name,
                _put(program, number, replace(one, slots=one.slots - 1)),
            )
        if one.slot_bytes:
            moved = replace(one, base=one.base + LINE)
            yield Mutant("shift a ring", one.name, one.name, _put(program, number, moved))
    for number, region in enumerate(program.regions):
        table = [*program.regions]
        table[number] = replace(region, base=region.base + LINE)
        yield Mutant("shift a region", region.name, region.name, _regions(program, table))


def _regions(program: Program, table: list[Region]) -> Callable[[], Program]:
    return lambda: replace(program, regions=tuple(table))


def _of_views(program: Program, streams: Streams) -> Iterator[Mutant]:
    """One operand reads or writes one element further."""
    for engine, stream in streams.items():
        for pc, ins in enumerate(stream):
            for spec in BY_MNEMONIC[ins.mnemonic].operands:
                operand = ins.operands.get(spec.name)
                if operand is None or operand.kind not in (CHANNEL, REGION):
                    continue
                table = program.channels if operand.kind == CHANNEL else program.regions
                yield Mutant(
                    "shift a view",
                    f"{spec.name} of {engine} {pc}",
                    table[operand.id].name,
                    _further(program, streams, engine, pc, spec.name),
                    (engine, pc),
                )


def _further(
    program: Program, streams: Streams, engine: str, pc: int, name: str
) -> Callable[[], Program]:
    ins = streams[engine][pc]
    operand = ins.operands[name]
    view = program.views[operand.view]
    item = ELEMENT_BYTES.get(view.format, 1)
    moved = replace(operand, view=len(program.views))
    other = replace(ins, operands={**ins.operands, name: moved})
    longer = replace(program, views=(*program.views, replace(view, offset=view.offset + item)))
    return _instead(longer, streams, engine, pc, other)
