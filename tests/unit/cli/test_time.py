"""`tilewright time` and `compare`: models and images, what they print, what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest

from tilewright.backend.image import read_image
from tilewright.compiler.cli import main
from tilewright.compiler.cli.timed_step import AskedStep, find_step

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "samples" / "tiny-shakespeare")
CONFIG = str(ROOT / "samples" / "tiny-shakespeare" / "config.json")
SHORT = ("--context", "32")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def compiled(path: Path, *options: str) -> str:
    shape = ("--max-context", "32", "--policy", "bf16", *options)
    assert run("compile", CONFIG, "-o", str(path), *shape) == 0
    return str(path)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The sample for two machines, the second with weights of 8 bits."""
    folder = tmp_path_factory.mktemp("images")
    small = ("--machine", "tw-small", "--weights", "int8")
    return compiled(folder / "a.tw"), compiled(folder / "b.tw", *small)


@pytest.fixture
def result(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command with --json and gives what it printed."""

    def of(*arguments: str) -> Any:
        capsys.readouterr()
        assert run(*arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return of


def test_a_model_is_timed_as_the_image_that_compile_writes(
    images: tuple[str, str], result: Any
) -> None:
    for image, options in zip(
        images, ((), ("--machine", "tw-small", "--weights", "i8")), strict=True
    ):
        of_image = result("time", image, *SHORT)
        assert of_image == result("time", CONFIG, *SHORT, *options)
        assert of_image["image"] == read_image(image).digest


def test_a_step_is_no_longer_than_the_longest_context_that_is_asked_for() -> None:
    asked = AskedStep(CONFIG, "tw-small", "decode", None, None, None, None, None, max_context=40)
    assert find_step(asked, quiet=True).contexts == [40]


def test_weights_make_no_difference_to_time(images: tuple[str, str], result: Any) -> None:
    for phase in ("decode", "prefill"):
        step = ("--phase", phase, *SHORT)
        assert result("time", SAMPLE, *step)["ops"] == result("time", images[0], *step)["ops"]


def test_the_prediction_stands_beside_the_time_and_beside_each_op(
    result: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    step = ("time", CONFIG, "--machine", "tw-small", "--context", "9,32,1")
    found = result(*step)
    assert run(*step, "--ops") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (line,) = (line for line in lines if line[:1] == ["predicted:"])
    assert line[1] == f"{found['predicted_seconds'] * 1e6:,.1f}"
    error = found["predicted_seconds"] / found["seconds"] - 1
    assert (line[-1], found["predicted_error"]) == (f"{error:+.2%}", pytest.approx(error))
    op, times = "blk.{l}.attn_qkv", found["ops"]["mxu"]
    (row,) = (line for line in lines if line[:1] == [op])
    emulated, predicted = sum(times[op].values()), found["predicted"][op]
    assert row[2:4] == [f"{emulated / 1e6:,.1f}", f"{predicted / 1e6:,.1f}"]
    assert row[4] == f"{predicted / emulated - 1:+.1%}"


def test_kernels_of_one_op_have_no_prediction_and_that_is_said(
    tmp_path: Path, result: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    image = compiled(tmp_path / "unfused.tw", "--unfused")
    assert result("time", image, *SHORT)["predicted_seconds"] is None
    assert run("time", image, *SHORT) == 0
    assert "predicted: none, as the image has no plan of this entry" in capsys.readouterr().out


def test_json_of_a_ragged_batch(result: Any) -> None:
    found = result("time", CONFIG, "--machine", "tw-small", "--context", "9,32,1")
    assert found["sequences"] == [[8, 1], [31, 1], [0, 1]]
    assert found["seconds"] == sum(found["launches"]) / 1e12
    assert found["bound_seconds"] == max(found["bound"].values())
    assert found["share"] == pytest.approx(found["bound_seconds"] / found["seconds"])
    assert 0 < found["share"] <= 1
    for engine, causes in found["causes"].items():
        assert sum(causes.values()) == sum(found["launches"]), engine
    assert found["joules_total"] == pytest.approx(sum(found["joules"].values()))
    assert found["joules_per_token"] == pytest.approx(found["joules_total"] / 3)
    assert found["bytes"]["read"] + found["bytes"]["written"] >= found["bound_bytes"]
    of_bound = result("bound", CONFIG, "--machine", "tw-small", "--context", "9,32,1")
    assert of_bound["floors"] == found["bound"]


def test_a_prompt_is_one_launch_unless_chunks_are_asked_for(result: Any) -> None:
    step = ("--phase", "prefill", "--context", "32,10")
    assert len(result("time", CONFIG, *step)["launches"]) == 1
    assert len(result("time", CONFIG, *step, "--chunk", "8")["launches"]) == 4


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("time", CONFIG, "--ops", "--batch", "2") == 0
    text = capsys.readouterr().out
    assert text.startswith("decode of 2 sequences, 2 tokens behind 510 on tw-1, policy bf16: ")
    for part in ("% of the time; hbm ", "main memory: ", "wait @", "a token", "at least "):
        assert part in text
    assert "blk.{l}.attention" in text.partition("matrix unit by model op")[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--machine", "tw-small"),
            "--machine tw-small: {image} is an image that was compiled for",
        ),
        (("--policy", "exact"), "is an image that was compiled for bf16; leave the option away"),
        (("--weights", "int8"), "--weights int8: {image} is an image that was compiled for bf16"),
        (("--weights", "int3"), "weights: found 'int3', wanted one of f32"),
        (("--chunk", "3"), "--chunk 3: {image} is an image that was compiled for 32"),
        (("--batch", "2"), "2 sequences exceed the batch of 1"),
        (("--context", "33"), "a context of 33 positions exceeds the 32"),
        (("--phase", "train"), "--phase 'train' is unknown"),
    ],
)
def test_an_image_is_what_it_was_compiled_for(
    options: tuple[str, ...], message: str, images: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run("time", images[0], *options) == 2
    assert message.format(image=images[0]) in capsys.readouterr().err


def test_options_that_an_image_agrees_with(images: tuple[str, str], result: Any) -> None:
    same = ("--machine", "tw-1", "--policy", "bf16", "--weights", "BFloat16", "--chunk", "32")
    assert result("time", images[0], *same) == result("time", images[0])


def test_a_machine_of_the_same_name_and_other_numbers(
    images: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "backend" / "machine" / "tw-1.toml").read_text()
    path = tmp_path / "other.toml"
    path.write_text(text.replace("lanes = ", "lanes = 2", 1))
    assert run("time", images[0], "--machine", str(path)) == 2
    assert "was compiled for tw-1 of other numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--context", "257"), "a context of 257 positions exceeds the 256 that the model has"),
        (("--policy", "f8"), "'f8'"),
        (("--weights", "int3"), "weights: found 'int3', wanted one of f32"),
        (("--machine", "no-such"), "no-such: no such machine"),
        (("--context", "0"), "--context '0': write one number above 0"),
    ],
)
def test_a_model_refuses_by_name(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("time", CONFIG, *options) == 2
    assert message in capsys.readouterr().err


def test_a_graph_has_no_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tmp_path / "g.mlir"
    graph.write_text('builtin.module @g attributes {tw.policy = "bf16"} {}\n')
    assert run("time", str(graph)) == 2
    assert "error: " in capsys.readouterr().err


def test_two_machines_compared(
    images: tuple[str, str], tmp_path: Path, result: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    of_images = result("compare", *images, *SHORT)
    a, b = (result("time", image, *SHORT) for image in images)
    assert of_images["picoseconds"] == [sum(a["launches"]), sum(b["launches"])]
    assert of_images["machines"] == ["tw-1", "tw-small"]
    assert sum(op["after"] - op["before"] for op in of_images["ops"]) == (
        sum(b["launches"]) - sum(a["launches"])
    )
    attention = next(op for op in of_images["ops"] if op["op"] == "blk.{l}.attention")
    why = attention["waited"]
    causes: list[dict[str, int]] = [side["ops"]["mxu"]["blk.{l}.attention"] for side in (a, b)]
    changes = {c: causes[1].get(c, 0) - causes[0].get(c, 0) for c in {*causes[0], *causes[1]}}
    assert changes[why["cause"]] == why["picoseconds"]
    assert abs(why["picoseconds"]) == max(abs(change) for change in changes.values())
    (tmp_path / "a.json").write_text(json.dumps(a))
    assert result("compare", str(tmp_path / "a.json"), images[1]) == of_images
    assert run("compare", *images, *SHORT) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("A: tiny-shakespeare bf16 on tw-1, policy bf16, decode of 1 token")
    assert lines[1].startswith("B: tiny-shakespeare i8 on tw-small, policy bf16, decode of 1 token")
    assert lines[2].split()[:3] == ["op", "A", "us"]
    row = next(line for line in lines if line.startswith("blk.{l}.attention "))
    assert f"{why['cause']} {why['picoseconds'] / 1e6:+,.2f} us" in row


def test_an_image_with_itself(images: tuple[str, str], result: Any) -> None:
    found = result("compare", images[0], images[0])
    assert found["ratio"] == 1
    assert all(op["waited"] is None and op["binds"] is None for op in found["ops"])


def test_what_is_not_compared(
    images: tuple[str, str], tmp_path: Path, result: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "a.json"
    report.write_text(json.dumps(result("time", images[0], "--context", "9")))
    assert run("compare", str(report), images[1], "--context", "8") == 2
    assert "the report is of decode of 1 token behind 8, and the options ask" in (
        capsys.readouterr().err
    )
    other = tmp_path / "b.json"
    other.write_text(json.dumps(result("time", images[0], "--context", "10")))
    assert run("compare", str(report), str(other)) == 2
    assert "A is a decode of 1 token behind 8 and B a decode" in capsys.readouterr().err
    assert run("compare", CONFIG, images[1]) == 2
    assert f"{CONFIG}: is no report that `tilewright time --json` printed: formats is missing" in (
        capsys.readouterr().err
    )
