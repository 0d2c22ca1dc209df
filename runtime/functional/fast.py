"""The compiled engine: tables for a program, and one call of a compiled function for a launch.

numba is imported here and in the kernels only, when the first `FastEngine` is made.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.errors import TilewrightError
from ...backend.isa import REGISTERS
from ..kernels import NoNumba, kept_in, kernel_folder
from . import layout as at
from .faults import (
    AGE_FAULT,
    ALIGNMENT_FAULT,
    BOUNDS_FAULT,
    DEADLOCK_FAULT,
    EXTENT_FAULT,
    KINDS,
    UNFINISHED_FAULT,
    UNINITIALISED_FAULT,
    FaultPoint,
)
from .loader import Loaded
from .memories import Memories, aligned_zeros
from .orders import Order
from .rows import build_tables
from .waiting import Blocked, deadlock_note

FAULT_WIDTH = 6
OPERAND_FAULTS = (
    BOUNDS_FAULT, ALIGNMENT_FAULT, UNINITIALISED_FAULT, EXTENT_FAULT, AGE_FAULT,
)  # fmt: skip
"""Faults that name an operand."""


class FastEngineError(TilewrightError):
    """The compiled engine cannot be used here."""


def kernel_sources(folder: Path) -> list[Path]:
    """Every file whose text ends up in the compiled function, in a fixed order.

    `folder` is that of this package: the kernels, the tables they read, the instruction set.
    """
    root = folder.parent.parent
    own = [
        *folder.glob("kernel_*.py"),
        *(folder / f"{n}.py" for n in ("layout", "orders", "faults")),
    ]
    read = [root / "backend" / part for part in ("isa", "formats", "numerics")]
    return sorted(own) + [path for part in read for path in sorted(part.glob("*.py"))]


def cache_folder(folder: Path) -> Path:
    """Where the function compiled from the kernels in `folder` is kept."""
    return kernel_folder(kernel_sources(folder))


def _compile_units_aside(folder: Path) -> subprocess.Popen[bytes] | None:
    """Start compiling the units in a process of its own, into the cache, if they are not in it.

    Half of the work then runs on a second core; whatever it leaves undone is compiled here.
    """
    if any(folder.rglob("*unit*.nbi")):
        return None
    build = f"import importlib, numba; numba.config.CACHE_DIR = {str(folder)!r}; "
    build += f"importlib.import_module('.kernel_units', {__package__!r})"
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", build], stdout=quiet, stderr=quiet)


@cache
def compiled_run() -> tuple[Callable[..., int], npt.NDArray[np.int64]]:
    """The compiled function and the addresses of the units that it calls.

    They come from the cache or are built now (some seconds, once a machine).

    Raises FastEngineError where numba is missing.
    """
    folder = cache_folder(Path(__file__).parent)
    try:
        with kept_in(folder):
            aside = _compile_units_aside(folder)
            kernel: Any = importlib.import_module(".kernel_run", __package__)
            if aside is not None:
                aside.wait()
            units: Any = importlib.import_module(".kernel_units", __package__)
    except NoNumba as error:
        raise FastEngineError(f"engine 'fast' {error}, or use engine 'reference'") from None
    addresses = [units.matrix_unit.address, units.vector_unit.address]
    return kernel.run, np.array(addresses, np.int64)


class FastEngine:
    """Runs the streams of all engines over `Memories` in one compiled call."""

    def __init__(self, loaded: Loaded, memories: Memories, checks: bool = True) -> None:
        self._run, self._units = compiled_run()
        kernels: Any = importlib.import_module(".kernel_matmul", __package__)
        vectors: Any = importlib.import_module(".kernel_vector", __package__)
        self.loaded, self.memories, self.checks = loaded, memories, checks
        self.tables = build_tables(loaded, memories)
        room = kernels.scratch_bytes(1, self.tables.product) + vectors.VECTOR_BYTES
        self.scratch = aligned_zeros(room, "the operands of one vector operation")

    def run(self, words: npt.NDArray[np.int64], order: Order) -> dict[str, int]:
        """One launch; the instructions executed by each engine. Raises Fault."""
        t, count = self.tables, len(self.loaded.engines)
        engines = np.zeros((count, at.ENGINE_WIDTH), np.int64)
        engines[:, at.HALTED] = [not stream for stream in self.loaded.instructions]
        steps = np.repeat(t.channels[:, at.C_PRIMED : at.C_PRIMED + 1], 2, axis=1)
        reads = np.zeros((len(t.channels), count, 2), np.int64)
        fault = np.full(FAULT_WIDTH, -1, np.int64)
        turns = np.array(order.sorted(self.loaded.engines), np.int64)
        with np.errstate(all="ignore"):
            code = self._run(
                t.rows, t.starts, t.channels, t.consumers, t.regions, engines,
                np.ascontiguousarray(steps), reads, np.ascontiguousarray(words, np.int64),
                np.zeros((6, 16), np.int64), np.zeros((3, 5), np.int64), turns, order.quantum,
                int(order.restart), order.seed, int(self.checks), self.scratch.ctypes.data,
                self._units, fault,
            )  # fmt: skip
        if code:
            raise self.loaded.fault(self._point(int(code), engines, fault))
        names = self.loaded.program.engines
        return {name: int(engines[i, at.EXECUTED])
                for i, name in enumerate(self.loaded.engines) if name in names}  # fmt: skip

    def _point(
        self, code: int, engines: npt.NDArray[np.int64], fault: npt.NDArray[np.int64]
    ) -> FaultPoint:
        assert 0 < code <= len(KINDS), f"fault number {code}"
        operand, channel, x, y, z, engine = map(int, fault)
        if code == DEADLOCK_FAULT:
            blocked = [Blocked(i, int(e[at.PC]), int(e[at.BEGUN])) for i, e in enumerate(engines)
                       if not e[at.HALTED]]  # fmt: skip
            return FaultPoint(code, -1, -1, note=deadlock_note(self.loaded, blocked))
        if code == UNFINISHED_FAULT:
            return FaultPoint(code, -1, -1, -1, channel, x, y)
        if code not in OPERAND_FAULTS:
            operand = -1
        pc = int(engines[engine, at.PC])
        around = self.loaded.loop_counters(engine, pc)
        counters = tuple(int(engines[engine, at.REGISTER + REGISTERS + c]) for c in around)
        return FaultPoint(code, engine, pc, operand, channel, x, y, z, counters)
