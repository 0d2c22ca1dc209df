"""`--reduce`: what is left still fails in the same way, and nothing in it can go."""

import importlib
import shlex
import sys
from pathlib import Path

import pytest

from tilewright.compiler.opt import main

from .outside import install

PROGRAM = """
func.func @unrelated(%a: i32) -> i32 {
  %b = arith.addi %a, %a : i32
  func.return %b : i32
}
func.func @f(%a: i32, %n: index) -> i32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a) -> (i32) {
    %y = arith.addi %x, %a : i32
    %m = arith.muli %y, %a {note = "kept"} : i32
    %k = guest.negate %m
    scf.yield %k : i32
  }
  %z = arith.addi %r, %a : i32
  func.return %z : i32
}
"""
SMALL = """\
builtin.module {
  func.func @f(%a: i32, %n: index) -> i32 {
    %m = arith.muli %a, %a : i32
    func.return %m : i32
  }
}
"""


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the package whose pass fails."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "guest_passes", raising=False)
    install(folder, "guest_passes")
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "f.mlir"
    path.write_text(PROGRAM)
    return path


def reduced(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main([*words, "--reduce"]) == 0
    out, said = capsys.readouterr()
    return out.rstrip("\n") + "\n", said


def test_a_failing_pass(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, said = reduced(capsys, str(program), "-p", "canonicalise,guest-refuse-products,cse")
    assert out == SMALL
    first, second = said.splitlines()
    assert first == "// guest-refuse-products fails: 1 products are too many"
    assert second.startswith("// 13 operations became 3, in ")


def test_what_is_left_fails_in_the_same_way(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two products are one too many; the pass's other errors do not count."""
    text = PROGRAM.replace("%k = guest.negate %m", "%k = arith.muli %m, %a : i32")
    program.write_text(text)
    small, words = tmp_path / "small.mlir", ["-p", "guest-refuse-products{allowed=1}"]
    reduced(capsys, str(program), *words, "-o", str(small))
    assert small.read_text().count("arith.muli") == 2
    assert "scf.for" not in small.read_text()
    assert main([str(small), *words]) == 2
    said = capsys.readouterr().err
    assert said == "error: pass guest-refuse-products: 2 products are too many\n"


def test_a_text_of_the_error(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(program), "-p", "guest-refuse-products", "--reduce-text"]
    out, _ = reduced(capsys, *words, "too many")
    assert out == SMALL
    assert main([*words, "too few", "--reduce"]) == 2
    said = capsys.readouterr().err
    assert "the passes failed, but did not say 'too few': 1 products are too many" in said


def test_a_failing_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "f.mlir"
    path.write_text(
        "func.func @g() {\n  %c = arith.constant 1 : index\n  %m = tg.get @nobody\n"
        "  %n = arith.addi %m, %c : index\n  func.return\n}\n"
    )
    out, said = reduced(capsys, str(path))
    assert "tg.get @nobody" in out
    assert "arith" not in out
    assert said.startswith("// verification fails: tg.get: no launch parameter is named @nobody\n")


def test_a_failing_command(
    program: Path, guest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "no_products.py"
    script.write_text("import sys\nsys.exit('arith.muli' in open(sys.argv[1]).read() and 'oh no')")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} %s"
    out, said = reduced(capsys, str(program), "--reduce-command", command)
    assert out == SMALL
    assert said.startswith("// command fails: oh no\n")


def test_what_does_not_fail_cannot_be_reduced(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program), "-p", "cse", "--reduce"]) == 2
    wanted = "the passes did not fail: there is nothing to reduce\n"
    assert capsys.readouterr().err.endswith(wanted)
    assert main([str(program), "--reduce", "--reduce-command", "true %s"]) == 2
    assert capsys.readouterr().err.endswith("'true %s' did not fail: there is nothing to reduce\n")
