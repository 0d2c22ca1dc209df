"""Which rings need no copying: their slots only ever hold runs of read-only bytes.

A weight travels from hbm into a slot and is read there once; an emulator that copies it moves it
twice. Where every slot of a channel is filled by one `copy` from weights or tables, the compiled
engine notes the address that was to be copied and reads there. The bits, the checks and the faults
stay the same, because nothing else can see the slot's own bytes.
"""

from __future__ import annotations

from ...backend.isa import CHANNEL, PACKED_ROLES, REGION, SYNC_KINDS, Channel, Ins, Operand, Program
from .loader import Loaded

_PRODUCER_STEPS = ("acquire", "commit")


def aliased_channels(loaded: Loaded) -> frozenset[int]:
    """Numbers of the channels whose slots may stand for the bytes copied into them."""
    program = loaded.program
    found = {n for n, c in enumerate(program.channels) if _is_alone(program, c)}
    for engine, stream in zip(loaded.engines, loaded.instructions, strict=True):
        for ins in stream:
            found -= _spoiled(program, engine, ins)
    return frozenset(found)


def _is_alone(program: Program, channel: Channel) -> bool:
    """Whether the slots are bytes of spm that no region and no other channel lies on."""
    if channel.kind != "slot" or channel.space != "spm":
        return False
    others = [(c.base, c.nbytes) for c in program.channels if c.space == "spm" and c != channel]
    others += [(r.base, r.nbytes) for r in program.regions if r.memory == "spm"]
    end = channel.base + channel.nbytes
    return all(base >= end or base + nbytes <= channel.base for base, nbytes in others)


def _spoiled(program: Program, engine: str, ins: Ins) -> set[int]:
    """Channels that this instruction fills in a way that needs bytes of their own."""
    out: set[int] = set()
    if ins.mnemonic == "sync" and SYNC_KINDS[ins.fields["kind"]] in _PRODUCER_STEPS:
        out.add(ins.fields["channel"])
    for operand in ins.operands.values():
        if operand.kind != CHANNEL or program.channels[operand.id].producer != engine:
            continue
        whole = operand.begin and operand.end and operand.age == 0
        if ins.mnemonic != "copy" or not whole or not _from_weights(program, ins.operands["src"]):
            out.add(operand.id)
    return out


def _from_weights(program: Program, source: Operand) -> bool:
    if source.kind != REGION:
        return False
    region = program.regions[source.id]
    return region.role in PACKED_ROLES and region.memory == "hbm"
