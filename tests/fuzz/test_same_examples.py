"""A seed gives the same examples, whatever else a process has loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DRAWING = """
import hashlib
from hypothesis import given, strategies as st
from long_runs import fuzzed
from random_graphs import graphs

said = []

@fuzzed(60)
@given(st.integers(), st.floats(), st.text(), st.binary(), graphs())
def test_draws(a, b, c, d, e):
    said.append(repr((a, b, c, d, e)))

test_draws()
print(len(said), hashlib.sha256("".join(said).encode()).hexdigest())
"""
CONSTANTS = "\n".join(f"c{i} = {i * 7919}, {i}.25, 'text {i}', b'bytes {i}'" for i in range(200))
"""A module of a project."""


def drawn(before: str, folder: Path, hashes: str) -> str:
    """How many examples a process draws that runs `before` first, and their digest."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, folder))),
        "PYTHONHASHSEED": hashes,
    }
    command = [sys.executable, "-c", before + DRAWING]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_processes_that_load_other_modules_draw_the_same_examples(tmp_path: Path) -> None:
    (tmp_path / "constants.py").write_text(CONSTANTS)
    alone = drawn("", tmp_path, "1")
    assert int(alone.split()[0]) >= 60
    assert drawn("import constants", tmp_path, "2") == alone
