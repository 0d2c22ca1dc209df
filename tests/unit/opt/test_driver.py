"""The driver: what it prints between passes, what it dumps, how it refuses."""

from pathlib import Path

import pytest

from tilewright.compiler.opt import main
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


def test_help_lists_the_passes_of_the_project_in_order_and_few_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = "".join(capsys.readouterr().out.split())
    assert text.startswith("usage:tilewright-opt")
    assert f"passesare:{','.join(PASSES)},canonicalize,cse,dce--print" in text
    assert "targetsare:mlir-o" in text


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
