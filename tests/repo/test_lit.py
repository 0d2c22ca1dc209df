"""Plain lit finds every FileCheck file, and runs them as pytest does."""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "filecheck"
LIT = "from lit.main import main; main()"


def lit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIT, *words], capture_output=True, text=True, check=False
    )


def test_lit_finds_them_all() -> None:
    done = lit("--show-tests", str(FOLDER))
    assert done.returncode == 0, done.stdout
    found = set(re.findall(r"tilewright :: (\S+)", done.stdout))
    assert found == {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.mlir")}


def test_lit_runs_what_pytest_runs() -> None:
    """The smallest file of each folder, as pytest has run each RUN line of all; with
    TILEWRIGHT_ALL_LIT all of them."""
    folders = sorted({path.parent for path in FOLDER.rglob("*.mlir")})
    files = [min(folder.glob("*.mlir"), key=lambda path: path.stat().st_size) for folder in folders]
    if os.environ.get("TILEWRIGHT_ALL_LIT"):
        files = sorted(FOLDER.rglob("*.mlir"))
    done = lit("-j2", *map(str, files))
    assert done.returncode == 0, done.stdout
    assert re.search(rf"Passed: {len(files)} \(100\.00%\)", done.stdout), done.stdout


def test_lit_reports_a_failure(tmp_path: Path) -> None:
    """Its configuration lets nothing pass by: a line that does not come fails."""
    folder = tmp_path / "filecheck"
    folder.mkdir()
    (folder / "lit.cfg.py").write_text((FOLDER / "lit.cfg.py").read_text())
    # The copy stands beside a link to the compiler, as the folder does.
    (tmp_path / ".ns").symlink_to(FOLDER.parent / ".ns")
    text = "// RUN: tilewright-opt %s -p cse | filecheck %s\nfunc.func @f() {\n  func.return\n}\n"
    (folder / "right.mlir").write_text(text + "// CHECK: func.func @f\n")
    (folder / "wrong.mlir").write_text(text + "// CHECK: func.func @g\n")
    (folder / "refused.mlir").write_text(text.replace("cse", "csi") + "// CHECK-NOT: cse\n")
    done = lit("-v", str(folder))
    assert done.returncode == 1
    assert "PASS: tilewright :: right.mlir" in done.stdout
    assert "FAIL: tilewright :: wrong.mlir" in done.stdout
    assert "FAIL: tilewright :: refused.mlir" in done.stdout
    assert "no pass is named 'csi'" in done.stdout
