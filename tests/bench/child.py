"""Work in a process of its own, measured: seconds, processor seconds, peak of resident memory.

As a script it is that process:

    python child.py MODEL MAX_CONTEXT POLICY OUTPUT
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
}
"""Environment under which numpy's libraries use one thread."""
COMMAND_LINE = ("-c", "from tilewright.compiler.cli import main; main()")
"""Arguments of Python that are `tilewright`."""


@dataclass(frozen=True)
class Run:
    """One finished process."""

    seconds: float
    processor_seconds: float
    """Of all its threads and children: above `seconds` where it uses several cores."""
    output: str


@dataclass(frozen=True)
class CompileRun:
    """One compilation by a process of its own, its start and imports included."""

    seconds: float
    processor_seconds: float
    program_seconds: float
    """Until the programs of all entries stood."""
    peak_bytes: int
    weight_bytes: int
    image: Path


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run Python with these arguments; AssertionError with its messages if it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | (environment or {}),
        check=False,
    )
    seconds, after = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, f"{arguments}: exit status {done.returncode}\n{done.stderr}"
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, used, done.stdout)


def measure_compile(
    model: Path, output: Path, max_context: int, policy: str = "exact"
) -> CompileRun:
    """Compile a model for the default machine, in a new process."""
    run = run_python([__file__, str(model), str(max_context), policy, str(output)])
    said: dict[str, Any] = json.loads(run.output)
    return CompileRun(run.seconds, run.processor_seconds, image=output, **said)


def peak_bytes() -> int:
    """Peak of this process's resident memory.

    Linux counts the parent's memory in a child's `ru_maxrss`, so its own mark is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(model: str, max_context: str, policy: str, output: str) -> None:
    """Compile, and print what it took as JSON."""
    from tilewright.compiler import compile_model

    report = compile_model(model, max_context=int(max_context), policy=policy, output=output)
    found = {
        "program_seconds": report.program_seconds,
        "peak_bytes": peak_bytes(),
        "weight_bytes": report.weight_bytes,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
