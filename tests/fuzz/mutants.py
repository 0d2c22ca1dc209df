"""Mutants of a compiled program: each lacks, moves or doubles one step, or shifts one address.

    for mutant in mutants(program): verdict = judge(mutant, bench)

A mutant is judged by the proof (`runtime.proof`), then by the emulator in several orders, then by
its values. One that the proof accepts obeys C1 to C7 again: that is the reason why it may survive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from tilewright.backend.errors import TilewrightError
from tilewright.backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    ELEMENT_BYTES,
    REGION,
    SYNC_KINDS,
    Ins,
    Program,
    decode,
    encode_all,
)
from tilewright.backend.machine import Machine
from tilewright.runtime.proof import ProofError, prove

LINE = 64
ORDERS = ("sequential", "loads-earliest", "stores-latest", "random:1", "random:2", "random:3")
STEPS = ("drop", "move earlier", "move later", "duplicate", "swap", "drop a token at both ends")
"""Kinds that touch synchronisation alone."""
Streams = dict[str, list[Ins]]


@dataclass(frozen=True)
class Mutant:
    """A changed program."""

    kind: str
    what: str
    channel: str
    """Channel or region that was changed; what is said must name it."""
    program: Program


@dataclass(frozen=True)
class Verdict:
    """`proof: C2`, `emulator: deadlock`, `values`, or `equal`; and what was said."""

    by: str
    said: str


class Bench(Protocol):
    """Runs a program: what it left in its regions, or the text of a fault."""

    def values(self, program: Program, order: str) -> bytes | str: ...


def with_streams(program: Program, streams: Streams, locations: dict[str, list[str]]) -> Program:
    """The same tables, other instructions."""
    words = {engine: encode_all(stream) for engine, stream in streams.items()}
    return replace(program, engines=words, locations=locations)


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


def _changed(program: Program, streams: Streams, engine: str, order: list[int]) -> Program:
    """The instructions of an engine in another order, some left out or twice."""
    stream, places = streams[engine], program.locations[engine]
    return with_streams(
        program,
        {**streams, engine: [stream[i] for i in order]},
        {**program.locations, engine: [places[i] for i in order]},
    )


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
            stream = [*streams[engine][:pc], other, *streams[engine][pc + 1 :]]
            yield Mutant(
                "drop" if had else "duplicate",
                f"{name}.{bit} of {engine} {pc}",
                program.channels[operand.id].name,
                with_streams(program, {**streams, engine: stream}, program.locations),
            )


def _of_tokens(program: Program, streams: Streams) -> Iterator[Mutant]:
    """Without its token a channel balances, so that only the order of accesses shows."""
    for number, channel in enumerate(program.channels):
        if channel.kind != "token":
            continue
        kept = {
            e: [i for i, ins in enumerate(s) if ins.mnemonic != "sync"
                or ins.fields["channel"] != number]
            for e, s in streams.items()
        }  # fmt: skip
        changed = with_streams(
            program,
            {e: [streams[e][i] for i in pcs] for e, pcs in kept.items()},
            {e: [program.locations[e][i] for i in pcs] for e, pcs in kept.items()},
        )
        yield Mutant("drop a token at both ends", channel.name, channel.name, changed)


def _of_tables(program: Program) -> Iterator[Mutant]:
    for number, one in enumerate(program.channels):

        def put(other: object, number: int = number) -> Program:
            table = [*program.channels]
            table[number] = other  # pyright: ignore[reportArgumentType]
            return replace(program, channels=tuple(table))

        if one.slots > 1:
            yield Mutant(
                "shrink a ring", one.name, one.name, put(replace(one, slots=one.slots - 1))
            )
        if one.slot_bytes:
            moved = replace(one, base=one.base + LINE)
            yield Mutant("shift a ring", one.name, one.name, put(moved))
    for number, region in enumerate(program.regions):
        table = [*program.regions]
        table[number] = replace(region, base=region.base + LINE)
        changed = replace(program, regions=tuple(table))
        yield Mutant("shift a region", region.name, region.name, changed)


def _of_views(program: Program, streams: Streams) -> Iterator[Mutant]:
    """One operand reads or writes one element further."""
    for engine, stream in streams.items():
        for pc, ins in enumerate(stream):
            for spec in BY_MNEMONIC[ins.mnemonic].operands:
                operand = ins.operands.get(spec.name)
                if operand is None or operand.kind not in (CHANNEL, REGION):
                    continue
                view = program.views[operand.view]
                item = ELEMENT_BYTES.get(view.format, 1)
                views = (*program.views, replace(view, offset=view.offset + item))
                moved = replace(operand, view=len(program.views))
                other = replace(ins, operands={**ins.operands, spec.name: moved})
                table = program.channels if operand.kind == CHANNEL else program.regions
                changed = {**streams, engine: [*stream[:pc], other, *stream[pc + 1 :]]}
                yield Mutant(
                    "shift a view",
                    f"{spec.name} of {engine} {pc}",
                    table[operand.id].name,
                    with_streams(replace(program, views=views), changed, program.locations),
                )


def judge(mutant: Mutant, machine: Machine, bench: Bench, wanted: bytes) -> Verdict:
    """Who notices it first."""
    try:
        prove(mutant.program, machine)
    except ProofError as error:
        return Verdict(f"proof: {error.rule}", str(error))
    except TilewrightError as error:
        return Verdict("loader", str(error))
    for order in ORDERS:
        found = bench.values(mutant.program, order)
        if isinstance(found, str):
            return Verdict(f"emulator: {found.split()[0]}", found)
        if found != wanted:
            return Verdict("values", f"other values in order {order}")
    return Verdict("equal", "")
