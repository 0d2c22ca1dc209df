"""How fast launches are timed: instructions a second in full, and a step of a large model."""

from __future__ import annotations

import time
from pathlib import Path

from child import COMMAND_LINE, run_python
from figures import Report

from tilewright.backend.image import read_image
from tilewright.backend.machine import Machine
from tilewright.runtime.timing import TimingResult, time_program
from tilewright.runtime.timing.fast import compiled_run

CONFIG = Path(__file__).parents[2] / "samples" / "configs" / "llama-3-70b" / "config.json"
CONTEXT = 1024
STEP_SECONDS, INSTRUCTION_NS = 2.0, 125.0
"""Of a 70B decode step, loading included; of an instruction where none is skipped."""


def test_a_decode_step_of_70b(tmp_path: Path, report: Report) -> None:
    """Llama-3-70B bf16 on tw-1, one token behind 1,023."""
    path = tmp_path / "m.tw"
    run_python([*COMMAND_LINE, "compile", str(CONFIG), "--policy", "bf16", "--max-context",
                str(CONTEXT), "-o", str(path)])  # fmt: skip
    image = read_image(path)
    compiled_run()

    def step(skip: bool) -> tuple[float, TimingResult]:
        parameters = {"rows": 1, "logit_rows": 1, "row_start": [0], "q_len": [1],
                      "kv_len": [CONTEXT - 1]}  # fmt: skip
        start = time.process_time()
        result = time_program(image.entries["decode"], Machine.from_dict(image.machine),
                              parameters, image.opcodes, skip=skip)  # fmt: skip
        return time.process_time() - start, result

    skipped, result = step(True)
    full, same = step(False)
    assert result == same
    count = sum(result.instructions.values())
    report.line(
        f"Llama-3-70B, {count:,} instructions, {result.seconds * 1e3:.1f} ms of the machine"
    )
    report.figure("timing a decode step", skipped, "s", STEP_SECONDS)
    report.figure("without fast-forward", full, "s")
    report.figure("  an instruction", full / count * 1e9, "ns", INSTRUCTION_NS)
