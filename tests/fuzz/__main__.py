"""Fuzz for as long as is asked: `python tests/fuzz --minutes 10 [--seed 0] [--list] [TARGET ...]`.

Each target (a test of this folder, by part of its name) gets the minutes. It runs in rounds, each a
process of its own with the next seed: one that hangs is stopped and one that takes too much memory
fails. A table says at the end what ran, what was refused, and which seeds found something; the
text of a finding is in the folder of `--output`. To see one again:

    TILEWRIGHT_FUZZ_EXAMPLES=<examples> TILEWRIGHT_FUZZ_SEED=<seed> pytest tests/fuzz -k <target>
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROUND_SECONDS = 40
"""A round has about so many examples that it takes this long."""
HANG_SECONDS = 900
"""A round that takes longer hangs; shrinking what failed takes up to 300."""
MEMORY = 12 << 30
"""Bytes of address space of a round."""
DECORATED = re.compile(r"@fuzzed\((\d+)\)(?:(?!\ndef ).)*\ndef (test_\w+)", re.S)


@dataclass
class Target:
    """A fuzzed test, and all that came of it."""

    file: str
    name: str
    examples: int
    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    findings: list[int] = field(default_factory=list[int])
    """Seeds that failed."""
    seeds: list[int] = field(default_factory=list[int])
    seconds: float = 0.0

    def row(self) -> list[str]:
        """Cells of the table."""
        seeds = f"{self.seeds[0]} to {self.seeds[-1]}" if self.seeds else "none"
        found = ", ".join(map(str, self.findings))
        return [self.name.removeprefix("test_"), str(self.runs), str(self.refused.total()),
                f"{len(self.findings)}" + (f" (seeds {found})" if found else ""), seeds,
                f"{self.seconds:.0f} s"]  # fmt: skip


def targets(wanted: list[str]) -> list[Target]:
    """The fuzzed tests of this folder whose names hold one of the words; all without words."""
    found = [
        Target(path.name, name, int(examples))
        for path in sorted(HERE.glob("test_*.py"))
        for examples, name in DECORATED.findall(path.read_text("utf-8"))
    ]
    return [
        one for one in found if not wanted or any(w in f"{one.file}::{one.name}" for w in wanted)
    ]


def run_round(target: Target, seed: int, examples: int, output: Path) -> None:
    """One process of pytest; what it tried is added to the target."""
    tallies = output / "tallies.json"
    tallies.unlink(missing_ok=True)
    environment = os.environ | {
        "TILEWRIGHT_FUZZ_EXAMPLES": str(examples),
        "TILEWRIGHT_FUZZ_SEED": str(seed),
        "TILEWRIGHT_FUZZ_TALLIES": str(tallies),
    }
    place = f"{HERE / target.file}::{target.name}"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", place]
    begin = monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=HANG_SECONDS,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )  # fmt: skip
        failed, text = done.returncode != 0, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        failed, text = True, f"no end within {HANG_SECONDS} s\n{error.stdout!r}"
    target.seconds += monotonic() - begin
    target.seeds.append(seed)
    if tallies.exists():
        tried = json.loads(tallies.read_text("utf-8")).get(target.name, {})
        target.runs += tried.get("runs", 0)
        target.refused.update(tried.get("refused", {}))
    if failed:
        target.findings.append(seed)
        said = f"TILEWRIGHT_FUZZ_EXAMPLES={examples} TILEWRIGHT_FUZZ_SEED={seed} {place}\n{text}"
        (output / f"{target.name}-{seed}.txt").write_text(said, "utf-8")


def fuzz(target: Target, minutes: float, seed: int, output: Path) -> None:
    """Rounds until the minutes are over, each about ROUND_SECONDS long."""
    end, examples = monotonic() + 60 * minutes, target.examples
    while monotonic() < end:
        before, failures = target.seconds, len(target.findings)
        run_round(target, seed, examples, output)
        seed += 1
        took = target.seconds - before
        if len(target.findings) == failures and took < ROUND_SECONDS / 2:
            examples *= 2


def table(rows: list[list[str]]) -> str:
    """Cells in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> int:
    """The command; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description="fuzz round after round")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="part of a test's name")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each target")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--output", type=Path, help="folder for findings; a new one by default")
    parser.add_argument("--list", action="store_true", help="name the targets and stop")
    given = parser.parse_args()
    chosen = targets(given.targets)
    if given.list or not chosen:
        print("\n".join(f"{one.file}::{one.name}" for one in chosen) or "no such target")
        return int(not chosen)
    output: Path = given.output or Path(tempfile.mkdtemp(prefix="fuzz-"))
    output.mkdir(parents=True, exist_ok=True)
    for one in chosen:
        fuzz(one, given.minutes, given.seed, output)
        print("  ".join(one.row()), flush=True)
    print()
    head = ["target", "runs", "refused", "findings", "seeds", "time"]
    print(table([head, *(one.row() for one in chosen)]))
    for one in chosen:
        for kind, count in one.refused.most_common():
            print(f"  {one.name.removeprefix('test_')}: {count} refused: {kind}")
    if any(one.findings for one in chosen):
        print(f"what was found is in {output}")
    return int(any(one.findings for one in chosen))


if __name__ == "__main__":
    raise SystemExit(main())
