"""`asm`, `disasm` and `inspect` on an image that holds one hand-written entry."""

import io
import json
from pathlib import Path

import pytest

from tilewright.compiler.cli import main

SOURCE = """region @x : input in hbm at 0 of 256
region @y : output in hbm at 256 of 256
channel @t from ld to [st] : slot 2 of 256 in spm at 0
parameter @rows at 0 of 1 : 0 to 4
engine ld {
  copy @t <64 f32> acquire commit, @x <64 f32> // load
  halt
}
engine st {
  copy @y <64 f32>, @t <64 f32> wait release
  halt
}
"""


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


@pytest.fixture
def image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    source, target = tmp_path / "copy.s", tmp_path / "copy.tw"
    source.write_text(SOURCE)
    assert run("asm", str(source), "-o", str(target), "--machine", "tw-small") == 0
    assert capsys.readouterr().out == f"{target}: entry main, instructions ld 2, st 2\n"
    return target


def test_disasm_gives_back_what_asm_took(
    image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("disasm", str(image)) == 0
    text = capsys.readouterr().out
    assert "halt" in text
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    again = image.with_name("again.tw")
    assert run("asm", "-", "-o", str(again), "--machine", "tw-small") == 0
    assert again.read_bytes() == image.read_bytes()


def test_a_wait_broken_by_hand_is_named_with_its_line(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, unproven = image.with_name("broken.s"), image.with_name("broken.tw")
    broken.write_text(SOURCE.replace(" wait release", " release"))
    line = SOURCE[: SOURCE.index(" wait release")].count("\n") + 1
    assert run("asm", str(broken), "-o", str(unproven), "--machine", "tw-small") == 2
    said = (
        "C4 broken at st instruction 0: copy src names slot 0 of channel 't', this engine holds 0: "
        "its wait or acquire comes first\n"
    )
    assert capsys.readouterr().err == f"error: {broken}:{line}: {said}"
    words = ("--machine", "tw-small", "--no-proof")
    assert run("asm", str(broken), "-o", str(unproven), *words) == 0
    capsys.readouterr()
    assert run("check", str(unproven)) == 2
    assert capsys.readouterr().err == f"error: {unproven}, entry main: {said}"


def test_disasm_of_one_engine(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("disasm", str(image), "--engine", "st") == 0
    text = capsys.readouterr().out
    assert "engine st" in text
    assert "engine ld" not in text


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (("--entry", "decode"), "no entry 'decode'; it has main"),
        (("--engine", "vpu"), "entry main has no engine 'vpu'; it has ld, st"),
    ],
)
def test_disasm_of_what_is_not_there(
    image: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str], text: str
) -> None:
    assert run("disasm", str(image), *option) == 2
    assert capsys.readouterr().err == f"error: {image}: {text}\n"


def test_inspect(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", str(image)) == 0
    text = capsys.readouterr().out
    assert "no weights (shapes only), digest " in text
    assert "machine tw-small, policy exact" in text
    assert "main    2   2  512 B  0 B         1" in text
    assert "main: rows 0..4" in text
    assert "0x100    256  output  y     all" in text


def test_inspect_as_json(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", str(image), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["entries"]["main"]["instructions"] == {"ld": 2, "st": 2}
    assert found["entries"]["main"]["on_chip"] == {"spm": 512, "acc": 0}
    assert [region["name"] for region in found["memory"]] == ["x", "y"]
    assert len(found["digest"]) == 64


def test_check_against_the_image_before_an_edit(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last element is not stored: a note from `asm` and `check`, and the instruction."""
    source, edited = image.with_name("edited.s"), image.with_name("edited.tw")
    source.write_text(SOURCE.replace("@t <64 f32> wait", "@t <63 f32> wait"))
    assert run("asm", str(source), "-o", str(edited), "--machine", "tw-small") == 0
    note = "ld instruction 0, load writes bytes 252..256 of a slot of channel 't', which nothing"
    assert note in capsys.readouterr().err
    assert run("check", str(image), "--against", str(image)) == 0
    assert f"every instruction writes what that of {image} does" in capsys.readouterr().out
    assert run("check", str(edited), "--against", str(image), "--json") == 1
    found = json.loads(capsys.readouterr().out)["main"]
    (said,) = found["notes"]
    assert said.startswith(note)
    assert found["difference"] == (
        "st instruction 0: copy writes other values to region 'y'; it reads src from channel 't'"
    )


def test_check_against_another_program(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, other = image.with_name("other.s"), image.with_name("other.tw")
    source.write_text(SOURCE.replace("hbm at 256 of 256", "hbm at 512 of 256"))
    assert run("asm", str(source), "-o", str(other), "--machine", "tw-small") == 0
    assert run("check", str(other), "--against", str(image)) == 2
    assert "entry main: the two images declare other regions" in capsys.readouterr().err
