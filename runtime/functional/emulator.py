"""A program on a machine with memories: launch it, read and write its regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...backend.errors import TilewrightError
from ...backend.isa import DEFAULT_OPCODES, Program
from ...backend.machine import Machine
from .fast import FastEngine
from .loader import load
from .memories import Memories
from .orders import find_order
from .parameters import Parameters, launch_words
from .reference import ReferenceEngine

EngineName = Literal["fast", "reference"]
ENGINES: tuple[EngineName, ...] = ("fast", "reference")


class EmulatorError(TilewrightError):
    """A launch or an emulator that was asked for in a way it cannot be."""


class Emulator:
    """One entry, ready to be launched any number of times."""

    def __init__(
        self,
        program: Program,
        machine: Machine,
        memories: Memories | None = None,
        engine: str = "fast",
        order: str = "sequential",
        checks: bool = True,
        opcodes: Mapping[str, int] = DEFAULT_OPCODES,
    ) -> None:
        """Without `memories` the program gets its own. `checks` false leaves out the check for
        unwritten bytes; all others stay.

        Raises Fault where the program breaks a limit, EmulatorError for an unknown engine.
        """
        if engine not in ENGINES:
            raise EmulatorError(f"engine '{engine}' is unknown; use {' or '.join(ENGINES)}")
        self.program, self.machine = program, machine
        self.memories = memories or Memories(machine, [program])
        self.order = find_order(order)
        loaded = load(program, machine, opcodes)
        make = FastEngine if engine == "fast" else ReferenceEngine
        self._engine: FastEngine | ReferenceEngine = make(loaded, self.memories, checks)

    def run(self, parameters: Parameters | None = None) -> dict[str, int]:
        """One launch with these launch parameters; the instructions executed by each engine.

        Every parameter of the program must be given, a sequence where it has several words; a
        shorter sequence is filled up with zeros. Raises Fault.
        """
        words = launch_words(self.program, parameters or {})
        self.memories.begin_launch(self.program)
        return self._engine.run(words, self.order)

    def read(self, region: str, dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
        """A region's content as a flat view of its memory."""
        return self.memories.read(self.program.region(region), dtype)

    def write(self, region: str, values: npt.NDArray[Any], offset: int = 0) -> None:
        """Put an array's bytes into a region at `offset` bytes, and count them as written."""
        self.memories.write(self.program.region(region), values, offset)
