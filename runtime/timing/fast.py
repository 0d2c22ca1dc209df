"""The timing emulator as a compiled function; numba is imported at the first launch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..kernels import NoNumba, kept_in, kernel_folder
from . import layout as at
from .decoded import Decoded, TimingError
from .result import Tally
from .tables import Tables, build_tables

WORTH = 10_000
"""A look costs some microseconds: as much as a few hundred instructions."""


def kernel_sources(folder: Path) -> list[Path]:
    """Every file whose text ends up in the function compiled from the kernels in `folder`."""
    isa, functional = folder.parent.parent / "backend" / "isa", folder.parent / "functional"
    return [
        *sorted(folder.glob("kernel_*.py")),
        folder / "layout.py",
        functional / "kernel_alu.py",
        functional / "kernel_jit.py",
        isa / "field.py",
        isa / "rows_scalar.py",
    ]


def cache_folder(folder: Path) -> Path:
    """Where that function is kept."""
    return kernel_folder(kernel_sources(folder))


@cache
def compiled_run() -> Callable[..., int]:
    """The compiled function, from the cache or built now (some seconds, once a machine).

    Raises TimingError where numba is missing.
    """
    try:
        with kept_in(cache_folder(Path(__file__).parent)):
            kernel: Any = importlib.import_module(".kernel_run", __package__)
    except NoNumba as error:
        raise TimingError(f"engine 'fast' {error}, or use engine 'events'") from None
    return kernel.run


def run_fast(launch: Decoded, worth: int = WORTH) -> Tally:
    """One launch.

    `worth`: instructions that must be left in a loop for a look at whether its trips repeat;
    `layout.NEVER` executes every trip. The result is the same. Raises TimingError where engines
    block for ever or a word is not known.
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
