"""`tilewright bisect`: bugs planted in passes are found, each with its op and its location."""

import json
from pathlib import Path
from typing import Any

import pytest
from models import write_huggingface
from planted import TINY, spoilt

from tilewright.compiler import compile_model
from tilewright.compiler.cli import main
from tilewright.passes import PASSES

SIZES = ("--machine", "tw-small", "--max-context", "12", "--batch", "2", "--chunk", "3")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_huggingface(tmp_path_factory.mktemp("m") / "m", TINY, "BF16", tokenizer=False)


@pytest.fixture(scope="module")
def dumped(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The IR of both entries."""
    folder = tmp_path_factory.mktemp("dump")
    compile_model(model, "tw-small", max_context=12, batch=2, chunk=3, output=folder / "m.tw",
                  dump_ir=folder / "ir")  # fmt: skip
    return folder / "ir"


BUGS: dict[str, tuple[str, str, str, str, str, int | None]] = {
    "wrong function": (
        "canonicalise", r"tg.unary silu", "tg.unary relu", "tg.unary", "blk.{l}.ffn_gate", 0,
    ),
    "keys and values change places": (
        "merge", r"(%q\w*), (%k\w*), (%v\w*) = tg.split", r"\1, \3, \2 = tg.split",
        "tg.split", "blk.{l}.attn_qkv", 0,
    ),
    "epsilon": (
        "fuse", "eps 1.0e-05 heads 1", "eps 1.0e-01 heads 1", "tg.rmsnorm", "blk.{l}.attn_k_norm",
        0,
    ),
    "scales of another weight": (
        "choose-formats", r"channel_scale\('model.layers.\{l\}.mlp.down_proj.weight'\)",
        "channel_scale('model.layers.{l}.self_attn.o_proj.weight')", "tg.binary",
        "blk.{l}.ffn_down", 0,
    ),
    "columns in another order": (
        "choose-panels", r"interleave\('model.layers.\{l\}.mlp.gate_proj.weight', 'model.layers"
        r".\{l\}.mlp.up_proj.weight'",
        "interleave('model.layers.{l}.mlp.up_proj.weight', 'model.layers.{l}.mlp.gate_proj.weight'",
        "tg.split", "blk.{l}.ffn_gate_up", 0,
    ),
    "scale of attention": (
        "tile", r"exp\((%\w+) \* 0.25", r"exp(\1 * 0.5", "tile.vec", "blk.{l}.attention", 0,
    ),
    "own value left out": (
        "tile", r"(%own_1 = %c0 to )%\w+", r"\1%c0", "tile.vec", "blk.{l}.attention", 0,
    ),
    "tail mask off by one": (
        "tile", r"(exp\([^\n]* band hi )%\w+", r"\1%kv_len_1", "tile.vec", "blk.{l}.attention", 0,
    ),
    "columns of a store": (
        "reside", r"to @logits\[(%\w+), 32\]", r"to @logits[\1, 31]", "tile.store", "output", None,
    ),
    "token left out": (
        "channels", r"\n *stream.(signal|await) @token_embd_out_ready[^\n]*", "", "tile.gather",
        "output", None,
    ),
    "released before it is read": (
        "channels",
        r"(\n *tile.matmul %\w+, %\w+ transposed into %scores [^\n]*)"
        r"(\n *stream.release %keys_1[^\n]*)", r"\2\1", "tile.matmul", "blk.{l}.attention", 0,
    ),
    "wrong slot": (
        "skew", r"tile.matmul %p(\w*), (%\w+) into %pv", r"tile.matmul %p\1, \2 into %scores",
        "tile.matmul", "blk.{l}.attention", 0,
    ),
    "overlap": (
        "allocate", r"(%scale = tile.buffer on vpu at )\d+", r"\g<1>0", "tile.load",
        "blk.{l}.attn_qkv", None,
    ),
    "dropped wait": (
        "project", r"\n *stream.await @token_embd_out_ready[^\n]*", "", "stream.await", "output",
        None,
    ),
    "layers too close": (
        "select", r"(alu mul %\d+), 3072", r"\1, 3008", "tw.copy", "blk.{l}.attn_output", 1,
    ),
}  # fmt: skip


EVERYWHERE = {"token left out": 0}
"""Bugs that are planted at every match; others at the first."""


def bisect(
    *arguments: str, capsys: pytest.CaptureFixture[str], status: int = 1
) -> list[dict[str, Any]]:
    """What `tilewright bisect --json` prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["bisect", *arguments, "--json"])
    assert stop.value.code == status
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_named(
    name: str, dumped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The passes run on the graph that was dumped; formats are quantised where that is at stake."""
    wrong, pattern, new, op, location, layer = BUGS[name]
    monkeypatch.setitem(PASSES, wrong, spoilt(wrong, pattern, new, count=EVERYWHERE.get(name, 1)))
    options = ("--weights", "i8") if wrong == "choose-formats" else ()
    graph = dumped / "decode" / "00-input.mlir"
    (found,) = bisect(str(graph), *options, capsys=capsys)
    print(json.dumps(found, indent=1))
    assert (found["pass_name"], found["op"]) == (wrong, op)
    assert (found["location"], found["layer"]) == (location, layer)
    assert any(line.startswith(("+", "-")) for line in found["diff"][2:])
    assert f"--stop-after {wrong}" in found["command"]


def test_a_model_runs_the_passes_that_are_given(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the place of the compiler's own, on each entry."""
    monkeypatch.setitem(
        PASSES, "merge", spoilt("merge", *BUGS["keys and values change places"][1:3])
    )
    both = bisect(str(model), *SIZES, "-p", "merge,canonicalise", capsys=capsys)
    assert [(one["entry"], one["pass_name"]) for one in both] == [
        ("decode", "merge"),
        ("prefill", "merge"),
    ]
    assert "ir/prefill/00-input.mlir -p merge,canonicalise" in both[1]["command"]


def test_nothing_is_found_where_all_is_right(
    dumped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bisect(str(dumped / "decode"), capsys=capsys, status=0) == []


def test_an_edited_file_is_found_in_a_folder(
    dumped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (dumped / "decode").iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "06-tile.mlir":
            text = text.replace("tile.vec sigmoid(", "tile.vec tanh(", 1)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    (found,) = bisect(str(tmp_path), capsys=capsys)
    assert (found["pass_name"], found["location"]) == ("tile", "blk.{l}.ffn_gate_up")
    assert "05-choose-panels.mlir --stop-after tile" in found["command"]
    assert any("tanh" in line for line in found["diff"])
    with pytest.raises(SystemExit):
        main(["bisect", str(tmp_path)])
    assert "decode: pass tile is the first whose program is wrong" in capsys.readouterr().out


def test_a_folder_without_ir_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bisect", str(tmp_path)])
    assert "holds no IR" in capsys.readouterr().err
