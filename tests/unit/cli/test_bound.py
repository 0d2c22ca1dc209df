"""`tilewright bound`: what it prints, and what it refuses."""

import json
import re
from pathlib import Path

import pytest

from tilewright.backend.bounds import step_of
from tilewright.compiler.bound import bound_model
from tilewright.compiler.cli import main
from tilewright.compiler.frontend import load_model

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "samples" / "configs"
SEVEN = str(CONFIGS / "llama-2-7b" / "config.json")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bound", SEVEN, "--machine", "essay-3tbs") == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split()[:2] == ["op", "bytes"]
    assert [line.split()[0] for line in lines[1:13]] == [
        *("token_embd", "attn_norm", "attn_qkv", "kv_append", "attention", "attn_output"),
        *("ffn_norm", "ffn_gate_up", "ffn_down", "output_norm", "output", "total"),
    ]
    assert "bound: 4,584.08 us (hbm) for 1 row on essay-3tbs" in lines
    assert captured.err == ""


def test_json_has_all_parts(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--machine", "tpu-v5e", "--weights", "int4-g128", "--batch", "2", "--json")
    assert run("bound", SEVEN, *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["formats"]["ffn_down"] == "i4_g128"
    assert found["formats"]["token_embd"] == "bf16"
    assert found["sequences"] == [[1023, 1]] * 2
    assert found["fits"] is True
    assert found["seconds"] == max(found["floors"].values()) == found["floors"][found["binds"]]
    assert found["bytes"]["total"] == sum(op["bytes"]["total"] for op in found["ops"])
    assert found["joules"]["total"] > 0
    assert found["area_mm2"]["total"] > 0


def test_a_model_that_does_not_fit_and_a_machine_that_only_resembles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = str(CONFIGS / "llama-3-70b" / "config.json")
    assert run("bound", model, "--machine", "h100-like") == 0
    error = capsys.readouterr().err.splitlines()
    assert error[0].startswith("h100-like: one core stands for the 132 SMs of the chip")
    assert error[1] == (
        "llama-3-70b and its cache need 132 GiB; h100-like has 74.5 GiB: it does not fit, and "
        "would take 2 of them"
    )


def test_a_model_too_large_for_a_scratchpad_has_bounds_and_no_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groq = ("--machine", "groq-like")
    assert run("bound", SEVEN, *groq, "--weights", "int8") == 0
    assert "llama-2-7b and its cache need 6.9 GiB; groq-like has 220 MiB" in capsys.readouterr().err
    assert run("compile", SEVEN, *groq, "-o", str(tmp_path / "a.tw"), "--weights", "int8") == 2
    refusal = capsys.readouterr().err
    assert "do not fit groq-like, which has no main memory" in refusal
    assert re.search("it would take [34][0-9] of them, and a program is for one", refusal)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_keeps_its_formats() -> None:
    model = load_model(ROOT / "samples" / "tiny-shakespeare")
    from tilewright.backend.machine import load_machine

    found = bound_model(model, step_of("prefill", [8]), load_machine("tw-small"), "bf16")
    assert set(found.formats.values()) == {"bf16"}


def test_without_a_context_the_model_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bound", str(ROOT / "samples" / "tiny-shakespeare"), "--batch", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sequences"] == [[255, 1]] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--phase", "train"), "--phase 'train' is unknown; choose: decode or prefill"),
        (("--context", "a"), "--context 'a': write one number above 0, or one for each"),
        (("--context", "8,0"), "--context '8,0': write one number above 0"),
        (("--context", "1,2", "--batch", "3"), "--context has 2 numbers and --batch is 3"),
        (("--context", "9000"), "a context of 9000 positions exceeds the 4096 that the model has"),
        (("--policy", "f8"), "policy 'f8': unknown; wanted one of exact, bf16"),
        (("--weights", "int3"), "weights: found 'int3', wanted one of f32"),
        (("--machine", "tw-9"), "tw-9: no such machine"),
    ],
)
def test_refusals(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bound", SEVEN, *options) == 2
    assert message in capsys.readouterr().err


def test_a_graph_has_no_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tmp_path / "g.mlir"
    graph.write_text('builtin.module @g attributes {tw.policy = "exact"} {}\n')
    assert run("bound", str(graph)) == 2
    assert "error" in capsys.readouterr().err
