"""The command line itself: help, its time, and how errors come out."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tilewright.backend.errors import TilewrightError
from tilewright.backend.machine import machine_names
from tilewright.compiler.cli import app, main
from tilewright.compiler.cli.output import bytes_text, print_columns, progress_bar
from tilewright.compiler.driver import DEFAULT_CHUNK, DEFAULT_CONTEXT

HEAVY = ("numpy", "numba", "xdsl", "rich", "lark", "gguf", "tokenizers", "jinja2")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


@pytest.mark.parametrize("name", [name for name, _ in app.COMMANDS if name != "opt"])
def test_every_command_has_help_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, "--help") == 0
    text = capsys.readouterr().out
    assert "Examples:" in text
    assert f"tilewright {name}" in text


def seconds_of_children() -> float:
    """What processes started from here have computed: what else the machine does is left out."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tilewright.compiler.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    seconds: list[float] = []
    for _ in range(3):
        start = seconds_of_children()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds.append(seconds_of_children() - start)
        assert done.stderr.strip() == "[]"
    assert min(seconds) < 0.3


def test_help_names_the_defaults_of_the_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"the model's own, at most {DEFAULT_CONTEXT}, by default" in text
    assert f"launch of prefill; {DEFAULT_CHUNK}, or the context, by default" in text


def test_an_error_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("machines", "tw-9") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: tw-9: no such machine; wanted one of {', '.join(machine_names())}, or a path that "
        "ends in .toml\n"
    )


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "no.tw"
    assert run("disasm", str(missing)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert str(missing) in error
    assert error.count("\n") == 1


def test_several_lines_become_one() -> None:
    assert app.one_line(TilewrightError("first\n  second")) == "first second"
    missing = FileNotFoundError(2, "No such file or directory", "a.tw")
    assert app.one_line(missing) == "a.tw: no such file or directory"


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("machines", "--nonsense") == 2
    assert "--nonsense" in capsys.readouterr().err


def test_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("machines") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(machine_names())
    assert run("machines", "tw-small") == 0
    assert "spm_bytes" in capsys.readouterr().out
    assert run("machines", "--json") == 0
    known = json.loads(capsys.readouterr().out)
    assert [machine["name"] for machine in known] == list(machine_names())
    assert run("machines", "tw-small", "--json") == 0
    assert json.loads(capsys.readouterr().out)["spm_bytes"] == 256 * 1024


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (5 << 20, "5 MiB"), (3 << 41, "6.14e+03 GiB")],
)
def test_bytes(count: int, text: str) -> None:
    assert bytes_text(count) == text


def test_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns([("name", "n"), ("a", "10")], right="lr")
    assert capsys.readouterr().out == "  name   n\n  a     10\n"


def test_a_bar_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar() as report:
        report("packing", 1, 2)
    assert capsys.readouterr().err == ""
    with progress_bar(show=True) as report:
        report("packing", 1, 2)
    captured = capsys.readouterr()
    assert "packing" in captured.err
    assert captured.out == ""
