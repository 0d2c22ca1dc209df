"""Paths to models: which front end reads them, what others are told, what entries may ask for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.scf import ForOp

from tilewright.compiler.frontend import (
    BuildError,
    CheckpointError,
    EntryShape,
    Model,
    UnsupportedModel,
    load_model,
)
from tilewright.dialects.locations import location_name
from tilewright.dialects.tg import GlobalOp

CONFIGS = Path(__file__).parents[3] / "samples" / "configs"
SMOL = CONFIGS / "smollm2-135m" / "config.json"


def config_only(tmp_path: Path, **changes: Any) -> Model:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(SMOL.read_text()), **changes}))
    return load_model(path)


WANTED = "wanted a .gguf file, a Hugging Face directory, a config.json, or graph-level .mlir text"


def test_paths_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "model.bin").write_bytes(b"\x80")
    for name, message in {
        "none": f"does not exist; {WANTED}",
        "empty": f"is a directory without config.json; {WANTED}",
        "a.txt": f"is nothing that can be read; {WANTED}",
        "model.bin": "is weights alone: name the directory with its config.json; .bin files are "
        "not read by themselves",
    }.items():
        with pytest.raises(CheckpointError) as error:
            load_model(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_a_config_alone(tmp_path: Path) -> None:
    model = load_model(SMOL)
    assert model.name == "smollm2-135m"
    assert model.notices == ("there are no weights: the program can be timed, not run",)
    assert not model.has_weights
    assert model.tokenizer() is None


def text(module: ModuleOp) -> str:
    return str(module)


def declarations(module: ModuleOp) -> dict[str, str]:
    return {op.global_name: str(op) for op in module.ops if isinstance(op, GlobalOp)}


def test_an_entry_declares_what_a_step_needs() -> None:
    module = load_model(SMOL).build(EntryShape("prefill", 2, 16, 64))
    lines = text(module)
    for line in (
        'builtin.module @prefill attributes {tw.policy = "exact"}',
        "tg.scalar @rows : 0 to 32",
        "tg.scalar @logit_rows : 0 to 32",
        "tg.table @row_start : 2 x 0 to 32",
        "tg.table @q_len : 2 x 0 to 16",
        "tg.table @kv_len : 2 x 0 to 63",
        "tg.global weight @attn_norm : memref<30x576xf32, #tw.hbm>",
        "tg.global weight @ffn_down : !lowbit.packed<30x1536x576, bf16, kn>",
        "tg.global weight @token_embd : !lowbit.packed<576x49152, bf16, nk>",
        "tg.global weight @output : !lowbit.packed<576x49152, bf16, kn>",
        'tg.global table @rope_cos : memref<64x32xf32, #tw.hbm> from "rope_cos(100000.0, 64, 64)"',
        "tg.global state @k_cache : memref<30x2x3x64x64xf32, #tw.hbm>",
        "tg.global input @tokens : memref<32xi32, #tw.hbm>",
        "tg.global output @logits : memref<32x49152xf32, #tw.hbm>",
        "func.func @prefill()",
    ):
        assert line in lines
    assert len([op for op in module.walk() if isinstance(op, ForOp)]) == 1


def test_a_tied_head_is_packed_from_the_embeddings_rows() -> None:
    declared = declarations(load_model(SMOL).build(EntryShape("decode", 1, 1, 64)))
    recipes = {name: declared[name].partition(" from ")[2] for name in ("token_embd", "output")}
    assert recipes["token_embd"] == recipes["output"] != ""


def test_policies_choose_the_cache() -> None:
    module = load_model(SMOL).build(EntryShape("decode", 1, 1, 64), "bf16")
    assert "@v_cache : memref<30x1x3x64x64xbf16, #tw.hbm>" in text(module)


def test_every_op_of_the_graph_names_its_place() -> None:
    module = load_model(SMOL).build(EntryShape("decode", 1, 1, 64))
    places = {
        op.name: location_name(op)
        for op in module.walk()
        if op.name.startswith("tg.") and op.parent_op() is not module
    }
    assert "" not in places.values()
    assert places["tg.attention"] == "blk.{l}.attention"
    assert places["tg.embed"] == "token_embd"


def test_size_does_not_grow_with_depth(tmp_path: Path) -> None:
    shallow = config_only(tmp_path, num_hidden_layers=2).build(EntryShape("decode", 1, 1, 64))
    deep = config_only(tmp_path, num_hidden_layers=90).build(EntryShape("decode", 1, 1, 64))
    assert len(list(shallow.walk())) == len(list(deep.walk()))


REFUSED: dict[str, tuple[EntryShape, str, str]] = {
    "policy": (
        EntryShape("decode", 1, 1, 64),
        "fp8",
        "policy 'fp8' is unknown, wanted one of exact, bf16",
    ),
    "batch": (
        EntryShape("decode", 0, 1, 64),
        "exact",
        "entry decode: batch is 0, wanted 1 or more",
    ),
    "chunk": (
        EntryShape("prefill", 1, 65, 64),
        "exact",
        "entry prefill: a chunk of 65 exceeds the context of 64 positions",
    ),
    "context": (
        EntryShape("decode", 1, 1, 8193),
        "exact",
        "entry decode: a context of 8193 positions exceeds the 8192 that the model was made for",
    ),
    "window": (
        EntryShape("decode", 1, 1, 65),
        "exact",
        "entry decode: the model attends a sliding window of 64 positions, which a context of 65 "
        "exceeds: ask for 64 or less",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_entries_that_cannot_be(name: str, tmp_path: Path) -> None:
    entry, policy, message = REFUSED[name]
    window = {"model_type": "mistral", "sliding_window": 64} if name == "window" else {}
    drop = {"rope_interleaved": None, "attention_bias": None} if window else {}
    raw = {**json.loads(SMOL.read_text()), **window}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({key: value for key, value in raw.items() if key not in drop}))
    with pytest.raises(BuildError) as error:
        load_model(path).build(entry, policy)
    assert str(error.value) == message


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    """A directory whose tensors are not those of its config: left over, missing, another shape."""
    raw = {**json.loads(SMOL.read_text()), "num_hidden_layers": 1, "vocab_size": 8}
    (tmp_path / "config.json").write_text(json.dumps(raw))

    def write(**changes: list[int] | None) -> None:
        shapes = {
            "model.embed_tokens.weight": [8, 576],
            "model.norm.weight": [576],
            "model.layers.0.input_layernorm.weight": [576],
            "model.layers.0.self_attn.q_proj.weight": [576, 576],
            "model.layers.0.self_attn.k_proj.weight": [192, 576],
            "model.layers.0.self_attn.v_proj.weight": [192, 576],
            "model.layers.0.self_attn.o_proj.weight": [576, 576],
            "model.layers.0.post_attention_layernorm.weight": [576],
            "model.layers.0.mlp.gate_proj.weight": [1536, 576],
            "model.layers.0.mlp.up_proj.weight": [1536, 576],
            "model.layers.0.mlp.down_proj.weight": [576, 1536],
            **changes,
        }
        table: dict[str, Any] = {}
        at = 0
        for name, shape in shapes.items():
            if shape is not None:
                size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
                table[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
                at += size
        head = json.dumps(table).encode()
        data = len(head).to_bytes(8, "little") + head + bytes(at)
        (tmp_path / "model.safetensors").write_bytes(data)

    write()
    assert load_model(tmp_path).notices == ()
    write(**{"lm_head.weight": [8, 576], "model.layers.0.self_attn.rotary_emb.inv_freq": [32]})
    assert load_model(tmp_path).notices == (
        "lm_head.weight is not read: the config ties the head to the embedding",
    )
    write(**{"model.layers.0.mlp.experts.weight": [2, 2]})
    with pytest.raises(UnsupportedModel) as error:
        load_model(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: the architecture llama has no tensor model.layers.0.mlp.experts.weight"
    )
    write(**{"model.norm.weight": None})
    with pytest.raises(CheckpointError, match=re.escape("there is no tensor 'model.norm.weight'")):
        load_model(tmp_path)
    write(**{"model.layers.0.mlp.down_proj.weight": [1536, 576]})
    with pytest.raises(CheckpointError) as wrong:
        load_model(tmp_path)
    assert str(wrong.value) == (
        f"{tmp_path}: tensor 'model.layers.0.mlp.down_proj.weight' is 1536 x 576, wanted 576 x 1536"
    )
