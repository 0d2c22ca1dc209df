"""A sweep as a picture, PNG or SVG, by matplotlib: an extra that is imported when it is needed."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from .run import Result, Sweep
from .units import SweepError

ENDINGS: Final = (".png", ".svg")
MILLI, MICRO = 1e3, 1e6


def check_plot(path: Path) -> None:
    """Raises SweepError, before anything is computed, for a picture that could not be written."""
    if path.suffix not in ENDINGS:
        raise SweepError(f"--plot {path}: wanted a file that ends in {' or '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise SweepError(f"--plot {path}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise SweepError(
            "--plot needs matplotlib, which is not installed: pip install 'tilewright[plot]'"
        )


def write_plot(path: Path, sweep: Sweep, title: str) -> None:
    """Energy and area over time, the Pareto front in front, each point with its number."""
    # Figure alone, without pyplot: no window, no state that outlives the picture.
    figure: Any = importlib.import_module("matplotlib.figure").Figure(
        figsize=(11, 5), layout="constrained"
    )
    rc_context: Any = importlib.import_module("matplotlib").rc_context
    numbered = [
        (str(number), result, on_front)
        for number, (result, on_front) in enumerate(
            zip(sweep.results, sweep.front, strict=True), start=1
        )
        if result.measured is not None
    ]
    panels: Any = figure.subplots(1, 2)
    for axes, label, index in zip(panels, ("energy, mJ", "area, mm2"), (1, 2), strict=True):
        for on_front in (False, True):
            shown = [_place(result) for _, result, front in numbered if front == on_front]
            axes.scatter(
                [place[0] for place in shown],
                [place[index] for place in shown],
                c="tab:red" if on_front else "lightgray",
                edgecolors="black",
                label="Pareto front" if on_front else "beaten",
                zorder=3,
            )
        for name, result, _ in numbered:
            place = _place(result)
            axes.annotate(
                name, (place[0], place[index]), (4, 4), textcoords="offset points", fontsize=8
            )
        axes.set_xlabel("time, us")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    panels[0].legend()
    figure.suptitle(title)
    # Equal sweeps give equal files.
    with rc_context({"svg.hashsalt": title}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _place(result: Result) -> tuple[float, float, float]:
    """Microseconds, millijoules, square millimetres."""
    assert result.measured is not None
    return result.measured.seconds * MICRO, result.energy.total * MILLI, result.area.total
