"""The timing emulator as a compiled function; numba is imported at the first launch."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import layout as at
from .decoded import Decoded, TimingError
from .result import Tally
from .tables import Tables, build_tables

INSTALL = "pip install numba"
WORTH = 10_000
"""A look costs some microseconds: as much as a few hundred instructions."""
NEVER = 1 << 62


def cache_folder(folder: Path) -> Path:
    """Where the compiled function of these sources is kept (NUMBA_CACHE_DIR moves it)."""
    digest = hashlib.sha256()
    isa = folder.parent.parent / "backend" / "isa"
    for path in (*sorted(folder.glob("kernel_*.py")), folder / "layout.py",
                 isa / "rows_scalar.py"):  # fmt: skip
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        base = Path(home) / "tilewright" / "kernels"
    return Path(base) / digest.hexdigest()[:16]


@cache
def compiled_run() -> Callable[..., int]:
    """The compiled function, from the cache or built now (some seconds, once a machine).

    Raises TimingError where numba is missing.
    """
    try:
        config: Any = importlib.import_module("numba").config
    except ImportError:
        raise TimingError(
            f"engine 'fast' needs numba, which is not installed: {INSTALL}, or use engine 'events'"
        ) from None
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(Path(__file__).parent))
    try:
        kernel: Any = importlib.import_module(".kernel_run", __package__)
    finally:
        config.CACHE_DIR = before
    return kernel.run


def run_fast(launch: Decoded, worth: int = WORTH) -> Tally:
    """One launch.

    `worth`: instructions that must be left in a loop for a look at whether its trips repeat;
    NEVER executes every trip. The result is the same. Raises TimingError where engines block for
    ever or a word is not known.
    """
    tables = build_tables(launch, worth)
    run_tables(tables)
    return tables.tally()


def run_tables(tables: Tables) -> None:
    """Run a launch to its end."""
    run, launch, state = compiled_run(), tables.launch, tables.state
    while True:
        with np.errstate(all="ignore"):
            answer = run(
                tables.code, state, tables.variants, tables.totals, tables.marks, tables.memories
            )
        asked = int(state[at.ASKED])
        if answer == at.FINISHED:
            return
        if answer == at.NEED_VARIANT:
            axes = int(tables.code[asked * at.ROW_WIDTH + at.AXES])
            extents = state[at.SCRATCH : at.SCRATCH + axes]
            tables.add_variant(asked, tuple(int(e) for e in extents))
        elif answer == at.NEED_MARKS:
            marks = np.zeros(2 * asked, np.int64)
            marks[: len(tables.marks)] = tables.marks
            tables.marks = marks
        elif answer == at.NEED_WORD:
            raise launch.no_word(*tables.places[asked])
        elif answer == at.TOO_MANY:
            raise TimingError(
                f"more than {at.MOST_MOVES} moves of a queue in flight at {launch.machine.name}'s "
                f"latency of {launch.machine.hbm_latency_ps} ps: use engine 'events'"
            )
        elif answer == at.BAD_WORD:
            raise _bad_word(tables, asked)
        else:
            raise launch.blocks_for_ever(_stuck(tables))


def _engines(tables: Tables) -> list[list[int]]:
    first, width = int(tables.state[at.ENGINES]), at.ENGINE_WIDTH
    count = len(tables.launch.engines)
    return tables.state[first : first + count * width].reshape(count, width).tolist()


def _stuck(tables: Tables) -> list[tuple[int, int, int]]:
    return [
        (number, tables.places[engine[at.E_ROW]][1], max(engine[at.E_BEGUN] - 1, 0))
        for number, engine in enumerate(_engines(tables))
        if not engine[at.E_HALTED]
    ]


def _bad_word(tables: Tables, index: int) -> TimingError:
    """The refusal of a read beyond the launch parameters, by the engine that stands at it."""
    for number, engine in enumerate(_engines(tables)):
        if engine[at.E_HALTED]:
            continue
        row = engine[at.E_ROW]
        if tables.code[row * at.ROW_WIDTH + at.KIND] != at.LDP:
            continue
        try:
            tables.launch.word(number, tables.places[row][1], index)
        except TimingError as error:
            return error
    raise AssertionError("an engine stands at the read")
