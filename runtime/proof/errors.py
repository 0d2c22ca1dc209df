"""A rule that a compiled program breaks: which, where, and what was found."""

from __future__ import annotations

from ...backend.errors import TilewrightError
from ..functional import FaultPoint, Loaded


class ProofError(TilewrightError):
    """A program of which a rule cannot be proven. The fields say where; the text says all of it."""

    def __init__(
        self, rule: str, message: str, engine: str = "", pc: int = -1, location: str = ""
    ) -> None:
        where = f"{engine} instruction {pc}" if engine else "program"
        if location:
            where += f", {location}"
        super().__init__(f"{rule} broken at {where}: {message}")
        self.rule = rule
        """C1 to C6, or `addresses`."""
        self.engine = engine
        """Name of the engine; empty for what no single instruction does."""
        self.pc = pc
        """Index of the instruction in the engine's stream; -1 without one."""
        self.location = location
        """The model op that the instruction came from."""
        self.message = message

    def on(self, launch: str) -> ProofError:
        """The same, found on one launch."""
        message = f"{self.message} (launch: {launch})"
        return ProofError(self.rule, message, self.engine, self.pc, self.location)


def location_of(loaded: Loaded, engine: int, pc: int) -> str:
    """The model op of an instruction; empty where none is known."""
    places = loaded.program.locations.get(loaded.engines[engine], [])
    return places[pc] if 0 <= pc < len(places) else ""


def broken(rule: str, loaded: Loaded, engine: int, pc: int, message: str) -> ProofError:
    """The error of one instruction."""
    name = loaded.engines[engine]
    return ProofError(rule, message, name, pc, location_of(loaded, engine, pc))


def as_fault(rule: str, loaded: Loaded, point: FaultPoint) -> ProofError:
    """The error that the emulator would report as a fault, in its words."""
    fault = loaded.fault(point)
    return ProofError(rule, fault.message, fault.engine, fault.pc, fault.location)
