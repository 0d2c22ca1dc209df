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
    TILEWRIGHT_LONG_TESTS all of them."""
    folders = sorted({path.parent for path in FOLDER.rglob("*.mlir")})
    files = [min(folder.glob("*.mlir"), key=lambda path: path.stat().st_size) for folder in folders]
    if os.environ.get("TILEWRIGHT_LONG_TESTS"):
        files = sorted(FOLDER.rglob("*.mlir"))
    done = lit("-j2", *map(str, files))
    assert done.returncode == 0, done.stdout
    assert re.search(rf"Passed: {len(files)} \(100\.00%\)", done.stdout), done.stdout


WRONG = {
    "text": "// CHECK: func.func @g\n",
    "next": "// CHECK: func.func @f\n// CHECK-NEXT: return %c\n",
    "not": "// CHECK: func.func @f\n// CHECK-NOT: func.return\n",
    "no-check": "// CHEK: func.func @f\n",
}
"""Comments that must fail, by what is wrong in them."""


def test_a_wrong_comment_fails_under_lit_as_under_pytest(tmp_path: Path) -> None:
    """The configuration lets nothing pass by, and both say the same of each file."""
    folder = tmp_path / "filecheck"
    folder.mkdir()
    (folder / "lit.cfg.py").write_text((FOLDER / "lit.cfg.py").read_text())
    (tmp_path / "conftest.py").write_text((FOLDER.parent / "conftest.py").read_text())
    # The copy stands beside a link to the compiler, as the folder does.
    (tmp_path / ".ns").symlink_to(FOLDER.parent / ".ns")
    text = "// RUN: tilewright-opt %s -p cse | filecheck %s\nfunc.func @f() {\n  func.return\n}\n"
    files = {name: text + comments for name, comments in WRONG.items()}
    files["refused"] = text.replace("cse", "csi") + "// CHECK-NOT: cse\n"
    files["right"] = text + "// CHECK: func.func @f\n// CHECK-NEXT: func.return\n"
    for name, body in files.items():
        (folder / f"{name}.mlir").write_text(body)

    done = lit("-v", "-j2", str(folder))
    assert done.returncode == 1
    by_lit = re.findall(r"^(PASS|FAIL): tilewright :: (\S+)\.mlir", done.stdout, re.M)
    assert "no pass is named 'csi'" in done.stdout

    words = ["-m", "pytest", "-q", "-n0", "-rA", "-p", "no:cacheprovider", str(folder)]
    again = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(FOLDER.parent / ".ns")},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = re.findall(r"^(PASSED|FAILED) filecheck/(\S+?)\.mlir", again.stdout, re.M)
    wanted = {name: "PASS" if name == "right" else "FAIL" for name in files}
    assert {name: verdict for verdict, name in by_lit} == wanted, done.stdout
    assert {name: verdict[:4] for verdict, name in verdicts} == wanted, again.stdout
