"""`--check-each-pass`: passes that keep the program pass, passes that change it are named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.compiler.check import (
    CheckError,
    CheckInputError,
    PassChecker,
    RandomCheckpoint,
    check_pass,
    level_of,
    random_launch,
)
from tilewright.compiler.frontend.builder import EntryShape
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.pipeline import passes_for, run_passes
from tilewright.dialects import context
from tilewright.dialects.tg import GlobalOp
from tilewright.passes.erase_channels import erase_channels

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 40,
    "max_position_embeddings": 32,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
OPTIONS = {"machine": "tw-small"}
PROGRAMS = Path(__file__).parent.parent / "streams" / "programs"


@pytest.fixture
def graph(tmp_path: Path) -> Callable[..., ModuleOp]:
    """The graph of one entry of a tiny model: `graph(chunk=4)`."""

    def make(chunk: int = 1, batch: int = 2, context: int = 16) -> ModuleOp:
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
        entry = EntryShape("decode" if chunk == 1 else "prefill", batch, chunk, context)
        return load_model(tmp_path / "config.json").build(entry)

    return make


def parse(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def program(name: str) -> str:
    return (PROGRAMS / f"{name}.mlir").read_text()


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_whole_pipeline_keeps_the_program(chunk: int, graph: Callable[..., ModuleOp]) -> None:
    checker = PassChecker("tw-small", seed=chunk, launches=1)
    passes = passes_for(OPTIONS)
    levels: list[str] = []
    module = graph(chunk)
    run_passes(
        module, passes, [checker.after_pass, lambda _, now, __: levels.append(level_of(now))]
    )
    assert checker.passed == [one.name for _, one in passes]
    assert list(dict.fromkeys(levels)) == ["tensor", "tiled", "streamed", "projected", "isa"]


def modules_after(graph: ModuleOp, *names: str) -> list[ModuleOp]:
    """The module after each of these passes."""
    found: dict[str, ModuleOp] = {}
    passes = passes_for(OPTIONS)
    last = max(number for number, (_, one) in enumerate(passes) if one.name in names)

    def keep(one: Any, module: ModuleOp, _: Any) -> None:
        if one is not None:
            found[one.name] = module.clone()

    run_passes(graph, passes[: last + 1], [keep])
    return [found[name] for name in names]


def test_a_pass_that_changes_values_is_named_with_op_and_error(
    graph: Callable[..., ModuleOp],
) -> None:
    packed, tiled = modules_after(graph(), "choose-panels", "tile")
    wrong = parse(str(tiled).replace("1.0e-05", "1.0e-02"))
    with pytest.raises(
        CheckError,
        match=r"^after tile: tile\.store gives @k_cache\[.*\] = .*, was .* elements differ by more "
        r"than 0\.0001\); launch rows = ",
    ):
        check_pass(packed, wrong, "tile", launches=1)
    check_pass(packed, tiled, "tile", launches=1)


def test_below_tiled_one_bit_is_a_difference() -> None:
    streamed = program("b_streamed")
    wrong = streamed.replace("id(%sum) add %m1 to %sum", "id(%m1) add %sum to %sum")
    check_pass(parse(streamed), parse(wrong), "swap")
    wrong = streamed.replace("id(%out) mul %a to %out", "id(%out * %a) add 1.0e-7 to %out")
    with pytest.raises(CheckError, match=r"^after nudge: tile\.store gives @y\["):
        check_pass(parse(streamed), parse(wrong), "nudge")


def test_a_race_is_an_error_of_the_pass() -> None:
    good = program("b_streamed")
    bare = "\n".join(line for line in good.split("\n") if "@appended" not in line)
    with pytest.raises(CheckError, match=r"after channels.*(@y|reads @k_cache unordered)"):
        check_pass(parse(program("b_tiled")), parse(bare), "channels", seed=1, launches=4)


def test_a_program_that_cannot_run_is_an_error_of_the_pass() -> None:
    good = program("a_streamed")
    stuck = good.replace("      stream.commit %h0\n", "")
    with pytest.raises(CheckError, match=r"after channels, launch m = \d: stream\.wait.*blocks"):
        check_pass(parse(program("a_tiled")), parse(stuck), "channels")


def test_erased_channels_keep_the_bits() -> None:
    for name in ("a", "b", "c"):
        tiled = parse(program(f"{name}_streamed"))
        erase_channels(tiled)
        assert level_of(tiled) == "tiled"
        check_pass(parse(program(f"{name}_streamed")), tiled, "erase-channels", launches=1)


def test_outputs_may_not_be_lost_or_change_their_type() -> None:
    good = program("a_tiled")
    wider = good.replace("@y : memref<4x32xf32", "@y : memref<5x32xf32")
    with pytest.raises(CheckError, match=r"after grow: @y is float32 \[5, 32\], was float32"):
        check_pass(parse(good), parse(wider), "grow")
    renamed = good.replace("@y", "@z")
    with pytest.raises(CheckError, match="after rename: @y is gone"):
        check_pass(parse(good), parse(renamed), "rename")


@pytest.mark.parametrize("seed", range(12))
def test_a_random_launch_is_a_consistent_ragged_step(
    seed: int, graph: Callable[..., ModuleOp]
) -> None:
    launch = random_launch(graph(chunk=3, batch=3, context=8), seed)
    words = {n: (v,) if isinstance(v, int) else v for n, v in launch.parameters.items()}
    new, cached = words["q_len"], words["kv_len"]
    starts = [sum(new[:b]) for b in range(len(new))]
    assert list(words["row_start"]) == starts
    assert words["rows"] == (sum(new),)
    assert words["rows"][0] >= words["logit_rows"][0] >= 1
    assert all(c + n <= 8 for c, n in zip(cached, new, strict=True))
    assert launch.data["tokens"].max() < CONFIG["vocab_size"]
    assert launch.data["logit_index"].max() < words["rows"][0]
    again = random_launch(graph(chunk=3, batch=3, context=8), seed)
    assert again.parameters == launch.parameters
    assert all(np.array_equal(again.data[n], launch.data[n]) for n in launch.data)


def test_merged_and_packed_parameters_come_from_the_same_rows(
    graph: Callable[..., ModuleOp],
) -> None:
    before = graph()
    merged, packed = modules_after(before.clone(), "merge", "choose-formats")
    checkpoint = RandomCheckpoint(before)
    store = WeightStore(checkpoint.read)
    named = {op.global_name: op for op in before.ops if isinstance(op, GlobalOp)}
    after = {op.global_name: op for op in merged.ops if isinstance(op, GlobalOp)}
    parts = [store.values(named[f"attn_{part}"], 1) for part in "qkv"]
    whole = store.values(after["attn_qkv"], 1)
    assert np.array_equal(whole, np.concatenate(parts, axis=1))
    assert not checkpoint.learn_formats(packed)


def test_tensors_are_drawn_in_the_format_that_packs_them() -> None:
    module = parse(program("a_tiled"))
    checkpoint = RandomCheckpoint(module)
    assert checkpoint.read("ffn_gate_up").format == "q4_0"
    changed = parse(program("a_tiled").replace("q4_0", "q8_0"))
    assert checkpoint.learn_formats(changed)
    assert checkpoint.read("ffn_gate_up").format == "q8_0"


def test_a_tensor_that_no_recipe_names_is_refused() -> None:
    with pytest.raises(CheckInputError, match="no recipe of the module names the tensor 'other'"):
        RandomCheckpoint(parse(program("a_tiled"))).read("other")
