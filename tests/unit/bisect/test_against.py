"""`--against`: the first pass behind which two compilations differ."""

import shutil
from pathlib import Path

import pytest

from tilewright.compiler import compile_model
from tilewright.compiler.cli import main

from .conftest import GRAPH, Bisect


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two compilations: the folders `plain` and `quantised`, and their images."""
    folder = tmp_path_factory.mktemp("against")
    graph = folder / "linear.mlir"
    graph.write_text(GRAPH)
    for name, weights in (("plain", None), ("quantised", "q4_0")):
        image = folder / f"{name}.tw"
        compile_model(graph, "tw-small", output=image, dump_ir=folder / name, weights=weights)
    return folder


def edited(made: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of `plain` in which the tiled module is edited."""
    shutil.copytree(made / "plain", folder)
    file = folder / "linear" / "06-tile.mlir"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return folder


def test_equal_compilations_agree(made: Path, tmp_path: Path, bisect: Bisect) -> None:
    """Other text that computes the same is no difference."""
    other = edited(made, tmp_path / "other", "sigmoid(%sums)", "sigmoid(%sums * 1.0)")
    assert bisect(made / "plain", "--against", other, status=0) == []
    assert bisect(made / "plain", "--against", made / "plain.tw", status=0) == []


def test_the_pass_that_takes_an_option_is_named(made: Path, bisect: Bisect) -> None:
    (found,) = bisect(made / "plain", "--against", made / "quantised")
    assert (found["pass_name"], found["agreed"]) == ("choose-formats", "fuse")
    assert (found["op"], found["location"], found["rounding"]) == ("tg.weight", "linear", False)
    (found,) = bisect(made / "plain", "--against", made / "quantised.tw")
    assert found["pass_name"] == "input"
    assert "@w is q4_0 there and bf16 here" in found["message"]


def test_an_edit_is_named(
    made: Path, tmp_path: Path, bisect: Bisect, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = edited(made, tmp_path / "ir", "tile.vec sigmoid", "tile.vec tanh")
    (found,) = bisect(folder, "--against", made / "plain")
    assert (found["pass_name"], found["op"], found["location"]) == ("tile", "tile.vec", "linear")
    assert found["agreed"] == "choose-panels"
    file = folder / "linear" / "06-tile.mlir"
    (found,) = bisect(file, "--against", made / "plain.tw")
    assert (found["pass_name"], found["entry"]) == ("input", "linear")
    with pytest.raises(SystemExit):
        main(["bisect", str(file), "--against", str(made / "plain" / "linear" / file.name)])
    said = capsys.readouterr().out
    assert f"linear: differs from {made / 'plain' / 'linear' / file.name} before any pass" in said
    assert any(line.startswith("+") and "tanh" in line for line in said.splitlines())


def test_rounding_is_told_from_what_is_wrong(made: Path, tmp_path: Path, bisect: Bisect) -> None:
    scaled = "tile.vec sigmoid(%sums * 1.0000001)"
    folder = edited(made, tmp_path / "ir", "tile.vec sigmoid(%sums)", scaled)
    (found,) = bisect(made / "plain", "--against", folder)
    assert (found["pass_name"], found["rounding"]) == ("tile", True)
    assert found["agreed"] == "choose-panels"
    assert bisect(made / "plain", "--against", folder, "--tolerance", "1e-4", status=0) == []


def test_what_cannot_be_compared_is_said(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    square, larger = tmp_path / "square.mlir", tmp_path / "larger.mlir"
    square.write_text(GRAPH.replace("@linear", "@square"))
    larger.write_text(GRAPH.replace("0 to 4", "0 to 8").replace("memref<4x64", "memref<8x64"))
    for path, against, said in (
        (square, made / "plain.tw", "plain.tw has no entry square: it has linear"),
        (square, made / "plain", "plain is of linear, wanted square"),
        (larger, made / "plain", "compile both from one model, for the same context, batch and"),
        (larger, made / "plain.tw", "compile both from one model, for the same context, batch"),
        (larger, made / "nothing.tw", "nothing.tw"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(["bisect", str(path), "--to", "graph", "--against", str(against), "--json"])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
