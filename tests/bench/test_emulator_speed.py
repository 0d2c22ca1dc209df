"""How fast the emulator gives its values: against numpy on one thread, and its own compilation."""

from __future__ import annotations

import json
from pathlib import Path

from child import COMMAND_LINE, ONE_THREAD, CompileRun, run_python
from figures import Report

EMULATOR, UNCHECKED = "emulator", "emulator, unwritten bytes unchecked"
TARGETS = {"decode": 0.6, "prefill": 1.0}
"""Seconds of the emulator, in seconds of numpy."""
WHAT = {
    "decode": "decode step, 16 to 63 positions cached",
    "prefill": "prefill of 128 tokens, last logits",
}
COLD_SECONDS = 20.0
CORES = 2
"""That the compilation spreads over."""
TOLERANCE = 5e-5
"""Of a logit, in standard deviations: contestants that disagree are not compared."""


def test_steps_against_numpy(smollm2: Path, smollm2_run: CompileRun, report: Report) -> None:
    """SmolLM2 on the emulator and in numpy float32, by turns; numpy's faster layout counts."""
    script = Path(__file__).with_name("race.py")
    run = run_python([str(script), str(smollm2_run.image), str(smollm2)], ONE_THREAD)
    found = json.loads(run.output)
    report.line("SmolLM2-135M, one thread, checks on; seconds of the emulator / seconds of numpy")
    for step, target in TARGETS.items():
        seconds: dict[str, float] = found[step]
        best = min((name for name in seconds if name.startswith("numpy")), key=seconds.__getitem__)
        shown = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in seconds.items())
        report.line(f"{step}: {shown}")
        ratio = seconds[EMULATOR] / seconds[best]
        report.figure(WHAT[step], ratio, "", target, f"against {best}")
        unchecked = seconds[EMULATOR] / seconds[UNCHECKED]
        report.figure("  with checks / unwritten bytes unchecked", unchecked)
    assert max(found["error"].values()) < TOLERANCE, found["error"]


def test_cold_compilation(tmp_path: Path, report: Report) -> None:
    """`tilewright warmup` with an empty cache, then again."""
    for what, target in (("the emulator's own compilation, cold", COLD_SECONDS), ("again", None)):
        run = run_python([*COMMAND_LINE, "warmup", "--json"], {"NUMBA_CACHE_DIR": str(tmp_path)})
        report.seconds(what, run, target, cores=CORES)
