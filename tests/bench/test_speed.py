"""Speed of the emulator against numpy, and of the compiler. The emulator's checks are on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from table import report

BENCH = Path(__file__).parent
CONFIGS = BENCH.parents[1] / "samples" / "configs"
CLI = "from tilewright.compiler.cli import main; main()"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measured(*arguments: str, **environment: str) -> dict[str, Any]:
    """What a measurement in a process of its own prints as JSON."""
    found = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | ONE_THREAD | environment,
    )
    return json.loads(found.stdout)


def best(run: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_emulator_against_numpy(smollm2: Path, tmp_path: Path) -> None:
    """SmolLM2 on one thread: a decode step, and a prompt of 128 tokens with its last logits."""
    found = measured(str(BENCH / "measure_emulator.py"), str(smollm2), str(tmp_path / "m.tw"))
    print("\nemulator, checks on, against numpy float32 (minimum of alternating runs)")
    print(f"  decode {found['decode_ms']:.1f} ms, numpy {found['numpy_decode_ms']:.1f} ms")
    print(f"  prefill {found['prefill_ms']:.0f} ms, numpy {found['numpy_prefill_ms']:.0f} ms")
    decode = report("decode / numpy", found["decode_ms"] / found["numpy_decode_ms"], 0.6)
    prefill = report("prefill / numpy", found["prefill_ms"] / found["numpy_prefill_ms"], 1.0)
    assert decode
    assert prefill


def test_emulator_compiles_itself(tmp_path: Path) -> None:
    """From an empty cache."""
    found = measured("-c", CLI, "warmup", "--json",
                     NUMBA_CACHE_DIR=str(tmp_path))  # fmt: skip
    print("\nthe emulator's own compilation, cold")
    assert report("seconds", found["seconds"], 20, " s")


def test_compile_smollm2(smollm2: Path, tmp_path: Path) -> None:
    """All entries, weights packed, image written, in a process whose memory is measured."""
    found = measured(str(BENCH / "measure_compile.py"), str(smollm2), str(tmp_path / "m.tw"))
    print("\nSmolLM2 compiled, weights packed, image written")
    seconds = report("seconds", found["seconds"], 15, " s")
    memory = report("peak memory", found["peak_mb"], 700, " MB")
    assert seconds
    assert memory


@pytest.mark.parametrize("name", ["llama-2-7b", "llama-3-70b"])
def test_compile_a_shape(name: str, tmp_path: Path) -> None:
    """Programs only, from a config."""
    config = str(CONFIGS / name / "config.json")
    found = measured(str(BENCH / "measure_compile.py"), config, str(tmp_path / "m.tw"))
    print(f"\n{name} compiled, programs only")
    assert report("seconds", found["program_seconds"], 30, " s")


def test_help_is_quick() -> None:
    """Start-up loads neither the compiler nor numpy."""
    command = [sys.executable, "-c", CLI, "--help"]
    seconds = min(
        best(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(5)
    )
    print("\ntilewright --help")
    assert report("seconds", seconds, 0.3, " s")


def test_formats_are_packed_quickly() -> None:
    """One matrix of SmolLM2's size, as a rate: the whole model is 107 MB."""
    from tilewright.backend.formats import Packing, pack, quantise

    rows = np.random.default_rng(0).standard_normal((3072, 576)).astype(np.float32)
    blocks = quantise("q4_1", rows)
    packing = Packing("q4_1", "kn", 3072, 576, 512)
    seconds = min(best(lambda: pack(packing, blocks)) for _ in range(5))
    print("\npacking q4_1 panels")
    assert report("ms a MB", seconds * 1e9 / packing.nbytes, 50, " ms")
