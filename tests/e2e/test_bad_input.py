"""What bad input gets: one line that says what was found, what was wanted and where; status 2.

The text is pinned as it stands, with `{folder}` for the folder and `<n>` for a number. No
traceback, nothing on standard output, and no file that was not there before.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_inputs import (
    CONFIG,
    asm_of_nothing,
    asm_syntax,
    compile_it,
    corrupt_gguf,
    corrupt_safetensors,
    larger_than_hbm,
    machine_of_two_cores,
    machine_with_an_impossible_number,
    machine_with_an_unknown_number,
    machine_without_a_number,
    mlir_syntax,
    mlir_syntax_in_opt,
    model,
    no_such_model,
    scratchpad_too_small,
    truncated_gguf,
    truncated_safetensors,
    unsupported_architecture,
    unsupported_gguf_architecture,
    unsupported_gguf_key,
    unsupported_key,
    unsupported_op,
    unsupported_tensor,
    unsupported_type,
    wrong_magic,
    wrong_version,
)

from tilewright.backend.isa import BY_MNEMONIC
from tilewright.backend.machine import load_machine
from tilewright.compiler.cli import main

Case = Callable[[Path], list[str]]

BEFORE_COMPILING: list[tuple[Case, str]] = [
    (
        truncated_gguf,
        "{folder}/model.gguf: truncated: tensor 'blk.1.ffn_down.weight' ends at byte 269184, the "
        "file at 268184",
    ),
    (
        corrupt_gguf,
        "{folder}/model.gguf: 4294967295 tensors and 11 keys are announced, too many for 269160 "
        "bytes",
    ),
    (
        wrong_magic,
        "{folder}/model.gguf: not a GGUF file: it starts with b'GGML', wanted b'GGUF'",
    ),
    (wrong_version, "{folder}/model.gguf: GGUF version 9; versions 2 and 3 are read"),
    (
        truncated_safetensors,
        "{folder}/model/model.safetensors: tensor 'model.layers.1.self_attn.v_proj.weight' lies "
        "at 259072 to 267264 of 266520 bytes: truncated?",
    ),
    (
        corrupt_safetensors,
        "{folder}/model/model.safetensors: its table is not JSON: Expecting ',' delimiter: line 1 "
        "column 29 (char 28)",
    ),
    (
        unsupported_architecture,
        "{folder}/model/config.json: model_type is 'mamba', wanted one of llama, mistral, qwen2, "
        "qwen3",
    ),
    (
        unsupported_gguf_architecture,
        "{folder}/model.gguf: general.architecture is 'mamba', wanted one of llama, qwen2, qwen3",
    ),
    (
        unsupported_key,
        "{folder}/model/config.json: the architecture llama does not know logit_softcap = 30.0. "
        "A key that may change values is never dropped: remove it if you know it has no effect",
    ),
    (
        unsupported_gguf_key,
        "{folder}/model.gguf: the architecture llama does not know llama.logit_scale = 7. A key "
        "that may change values is never dropped: remove it if you know it has no effect",
    ),
    (
        unsupported_tensor,
        "{folder}/model: the architecture llama has no tensor model.layers.0.mlp.experts.weight",
    ),
    (
        unsupported_type,
        "{folder}/model.gguf: tensor 'token_embd.weight' has type I8, no type of a weight",
    ),
    (
        unsupported_op,
        "{folder}/graph.mlir:2:19: Operation tg.fourier is not registered",
    ),
    (
        mlir_syntax,
        "{folder}/graph.mlir:2:23: Expected 'to'",
    ),
    (mlir_syntax_in_opt, "{folder}/graph.mlir:2:23: Expected 'to'"),
    (
        no_such_model,
        "{folder}/nowhere.gguf: does not exist; wanted a .gguf file, a Hugging Face directory, a "
        "config.json, or graph-level .mlir text",
    ),
    (
        larger_than_hbm,
        "main memory: <n> bytes are needed, 65536 are available on tw-small; the largest are "
        "@ffn_gate_up (<n> bytes), @attn_qkv (<n> bytes), @ffn_down (<n> bytes), @attn_output (<n> "
        "bytes), @token_embd (<n> bytes), @output (<n> bytes); use fewer bits, a smaller batch or "
        "context, or a machine with more memory",
    ),
    (
        scratchpad_too_small,
        "scratchpad of machine tw-small too small: 1024 bytes, and the smallest tiles of this "
        "program need <n>; `blk.{l}.attn_qkv` needs most (<n> bytes for a tile of 1 row). Use "
        "a machine with at least <n> bytes",
    ),
    (
        machine_without_a_number,
        "{folder}/machine.toml: lanes: missing; wanted an integer, at least 1",
    ),
    (
        machine_with_an_unknown_number,
        "{folder}/machine.toml: caches: unknown key; known keys are "
        + ", ".join(load_machine("tw-small").to_dict()),
    ),
    (
        machine_with_an_impossible_number,
        "{folder}/machine.toml: array_rows: found 0, wanted an integer, at least 1",
    ),
    (
        machine_of_two_cores,
        "{folder}/machine.toml: cores: found 2, wanted 1: machines of more are not supported",
    ),
    (
        asm_syntax,
        "{folder}/entry.s: line 2, column 3: found instruction 'hault', expected one of "
        + ", ".join(BY_MNEMONIC),
    ),
    (
        asm_of_nothing,
        "{folder}/entry.s: no engine has an instruction: wanted `engine ld { ... }`",
    ),
]

WITH_AN_IMAGE: list[tuple[str, Callable[[Path], list[str]], str]] = [
    (
        "prompt longer than the context",
        lambda image: ["run", str(image), "--ids", ",".join(["1"] * 33)],
        "33 tokens do not fit sequence 0: the image was compiled for a context of 32; compile "
        "with a larger --max-context or shorten the prompt",
    ),
    (
        "empty prompt",
        lambda image: ["run", str(image), "--ids", ""],
        "the prompt is empty: give at least one token",
    ),
    (
        "token id out of range",
        lambda image: ["run", str(image), "--ids", "1,80"],
        "token id 80 at position 1 of sequence 0: the model has 80 tokens (0 to 79)",
    ),
    (
        "token ids that are no numbers",
        lambda image: ["run", str(image), "--ids", "1,two"],
        "--ids '1,two': write token ids as 1,2,3",
    ),
    (
        "an option of the compiler for an image",
        lambda image: ["generate", str(image), "hello", "--max-context", "64"],
        "--max-context is for a model that is compiled first, and {image} is an image: leave it "
        "away, or give `tilewright compile` the option",
    ),
    (
        "a system message without a chat",
        lambda image: ["generate", str(image), "hello", "--system", "Be brief."],
        "--system is for a chat model's prompt: add --chat",
    ),
    (
        "text for a model without a tokenizer",
        lambda image: ["generate", str(image), "hello"],
        "the image has no tokenizer: pass token ids instead of text",
    ),
]


def refusal(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused: its one line, without `error: `.

    Nothing is printed beside it, and `folder` holds what it held before.
    """
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    assert sorted(folder.rglob("*")) == before
    return captured.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("case", "text"),
    [pytest.param(*row, id=row[0].__name__.replace("_", " ")) for row in BEFORE_COMPILING],
)
def test_bad_input(
    case: Case, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = case(tmp_path)
    found = refusal(arguments, tmp_path, capsys).replace(str(tmp_path), "{folder}")
    assert re.fullmatch(re.escape(text).replace("<n>", r"\d+"), found), found


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CONFIG with random weights, compiled for tw-small."""
    folder = tmp_path_factory.mktemp("image")
    with pytest.raises(SystemExit) as stop:
        main(compile_it(model(folder)))
    assert not stop.value.code
    return folder / "out.tw"


@pytest.mark.parametrize(
    ("arguments", "text"), [pytest.param(*row[1:], id=row[0]) for row in WITH_AN_IMAGE]
)
def test_bad_input_of_an_image(
    arguments: Callable[[Path], list[str]],
    text: str,
    image: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refusal(arguments(image), image.parent, capsys) == text.replace("{image}", str(image))


def test_an_image_without_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    with pytest.raises(SystemExit):
        main(compile_it(config))
    capsys.readouterr()
    found = refusal(["run", str(tmp_path / "out.tw"), "--ids", "1"], tmp_path, capsys)
    assert found == (
        f"{tmp_path}/out.tw holds no weights (it was compiled from a config alone): it can be "
        "inspected, not run; compile a checkpoint with weights instead"
    )


@pytest.mark.parametrize("place", [0.001, 0.02, 0.5, 0.999], ids=lambda x: f"at {x:.1%}")
def test_an_image_with_one_byte_flipped(
    place: float, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.tw"
    content = bytearray(image.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    damaged.write_bytes(content)
    found = refusal(["run", str(damaged), "--ids", "1"], tmp_path, capsys)
    assert found.startswith(f"{damaged}: ")
    assert re.search("damaged|not an image|header", found)


def test_a_failed_compilation_keeps_the_image_that_was_there(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = truncated_safetensors(tmp_path)
    output = tmp_path / "out.tw"
    shutil.copy(image, output)
    refusal(arguments, tmp_path, capsys)
    assert output.read_bytes() == image.read_bytes()
