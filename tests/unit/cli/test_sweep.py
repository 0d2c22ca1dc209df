"""`tilewright sweep`: what it prints, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tilewright.backend.image import Image
from tilewright.backend.machine import Machine
from tilewright.compiler.cli import main
from tilewright.compiler.frontend import Model
from tilewright.compiler.step_programs import programs_for_step
from tilewright.compiler.sweep import Workload, measure, measured, plot, run
from tilewright.compiler.sweep.text_plot import Axis, text_plot

ROOT = Path(__file__).parents[3]
MODEL = str(ROOT / "samples" / "tiny-shakespeare")
SMALL = ("sweep", MODEL, "--machine", "tw-small", "--context", "48", "--jobs", "1")
SIZES = ("--set", "spm.bytes=128KiB,256KiB")


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where points that several tests sweep are kept."""
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(autouse=True)
def _one_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(shared_cache))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is kept."""
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(tmp_path / "cache"))


def swept(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert command(*SMALL, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--set", "spm.bytes=1KiB,128KiB,256KiB,100B", "--set", "hbm.bandwidth=25GB/s,100GB/s")
    assert command(*SMALL, *given) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    head = "spm_bytes hbm_bytes_per_second us of bound binds mJ mJ/token mostly mm2"
    assert lines[0].split() == head.split()
    assert [line.split()[0] for line in lines[1:9]] == [str(n) for n in range(1, 9)]
    assert lines[1].split()[1:] == ["1KiB", "25GB/s", "refused"]
    assert re.fullmatch(r"3 +\*? +128KiB +25GB/s +[\d.]+ +[\d.]+% +hbm( +[\d.]+){2} +hbm +\d+% .*",
                        lines[3])  # fmt: skip
    assert any("*" in line.split() for line in lines[3:7])
    assert any(line.startswith("1, 2: ") for line in lines)
    (contradiction,) = (line for line in lines if line.startswith("7, 8: "))
    assert contradiction == "7, 8: tw-small: spm_bytes: found 100, wanted an integer, at least 1024"
    assert "mm2" in lines, "the areas differ and are drawn"
    assert "4, 6: the weight port, not hbm, bounds decode" in said.err
    assert "spm_bytes varies and energy_spm_fj stays as described" in said.err


def test_json_has_every_point_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--machine", "ethos-u65-512-like", "--machine", "groq-like", *SIZES, "--batch", "2")
    found = swept(capsys, *given)
    assert found["sequences"] == [[47, 1]] * 2
    points = found["points"]
    assert [(p["machine"], p["settings"]["spm_bytes"] >> 10) for p in points] == [
        (name, size)
        for name in ("tw-small", "ethos-u65-512-like", "groq-like")
        for size in (128, 256)
    ]
    for point in points[:4]:
        assert 0 < point["bound_seconds"] < point["seconds"]
        assert point["share"] == pytest.approx(point["bound_seconds"] / point["seconds"])
        parts = dict(point["joules"])
        total = parts.pop("total")
        assert total == pytest.approx(sum(parts.values()))
        assert point["joules_per_token"] == pytest.approx(total / 2)
        assert point["area_mm2"]["total"] > 0
    assert any(point["front"] for point in points[:4])
    assert all("no main memory" in point["refused"] for point in points[4:])


@pytest.mark.usefixtures("empty_cache")
def test_the_second_run_compiles_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def counting(model: Model, *rest: Any) -> tuple[Image, Any]:
        compiled.append(model.name)
        return programs_for_step(model, *rest)

    monkeypatch.setattr(measured, "programs_for_step", counting)
    first = swept(capsys, *SIZES)
    assert len(compiled) == 2
    assert command(*SMALL, *SIZES, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == first
    assert len(compiled) == 2
    assert "2 of 2 results are those of earlier sweeps" in said.err
    swept(capsys, "--no-cache")
    assert len(compiled) == 3
    swept(capsys, "--weights", "int8")
    assert len(compiled) == 4


def test_a_prompt_in_chunks(capsys: pytest.CaptureFixture[str]) -> None:
    (whole,) = swept(capsys, "--phase", "prefill")["points"]
    (chunks,) = swept(capsys, "--phase", "prefill", "--chunk", "12")["points"]
    assert whole["seconds"] < chunks["seconds"]
    assert whole["read_bytes"] < chunks["read_bytes"]
    assert whole["joules_per_token"] == pytest.approx(whole["joules"]["total"] / 48)


@pytest.mark.usefixtures("empty_cache")
def test_interrupted_and_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Machine] = []

    def stopped(workload: Workload, machine: Machine) -> Any:
        calls.append(machine)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return measure(workload, machine)

    def broken(workload: Workload, machine: Machine) -> Any:
        raise AssertionError("an invariant")

    def measured_by(function: Any) -> None:
        monkeypatch.setattr(run.run_points, "__defaults__", (*defaults[:-1], function))

    defaults: tuple[Any, ...] = run.run_points.__defaults__ or ()
    measured_by(stopped)
    assert command(*SMALL, *SIZES) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "interrupted; 1 of 2 points are kept: the same command goes on from there" in said.err
    measured_by(broken)
    assert command(*SMALL, *SIZES) == 1
    said = capsys.readouterr()
    assert "2: AssertionError: an invariant" in said.out.splitlines()
    assert "1 of 2 results are those of earlier sweeps" in said.err


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, start in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
        path = tmp_path / name
        assert command(*SMALL, *SIZES, "--plot", str(path)) == 0
        first = path.read_bytes()
        assert first.startswith(start)
        assert command(*SMALL, *SIZES, "--plot", str(path)) == 0
        assert path.read_bytes() == first, "equal sweeps give equal files"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "spm.size=1"), "--set spm.size: no number of a machine has this name; did you"),
        (("--machine", "tw-9"), "tw-9: no such machine"),
        (("--phase", "train"), "--phase 'train' is unknown"),
        (("--context", "9000"), "a context of 9000 positions exceeds the"),
        (("--weights", "int3"), "int3"),
        (("--policy", "f8"), "policy 'f8': unknown"),
        (("--plot", "a.pdf"), "--plot a.pdf: wanted a file that ends in .png or .svg"),
        (("--plot", "no/a.png"), "--plot no/a.png: there is no folder no"),
    ],
)
def test_refusals(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*SMALL, *options) == 2
    assert message in capsys.readouterr().err


def test_a_picture_without_matplotlib(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    def absent(name: str) -> None:
        assert name == "matplotlib"

    monkeypatch.setattr(plot, "find_spec", absent)
    assert command(*SMALL, "--plot", "a.png") == 2
    assert "pip install 'tilewright[plot]'" in capsys.readouterr().err


def test_a_plot_as_text() -> None:
    lines = text_plot(Axis("us", [1, 2, 3, 3]), Axis("mJ", [10, 400, 1000, 1000]), list("1234"))
    assert lines[0] == "mJ (log)"
    assert lines[1].startswith("1000 |")
    assert lines[1].endswith("#"), "two points in one place"
    assert lines[-3].startswith("  10 |1")
    (second,) = (line for line in lines if "2" in line.partition("|")[2])
    assert second.index("2") == len("1000 |") + 32
    assert lines[-1].split() == ["1", "us", "3"]


def test_a_plot_with_one_value_on_an_axis() -> None:
    lines = text_plot(Axis("us", [5, 5]), Axis("mJ", [0, 1]), ["1", "2"])
    assert [line.partition("|")[2].strip() for line in lines if "|" in line].count("1") == 1


def test_the_workload_is_in_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    found = swept(capsys, "--weights", "int8", "--context", "9,48")
    options = {"model", "phase", "policy", "weights", "chunk", "sequences", "points"}
    assert set(found) == options
    assert found["sequences"] == [[8, 1], [47, 1]]
