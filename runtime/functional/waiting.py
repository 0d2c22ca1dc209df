"""What blocked engines wait for, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ...backend.isa import BY_MNEMONIC, CHANNEL, SYNC_KINDS
from .loader import Loaded


@dataclass(frozen=True)
class Blocked:
    """An engine that cannot go on."""

    engine: int
    pc: int
    begun: int
    """Bits of operands (or steps of a sync) already begun."""


def deadlock_note(loaded: Loaded, blocked: list[Blocked]) -> str:
    """Each blocked engine, its instruction, and the channel step that it waits for."""
    return "; ".join(_waits_for(loaded, one) for one in blocked)


def waited_for(loaded: Loaded, blocked: Blocked) -> tuple[int, str]:
    """The channel whose step comes next for an engine, and the step; -1 where there is none."""
    engine = loaded.engines[blocked.engine]
    ins = loaded.instructions[blocked.engine][blocked.pc]
    number, step = -1, ""
    if ins.mnemonic == "sync":
        number, step = ins.fields["channel"], SYNC_KINDS[ins.fields["kind"]]
    elif ins.mnemonic == "pop":
        number, step = ins.fields["channel"], "pop"
    for index, spec in enumerate(BY_MNEMONIC[ins.mnemonic].operands):
        operand = ins.operands.get(spec.name)
        if operand is None or operand.kind != CHANNEL or not operand.begin:
            continue
        if not blocked.begun >> index & 1:
            number = operand.id
            step = "acquire" if loaded.program.channels[number].producer == engine else "wait"
            break
    return number, step


def _waits_for(loaded: Loaded, blocked: Blocked) -> str:
    engine = loaded.engines[blocked.engine]
    ins = loaded.instructions[blocked.engine][blocked.pc]
    number, step = waited_for(loaded, blocked)
    name = loaded.program.channels[number].name
    places = loaded.program.locations.get(engine)
    what = ", ".join(filter(None, (ins.mnemonic, places[blocked.pc] if places else "")))
    return f"{engine} at instruction {blocked.pc} ({what}) is at {step} of '{name}'"
