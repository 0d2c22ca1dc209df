"""How long `tilewright demo` takes once the emulator is compiled: a new process, start included."""

from __future__ import annotations

import json

from child import COMMAND_LINE, run_python
from figures import Report

WARM_SECONDS = 3.0
RUNS = 2
"""Of the warm command: the least counts."""


def test_demo_warm(report: Report) -> None:
    """The sample model compiled, and its text written; the first run only fills the cache."""
    run_python([*COMMAND_LINE, "demo", "--json"])
    runs = [run_python([*COMMAND_LINE, "demo", "--json"]) for _ in range(RUNS)]
    best = min(runs, key=lambda run: run.seconds)
    text: str = json.loads(best.output)["generate"]["text"]
    assert text
    note = f"{len(text)} characters of text"
    report.seconds("tilewright demo, warm", best, WARM_SECONDS, note)
