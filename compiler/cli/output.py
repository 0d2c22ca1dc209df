"""What commands print: JSON, aligned columns, sizes, and progress bars on the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...backend.machine import Machine

USER_ERROR = 2
"""Exit status when the input, not the program, is at fault."""

Report = Callable[[str, int, int], None]
"""Called with (what is being done, how much is done, how much there is)."""


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2))


def note(text: str) -> None:
    """A line for people, on standard error: standard output is left to results."""
    print(text, file=sys.stderr, flush=True)


def note_machine(machine: Machine) -> None:
    """What a machine's description has to say: its note and its warnings."""
    for text in (machine.note, *machine.warnings()):
        if text:
            note(f"{machine.name}: {text}")


def print_columns(rows: Sequence[Sequence[str]], indent: str = "  ", right: str = "") -> None:
    """Rows as aligned columns; `right` has an `r` at each column that is flush right."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if right[i : i + 1] == "r" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print((indent + "  ".join(cells)).rstrip())


def bytes_text(count: int) -> str:
    """A number of bytes in the largest unit that keeps it above 1, three digits."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{count} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError("the last unit has no limit")


@contextmanager
def progress_bar(show: bool | None = None) -> Generator[Report, None, None]:
    """A bar on standard error, gone when done; nothing where that is not a terminal."""
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True, force_terminal=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report
