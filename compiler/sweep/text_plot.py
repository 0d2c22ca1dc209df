"""Points as text: two measures across and up, and the name of each point where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

WIDTH: Final = 64
HEIGHT: Final = 16
LOGARITHMIC = 20.0
"""An axis whose largest value is so many times its smallest has powers, not sums, as steps."""
SHARED: Final = "#"
"""Where several points fall on one place."""


@dataclass(frozen=True)
class Axis:
    """What is drawn along one side."""

    title: str
    values: Sequence[float]
    """One for each point; above 0."""

    @property
    def logarithmic(self) -> bool:
        """Whether equal steps are equal factors."""
        return min(self.values) > 0 and max(self.values) >= LOGARITHMIC * min(self.values)

    def places(self, count: int) -> list[int]:
        """Each value's place among `count`."""
        scaled = [log(v) for v in self.values] if self.logarithmic else list(self.values)
        low, span = min(scaled), max(scaled) - min(scaled)
        return [round((v - low) / span * (count - 1)) if span else count // 2 for v in scaled]


def text_plot(across: Axis, up: Axis, names: Sequence[str]) -> list[str]:
    """Lines of a plot; `names` has a character or more for each point, written where it lies."""
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    taken: set[tuple[int, int]] = set()
    columns, heights = across.places(WIDTH), up.places(HEIGHT)
    for name, column, height in zip(names, columns, heights, strict=True):
        row = rows[HEIGHT - 1 - height]
        start = min(column, WIDTH - len(name))
        cells = {(height, start + i) for i in range(len(name))}
        if cells & taken:
            row[column] = SHARED
        else:
            row[start : start + len(name)] = name
        taken |= cells
    top, bottom = f"{max(up.values):.4g}", f"{min(up.values):.4g}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (HEIGHT - 2), bottom]
    lines = [f"{up.title}{' (log)' if up.logarithmic else ''}"]
    lines += [
        f"{label:>{margin}} |{''.join(row)}".rstrip()
        for label, row in zip(labels, rows, strict=True)
    ]
    left, right = f"{min(across.values):.4g}", f"{max(across.values):.4g}"
    title = f"{across.title}{' (log)' if across.logarithmic else ''}"
    between = title.center(WIDTH - len(left) - len(right))
    lines.append(" " * margin + " +" + "-" * WIDTH)
    lines.append(" " * (margin + 2) + left + between + right)
    return lines
