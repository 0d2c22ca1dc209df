"""Figures beside their targets, as lines of text.

A missed target is said in the line; a test fails only where the target is missed by far, so that a
busy machine fails nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

KEY = "figure"
"""Name of the pytest property that carries a line."""
SLACK = 2.0
"""A figure above this many targets fails its test."""


class Timed(Protocol):
    """A process that ended."""

    @property
    def seconds(self) -> float:
        """By the clock."""
        ...

    @property
    def processor_seconds(self) -> float:
        """Of all its threads and children."""
        ...


class Report:
    """The figures of one test; each line goes to `record` at once, so that a failure loses none."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def line(self, text: str) -> None:
        """Any text."""
        self._record(KEY, text)

    def figure(
        self, what: str, found: float, unit: str = "", target: float | None = None, note: str = ""
    ) -> None:
        """One figure in `unit`, at most `target`; AssertionError above SLACK targets."""
        text = self._write(what, found, unit, target, note)
        assert target is None or found <= SLACK * target, f"{text}: above {SLACK:g} targets"

    def seconds(
        self, what: str, run: Timed, target: float | None = None, note: str = "", cores: int = 1
    ) -> None:
        """Seconds that a process took.

        AssertionError if both they and its processor seconds, on so many cores, are above SLACK
        targets: a process that had to wait for a processor fails nobody.
        """
        used = f"{run.processor_seconds:.2f} s of processors"
        text = self._write(what, run.seconds, "s", target, f"{used}, {note}" if note else used)
        least = min(run.seconds, run.processor_seconds / cores)
        assert target is None or least <= SLACK * target, f"{text}: above {SLACK:g} targets"

    def _write(self, what: str, found: float, unit: str, target: float | None, note: str) -> str:
        text = f"{what:<46}{found:>9.3g} {unit:<4}"
        if target is not None:
            verdict = "ok" if found <= target else "MISSED"
            text += f" target {target:>5g}  {verdict:<6}"
        self.line(f"{text}  {note}".rstrip())
        return text

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as they need be; the first is flush left."""
        lines = [list(head), *map(list, rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            self.line("  ".join(cells))
