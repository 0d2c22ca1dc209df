"""Faults: what an emulated machine may not do, found while it does it.

Both engines report a fault as the same few numbers; `fault_at` turns them into one message, so that
they agree word for word.
"""

from dataclasses import dataclass

from ...backend.errors import TilewrightError
from ...backend.isa import BY_MNEMONIC, CHANNEL, REGION, Ins, Program

_TEXTS = {
    "bounds": "{operand} touches bytes {x} to {y} of {place}, which has {z} bytes",
    "alignment": "{operand} starts at byte {x} of {place}, wanted a multiple of {y}",
    "uninitialised": "{operand} reads byte {x} of {place}, which nothing has written",
    "extent": "{operand} has extent {x} on axis {z}, wanted at least {y}",
    "age": "{operand} names slot {x} of channel '{channel}', this engine holds {y}: its wait or "
    "acquire comes first",
    "commit": "commit of channel '{channel}' without an acquired slot",
    "release": "release of channel '{channel}' without a slot that was waited for",
    "held": "halt while {x} slots of channel '{channel}' are held{note}",
    "pop": "pop took {x} from channel '{channel}', wanted 0 to {y}",
    "table": "ldp reads word {x} of the launch parameters, wanted 0 to {y}",
    "unfinished": "launch ended with {x} slots of channel '{channel}' committed and unread, "
    "wanted {y}{note}",
    "deadlock": "no engine can go on: {note}",
    "operand": "{operand}: {note}",
    "parameter": "{note}",
}
KINDS = tuple(_TEXTS)
"""Every kind of fault."""

(BOUNDS_FAULT, ALIGNMENT_FAULT, UNINITIALISED_FAULT, EXTENT_FAULT, AGE_FAULT,
 COMMIT_FAULT, RELEASE_FAULT, HELD_FAULT, POP_FAULT, TABLE_FAULT, UNFINISHED_FAULT,
 DEADLOCK_FAULT, OPERAND_FAULT, PARAMETER_FAULT) = range(1, len(KINDS) + 1)  # fmt: skip
"""Numbers of the kinds; 0 is no fault."""


class Fault(TilewrightError):
    """The program did what the machine forbids. The fields say where; the text says all of it."""

    def __init__(
        self,
        kind: str,
        message: str,
        engine: str = "",
        pc: int = -1,
        counters: tuple[int, ...] = (),
        location: str = "",
    ) -> None:
        where = f"{engine} instruction {pc}" if engine else "launch"
        if counters:
            where += f" (counters {', '.join(map(str, counters))})"
        if location:
            where += f", {location}"
        super().__init__(f"{kind} fault at {where}: {message}")
        self.kind = kind
        """One of KINDS."""
        self.engine = engine
        """Name of the engine; empty for a fault of the launch as a whole."""
        self.pc = pc
        """Index of the instruction in the engine's stream; -1 without one."""
        self.counters = counters
        """Counters of the loops around the instruction, outermost first."""
        self.location = location
        """The model op that the instruction came from."""
        self.message = message


@dataclass(frozen=True)
class FaultPoint:
    """What an engine reports: a kind's number, where, and up to three numbers for the text."""

    kind: int
    engine: int
    pc: int
    operand: int = -1
    """Index of the operand field; -1 without one."""
    channel: int = -1
    x: int = 0
    y: int = 0
    z: int = 0
    counters: tuple[int, ...] = ()
    note: str = ""


def fault_at(
    program: Program, engine: str, ins: Ins | None, point: FaultPoint, location: str = ""
) -> Fault:
    """The Fault with its message, from the program's tables and the faulting instruction."""
    operand = place = ""
    number = point.channel
    if point.operand >= 0 and ins is not None:
        name = BY_MNEMONIC[ins.mnemonic].operands[point.operand].name
        operand = f"{ins.mnemonic} {name}"
        field = ins.operands[name]
        if field.kind == CHANNEL:
            place, number = f"a slot of channel '{program.channels[field.id].name}'", field.id
        elif field.kind == REGION:
            place = f"region '{program.regions[field.id].name}'"
    channel = program.channels[number].name if number >= 0 else ""
    kind = KINDS[point.kind - 1]
    text = _TEXTS[kind].format(operand=operand, place=place, channel=channel, x=point.x, y=point.y,
                               z=point.z, note=point.note)  # fmt: skip
    return Fault(kind, text, engine, point.pc, point.counters, location)
