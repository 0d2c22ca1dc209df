"""How long compiling takes, and how much memory: new processes, their start included."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from child import COMMAND_LINE, CompileRun, measure_compile, run_python
from figures import Report

from tilewright.backend.formats import Packing, pack, quantise

SAMPLES = Path(__file__).parents[2] / "samples"
MEGABYTE = 10**6
SMOLLM2_SECONDS, SMOLLM2_MEGABYTES = 15.0, 700.0
LARGE_SECONDS, HELP_SECONDS = 30.0, 0.3
CONFIGS = {"llama-2-7b": LARGE_SECONDS, "llama-3-70b": LARGE_SECONDS}
RUNS = 5
"""Of what is short: the least counts."""
PACK_MILLISECONDS = 50.0
"""For a megabyte of panels."""


def test_smollm2(smollm2_run: CompileRun, report: Report) -> None:
    """All entries, weights packed, image written."""
    run, megabytes = smollm2_run, smollm2_run.peak_bytes / MEGABYTE
    note = (
        f"program {run.program_seconds:.2f} s, image {run.image.stat().st_size / MEGABYTE:.0f} MB"
    )
    report.seconds("SmolLM2-135M compiled, image written", run, SMOLLM2_SECONDS, note)
    note = f"weights and tables {run.weight_bytes / MEGABYTE:.0f} MB"
    report.figure("  peak memory", megabytes, "MB", SMOLLM2_MEGABYTES, note)


def test_sample(tmp_path: Path, report: Report) -> None:
    """The model of the repository."""
    run = measure_compile(SAMPLES / "tiny-shakespeare", tmp_path / "sample.tw", 256)
    note = f"program {run.program_seconds:.2f} s"
    report.seconds("sample model compiled, image written", run, None, note)


@pytest.mark.parametrize("name", CONFIGS)
def test_config_alone(name: str, tmp_path: Path, report: Report) -> None:
    """A large model's program, without weights."""
    run = measure_compile(SAMPLES / "configs" / name / "config.json", tmp_path / "large.tw", 2048)
    note = f"peak memory {run.peak_bytes / MEGABYTE:.0f} MB"
    report.seconds(f"{name}, program only", run, CONFIGS[name], note)


def test_help(report: Report) -> None:
    """It loads neither the compiler nor numpy."""
    runs = [run_python([*COMMAND_LINE, "--help"]) for _ in range(RUNS)]
    report.seconds("tilewright --help", min(runs, key=lambda run: run.seconds), HELP_SECONDS)


def test_packing(report: Report) -> None:
    """One matrix of SmolLM2's feed-forward, as a rate."""
    rows = np.random.default_rng(0).standard_normal((3072, 576)).astype(np.float32)
    blocks, packing = quantise("q4_1", rows), Packing("q4_1", "kn", 3072, 576, 512)
    least = float("inf")
    for _ in range(RUNS):
        start = perf_counter()
        pack(packing, blocks)
        least = min(least, perf_counter() - start)
    milliseconds = 1000 * least / (packing.nbytes / MEGABYTE)
    report.figure("packing of q4_1 panels, a megabyte", milliseconds, "ms", PACK_MILLISECONDS)
