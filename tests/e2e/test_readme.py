"""The README's own lines run: commands that need no download, the Python, the test of a pass."""

import io
import re
import shlex
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import parse_argv_options
from filecheck.parser import Parser

from tilewright.compiler import opt
from tilewright.compiler.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = ("README.md", "backend/README.md")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def commands() -> list[list[str]]:
    """`tilewright ...` lines of blocks that neither install nor download, as words."""
    shell = [block for block in blocks(README, "sh") if "pip install" not in block]
    lines = [line for block in shell if "fetch" not in block for line in block.splitlines()]
    words = [shlex.split(line) for line in lines]
    assert all(line[0] == "tilewright" for line in words), "every line of the tour is a command"
    return [line[1:] for line in words]


def test_its_commands_run(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(commands()) > 5
    for words in commands():
        with pytest.raises(SystemExit) as stop:
            main(words)
        said = capsys.readouterr()
        assert not stop.value.code, f"{shlex.join(words)}: {said.err}"
        assert said.out or words[0] == "compile", shlex.join(words)
    assert (work / "tiny.tw").is_file()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_python_runs(work: Path, document: str) -> None:
    found = blocks((ROOT / document).read_text(), "python")
    assert found
    for block in found:
        exec(compile(block, document, "exec"), {})


def test_its_test_of_a_pass_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = blocks(README, "mlir")
    path = tmp_path / "example.mlir"
    path.write_text(text)
    found = re.match(r"// RUN: tilewright-opt %s (.*) \| filecheck %s\n", text)
    assert found is not None
    assert opt.main([str(path), *shlex.split(found[1])]) == 0
    options = parse_argv_options(["filecheck", str(path)])
    matcher = Matcher(options, FInput("-", capsys.readouterr().out), Parser.from_opts(options))
    matcher.stderr = io.StringIO()
    assert matcher.run() == 0, matcher.stderr.getvalue()
