"""What the benchmarks share: a real model and its image, and the table at the end of the run.

A test writes its figures through the fixture `report`; pytest prints all of them in its summary,
with or without `-s`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

for folder in (Path(__file__).parent, Path(__file__).parent.parent / "e2e"):
    sys.path.insert(0, str(folder))

from child import ONE_THREAD, CompileRun, measure_compile  # noqa: E402
from figures import KEY, Report  # noqa: E402

# Before numpy is loaded: where one core is busy, its BLAS is eight times slower with two threads.
for name, value in ONE_THREAD.items():
    os.environ.setdefault(name, value)

from fetched import fetched  # noqa: E402


@pytest.fixture
def report(record_property: Any) -> Report:
    """Takes the figures of one test."""
    return Report(record_property)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct, if it was fetched."""
    return fetched("smollm2")


@pytest.fixture(scope="session")
def smollm2_run(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> CompileRun:
    """SmolLM2 compiled in a process of its own: the image, and what it took."""
    return measure_compile(smollm2, tmp_path_factory.mktemp("exact") / "smollm2.tw", 512)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures of all tests that wrote any."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    shown = False
    for one in reports:
        lines = [text for key, text in getattr(one, "user_properties", []) if key == KEY]
        if not lines:
            continue
        if not shown:
            terminalreporter.section("figures (the emulator's checks are on)")
            shown = True
        terminalreporter.write_line(one.nodeid.split("/")[-1])
        for line in lines:
            terminalreporter.write_line("  " + line)
