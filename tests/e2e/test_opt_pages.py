"""docs/opt.md, docs/add-a-pass.md and docs/testing.md run as they are written."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tilewright.compiler.cli import main as tilewright
from tilewright.compiler.opt import main as opt
from tilewright.compiler.opt.arguments import GROUPS
from tilewright.compiler.opt.page import refreshed
from tilewright.runtime import Session

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return [body for found, body in BLOCK.findall(text) if found == language]


def commands(page: str) -> list[list[str]]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines]


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Run one command of a page in this process; it must end with status 0."""
    tool, *rest = words
    if tool == "tilewright-opt":
        status: object = opt(rest)
    else:
        assert tool == "tilewright", shlex.join(words)
        with pytest.raises(SystemExit) as stop:
            tilewright(rest)
        status = stop.value.code
    said = capsys.readouterr()
    assert not status, f"{shlex.join(words)}: {said.err}"
    return said.out, said.err


def test_the_tables_of_the_page_are_current() -> None:
    text = (DOCS / "opt.md").read_text()
    wanted = "run: python -m tilewright.compiler.opt.page docs/opt.md"
    assert text == refreshed(text), wanted
    for group in GROUPS.values():
        assert all(f"`{one.spelling}` |" in text for one in group if one.flags[0][0] == "-")


def test_its_commands_run(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(commands("opt.md")) > 10
    for words in commands("opt.md"):
        out, said = run(words, capsys)
        assert out or said or "-o" in words, shlex.join(words)
    assert (work / "again.tw").read_bytes() == (work / "small.tw").read_bytes()
    assert (work / "mixed.tw").read_bytes() == (work / "small.tw").read_bytes()
    assert (work / "matmul.mlir").read_text().count("tile.matmul") == 1


def test_its_announced_error_comes(work: Path) -> None:
    (text,) = blocks("opt.md", "mlir")
    (work / "unknown.mlir").write_text(text)
    assert opt(["unknown.mlir", "--verify-diagnostics"]) == 0
    (work / "unknown.mlir").write_text(text.replace("expected-error", "an error"))
    assert opt(["unknown.mlir"]) == 1


def test_the_test_of_the_page_of_tests_is_one(work: Path) -> None:
    (text,) = blocks("testing.md", "mlir")
    folder = work / "tests"
    folder.mkdir()
    _, config = blocks("add-a-pass.md", "python")
    (folder / "lit.cfg.py").write_text(config + with_tools(folder))
    (folder / "right.mlir").write_text(text)
    (folder / "wrong.mlir").write_text(text.replace("-p canonicalise", "-p merge"))
    done = run_lit(folder, "-v", ".")
    assert "PASS: swapper :: right.mlir" in done.stdout, done.stdout + done.stderr
    assert "FAIL: swapper :: wrong.mlir" in done.stdout


def run_lit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Plain lit, in a folder."""
    code = "from lit.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def with_tools(folder: Path) -> str:
    """Lines of a lit.cfg.py by which its children find the compiler and the folder's modules."""
    tools = folder / "bin"
    tools.mkdir()
    for name, module in (("tilewright-opt", "tilewright.compiler.opt"), ("filecheck", "filecheck")):
        call = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n'
        (tools / name).write_text(call)
        (tools / name).chmod(0o755)
    paths = f"{ROOT / 'tests' / '.ns'}:{folder}"
    return (
        f"config.environment['PYTHONPATH'] = {paths!r}\n"
        f"config.environment['PATH'] = {str(tools)!r} + ':' + config.environment['PATH']\n"
    )


def installed(folder: Path) -> None:
    """The page's package, as `pip install -e .` leaves it for this process and its children."""
    (project,) = blocks("add-a-pass.md", "toml")
    code, config = blocks("add-a-pass.md", "python")
    table = tomllib.loads(project)["project"]
    metadata = folder / f"{table['name']}-{table['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n"
    )
    lines = [
        line
        for group, entries in table["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "swapper.py").write_text(code)
    (folder / "lit.cfg.py").write_text(config + with_tools(folder))


def test_the_pass_of_the_page(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work / "swapper"
    folder.mkdir()
    installed(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.delitem(sys.modules, "swapper", raising=False)
    (text,) = blocks("add-a-pass.md", "mlir")
    (folder / "swap-loads.mlir").write_text(text)
    seen: dict[str, str] = {}
    for words in commands("add-a-pass.md"):
        if words[0] == "pip":
            assert words == ["pip", "install", "-e", "."]
        elif words[0] == "lit":
            done = run_lit(folder, *words[1:])
            assert done.returncode == 0, done.stdout + done.stderr
            assert "Passed: 1 (100.00%)" in done.stdout
        else:
            seen[shlex.join(words)] = "".join(run(words, capsys))
    about = seen["tilewright-opt --pass-help swap-loads"]
    assert "Two loads that follow each other" in about
    assert "Pairs that are swapped, at most." in about
    before, after = Session.load("before.tw"), Session.load("after.tw")
    assert before.image.digest != after.image.digest
    assert (before.prefill([12, 7, 99]) == after.prefill([12, 7, 99])).all()
    assert (before.decode(5) == after.decode(5)).all()
