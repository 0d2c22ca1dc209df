"""The demo: the sample model is compiled, runs, and writes what looks like Shakespeare."""

import json
import re
from pathlib import Path

import pytest

from tilewright.compiler.cli import main
from tilewright.passes import PASSES

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def test_it_says_what_happened_at_each_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("demo", "--max-tokens", "8", "--keep", str(tmp_path)) == 0
    captured = capsys.readouterr()
    listed = re.findall(r"^  \w+ +([\w-]+) +\d+ +\d+ +\d+$", captured.out, re.M)
    assert {"canonicalise", "merge", "fuse", "tile", "channels", "project", "select"} <= set(listed)
    assert set(listed) <= set(PASSES)
    assert re.search(r"^  decode( +\d+){7}$", captured.out, re.M)
    assert "ROMEO:" in captured.out
    assert re.search(r"4 prompt tokens in .* 8 new tokens at [\d.]+ a second", captured.out)
    assert re.search(
        r"instructions executed: ld [\d,]+, .*mxu [\d,]+, vpu [\d,]+$", captured.out, re.M
    )
    assert (tmp_path / "tiny-shakespeare.tw").is_file()
    assert list((tmp_path / "ir" / "decode").glob("*-tile.mlir"))


def test_its_text_is_shakespeare_like(capsys: pytest.CaptureFixture[str]) -> None:
    """Speakers in capitals with a colon, on lines of their own, and lines as short as verse."""
    assert run("demo", "--max-tokens", "200", "--json") == 0
    captured = capsys.readouterr()
    text = "ROMEO:" + json.loads(captured.out)["generate"]["text"]
    assert re.search(r"^[A-Z][A-Z ]+:$", text.removeprefix("ROMEO:"), re.M)
    lines = text.splitlines()
    assert len(lines) >= 5
    assert max(map(len, lines)) < 80


def test_equal_seeds_give_equal_text(capsys: pytest.CaptureFixture[str]) -> None:
    texts: list[str] = []
    for seed in ("5", "5", "6"):
        assert run("demo", "--max-tokens", "24", "--json", "--seed", seed) == 0
        texts.append(json.loads(capsys.readouterr().out)["generate"]["text"])
    assert texts[0] == texts[1] != texts[2]


def test_generate_compiles_a_model_first(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--max-tokens", "6", "--machine", "tw-small", "--max-context", "64")
    assert run("generate", str(SAMPLE), "JULIET:", *options) == 0
    captured = capsys.readouterr()
    assert f"compiled {SAMPLE} for tw-small in " in captured.err
    assert "6 new tokens at" in captured.err
    assert captured.out.startswith("\n")


def test_run_prints_the_most_likely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "sample.tw"
    assert run("compile", str(SAMPLE), "-o", str(image), "--max-context", "32", "--json") == 0
    assert json.loads(capsys.readouterr().out)["image"] == str(image)
    assert run("run", str(image), "--prompt", "ROMEO", "--top", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert run("run", str(image), "--prompt", "ROMEO", "--top", "1") == 0
    text = capsys.readouterr().out
    assert str(found["top"][0]["token"]) in text
    assert "':'" in text
