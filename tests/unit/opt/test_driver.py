"""The driver: what it prints between passes, what it dumps, how it refuses."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from xdsl.utils.diagnostic import Diagnostic
from xdsl.utils.exceptions import VerifyException
from xdsl.xdsl_opt_main import xDSLOptMain

from tilewright.compiler.opt import main
from tilewright.compiler.opt.arguments import parser
from tilewright.dialects.lowbit import PackedType
from tilewright.passes import PASSES

PROGRAM = """
func.func @f() {
  %c0 = arith.constant 0 : index
  func.return
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "f.mlir"
    path.write_text(PROGRAM)
    return path


def test_prints_the_ir_after_each_pass_or_that_it_changed_nothing(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "-p", "dce,cse", "--print-ir-after-all"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("// IR after dce\nbuiltin.module {\n  func.func @f() {\n    func.return")
    assert said.endswith("// IR after cse: changed nothing\n")


def test_dumps_one_file_a_pass(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ir"
    output = str(tmp_path / "out.mlir")
    assert main([str(program), "-p", "dce,cse", "--dump-ir", str(folder), "-o", output]) == 0
    names = [path.name for path in sorted(folder.iterdir())]
    assert names == ["00-input.mlir", "01-dce.mlir", "02-cse.mlir"]
    assert "arith.constant" in (folder / "00-input.mlir").read_text()
    assert "arith.constant" not in (folder / "02-cse.mlir").read_text()


def test_verification_is_off_for_one_run_only(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "--disable-verify", "--syntax-highlight"]) == 0
    capsys.readouterr()
    with pytest.raises(VerifyException, match="no packed order is named 'kk'"):
        PackedType((4, 4), "f32", "kk")
    assert not Diagnostic.colored


def test_help_lists_the_projects_passes_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("usage: tilewright-opt")
    assert f"in pipeline order: {', '.join(PASSES)}." in text.replace("- ", "-")


def test_help_loads_no_compiler() -> None:
    """It comes at once: neither xDSL nor numpy is loaded."""
    code = (
        "import sys\n"
        "from tilewright.compiler.opt import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print({'xdsl', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_every_option_of_xdsls_driver_is_there() -> None:
    """The options are declared anew, without xDSL: none that its driver reads may be missing."""
    theirs = argparse.ArgumentParser()
    other = xDSLOptMain(args=[])
    other.register_all_arguments(theirs)
    ours = parser().parse_args([])
    assert vars(theirs.parse_args([])).keys() <= vars(ours).keys()


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("%b = tile.buffer : foo", 1, "type expected"),
        (
            "%b = tile.buffer : memref<4xf32, #tw.hbm>",
            1,
            "tile.buffer: a buffer lives in #tw.spm or #tw.acc, not memref<4xf32, #tw.hbm>",
        ),
        (
            f"%b = tile.buffer : memref<4xf32, #tw.spm>\ntile.load @x[0] [{1 << 63}] to %b",
            1,
            f"an integer of at most {(1 << 63) - 1} expected",
        ),
        ("%m = tg.get @m", 1, "tg.get: no launch parameter is named @m"),
    ],
)
def test_refuses_in_one_line(
    text: str, status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.mlir"
    path.write_text(text)
    assert main([str(path)]) == status
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith(f"{message}\n")
    assert said.count("\n") == 1


def test_names_what_it_cannot_do(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(program), "-p", "cse,aloccate"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no pass is named 'aloccate'; the passes are allocate, ")
    assert said.count("\n") == 1
    assert all(name in said for name in PASSES)


def test_refuses_a_pipeline_that_cannot_be_read(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "-p", "tile{"]) == 2
    said = capsys.readouterr().err
    assert said == "error: -p 'tile{' is no list of passes: Expected argument name here\n"


def test_names_a_file_that_cannot_be_opened(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, why in ((program.parent / "none.mlir", "No such file or directory"),
                      (program.parent, "Is a directory")):  # fmt: skip
        assert main([str(path)]) == 2
        assert capsys.readouterr().err == f"error: {path}: cannot be opened: {why}\n"


def test_an_error_says_where_the_op_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.mlir"
    path.write_text("func.func @f() {\n  %m = tg.get @m\n  func.return\n}\n")
    assert main([str(path)]) == 1
    wanted = f"error: {path}:2:3: tg.get: no launch parameter is named @m\n"
    assert capsys.readouterr().err == wanted
    # In a split input, lines are those of the file.
    path.write_text(f"func.func @g() {{\n  func.return\n}}\n// -----\n{path.read_text()}")
    assert main([str(path), "--split-input-file"]) == 1
    assert f"error: {path}:6:3: tg.get: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["--print-ir-before-all"], ["before dce", "before cse"]),
        (["--print-ir-before", "cse"], ["before cse"]),
        (["--print-ir-after", "dce"], ["after dce"]),
        (["--print-ir-after", "cse"], ["after cse: changed nothing"]),
        (["--print-ir-after-change"], ["after dce"]),
        (["--print-between-passes"], ["after dce", "after cse: changed nothing"]),
        (["--print-ir-diff", "--print-ir-after-change"], ["after dce"]),
        (["--print-ir-before", "dce", "--print-ir-after", "dce"], ["before dce", "after dce"]),
    ],
)
def test_prints_what_is_asked_for(
    words: list[str], printed: list[str], program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "-p", "dce,cse", *words]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("//")] == [f"// IR {one}" for one in printed]
    assert ("@@ -1,6 +1,5 @@" in said) == ("--print-ir-diff" in words)


def test_a_diff_shows_what_a_pass_changed(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "-p", "dce,cse", "--print-ir-diff"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line[0] in "+-"] == [
        "--- before",
        "+++ after",
        "-    %c0 = arith.constant 0 : index",
    ]


def test_times_passes(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(program), "-p", "dce,cse", "--time-passes"]) == 0
    out, said = capsys.readouterr()
    assert "took" not in out
    rows = [line.split() for line in said.splitlines()]
    assert rows[0] == ["seconds", "share", "operations", "pass"]
    assert [row[2:] for row in rows[1:3]] == [["3", "dce"], ["3", "cse"]]
    assert rows[3][1:] == ["100.0%", "all"]
    assert float(rows[1][0]) + float(rows[2][0]) == pytest.approx(float(rows[3][0]), abs=2e-4)


def test_says_which_versions_it_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"tilewright-opt \S.*, xDSL 0\.74\.0\n", capsys.readouterr().out)
