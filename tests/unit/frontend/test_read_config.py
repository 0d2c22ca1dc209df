"""Configs by the table: what is used, what is inert, and how everything else is refused."""

from dataclasses import replace
from typing import Any

import pytest

from tilewright.compiler.frontend.checkpoint import TensorInfo, UnsupportedModel
from tilewright.compiler.frontend.model_config import ModelConfig, Rope
from tilewright.compiler.frontend.read_config import read_gguf, read_huggingface

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
}
WANTED = ModelConfig(
    architecture="llama",
    layers=2,
    width=64,
    heads=4,
    kv_heads=2,
    head_dim=16,
    ffn=96,
    vocab=320,
    eps=1e-5,
    rope=Rope(10000.0, 16),
    activation="silu",
    max_positions=128,
    tied=True,
)
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def changed(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**LLAMA, **changes}.items() if value != "absent"}


ACCEPTED: dict[str, tuple[dict[str, Any], ModelConfig]] = {
    "plain": ({}, WANTED),
    "inert keys": ({"torch_dtype": "float16", "use_cache": False, "pretraining_tp": 1}, WANTED),
    "no kv heads": ({"num_key_value_heads": "absent"}, replace(WANTED, kv_heads=4)),
    "head_dim": ({"head_dim": 32}, replace(WANTED, head_dim=32, rope=Rope(10000.0, 32))),
    "biases": (
        {"attention_bias": True, "mlp_bias": True},
        replace(WANTED, qkv_bias=True, output_bias=True, mlp_bias=True),
    ),
    "theta": ({"rope_theta": 5e5}, replace(WANTED, rope=Rope(5e5, 16))),
    "no scaling": ({"rope_scaling": None}, WANTED),
    "linear, old word": (
        {"rope_scaling": {"type": "linear", "factor": 2}},
        replace(WANTED, rope=Rope(10000.0, 16, "linear 2.0")),
    ),
    "llama3": (
        {"rope_scaling": LLAMA3},
        replace(WANTED, rope=Rope(10000.0, 16, "llama3 8.0 1.0 4.0 32.0")),
    ),
    "rope_parameters": (
        {"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}},
        replace(WANTED, rope=Rope(7.0, 16)),
    ),
    "window": (
        {"model_type": "mistral", "sliding_window": 64},
        replace(WANTED, architecture="mistral", window=64),
    ),
    "window off": (
        {"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": False},
        replace(WANTED, architecture="qwen2", qkv_bias=True),
    ),
    "qwen3": (
        {"model_type": "qwen3", "head_dim": 32, "attention_bias": False},
        replace(WANTED, architecture="qwen3", qk_norm=True, head_dim=32, rope=Rope(10000.0, 32)),
    ),
    "gelu": ({"hidden_act": "gelu"}, replace(WANTED, activation="gelu_erf")),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    changes, wanted = ACCEPTED[name]
    assert read_huggingface("c", changed(**changes)) == wanted


DROPPED = (
    "c: the architecture llama does not know {}. A key that may change values is never dropped: "
    "remove it if you know it has no effect"
)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "family": (
        {"model_type": "mamba"},
        "c: model_type is 'mamba', wanted one of llama, mistral, qwen2, qwen3",
    ),
    "no family": (
        {"model_type": "absent"},
        "c: model_type is missing, wanted one of llama, mistral, qwen2, qwen3",
    ),
    "unknown key": ({"logit_softcap": 30.0}, DROPPED.format("logit_softcap = 30.0")),
    "two unknown keys": (
        {"a": 1, "embedding_multiplier": 12.0},
        DROPPED.format("a = 1; embedding_multiplier = 12.0"),
    ),
    "quantised": (
        {"quantization_config": {"bits": 4}},
        DROPPED.format("quantization_config = {'bits': 4}"),
    ),
    "value that is not inert": (
        {"rope_interleaved": True},
        DROPPED.format("rope_interleaved = True"),
    ),
    "missing": (
        {"hidden_size": "absent"},
        "c: hidden_size is missing, wanted a positive integer",
    ),
    "negative": (
        {"num_hidden_layers": -1},
        "c: num_hidden_layers is -1, wanted a positive integer",
    ),
    "more layers than any model": (
        {"num_hidden_layers": 1 << 40},
        "c: num_hidden_layers is 1099511627776, wanted at most 16384",
    ),
    "rows beyond 32 bits": (
        {"vocab_size": 1 << 31},
        "c: vocab_size is 2147483648, wanted at most 2147483647",
    ),
    "beyond float32": (
        {"rope_theta": 10**400},
        f"c: rope_theta is {str(10**400)[:200]}, wanted at most 3.4028234663852886e+38, as float32 "
        "has it",
    ),
    "text for a number": (
        {"rms_norm_eps": "1e-5"},
        "c: rms_norm_eps is '1e-5', wanted a positive number",
    ),
    "flag": ({"tie_word_embeddings": 1}, "c: tie_word_embeddings is 1, wanted true or false"),
    "activation": (
        {"hidden_act": "relu6"},
        "c: hidden_act is 'relu6', wanted one of silu, swish, gelu, gelu_pytorch_tanh, gelu_new",
    ),
    "uneven heads": (
        {"num_key_value_heads": 3},
        "c: 4 heads do not share 3 key-value heads evenly",
    ),
    "odd head": ({"head_dim": 15}, "c: a head has 15 columns; rope needs pairs"),
    "width": ({"hidden_size": 66}, "c: head_dim is missing, wanted a positive integer"),
    "yarn": (
        {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
        "c: rope_scaling: rope_type is 'yarn', wanted one of default, linear, llama3",
    ),
    "partial rope": (
        {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
        "c: rope_parameters: rope type default does not know "
        "partial_rotary_factor = 0.5. A key that may change values is never dropped: remove it if "
        "you know it has no effect",
    ),
    "scaling factor": (
        {"rope_scaling": {"type": "linear", "factor": 0}},
        "c: rope_scaling: factor is 0, wanted a positive number",
    ),
    "scaling": ({"rope_scaling": 4}, "c: rope_scaling is 4, wanted an object"),
    "layer types": (
        {"layer_types": ["mamba"]},
        "c: layer_types is ['mamba'], wanted a list of full_attention and sliding_attention",
    ),
    "lists of layer types": (
        {"layer_types": [[]]},
        "c: layer_types is [[]], wanted a list of full_attention and sliding_attention",
    ),
    "sliding layers": (
        {"layer_types": ["sliding_attention"]},
        "c: sliding_window is missing, wanted a window, since layer_types has sliding_attention",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(UnsupportedModel) as error:
        read_huggingface("c", changed(**changes))
    assert str(error.value) == message


class Tensors:
    """Names and the embedding's rows, without a file."""

    def __init__(self, *names: str, factors: list[float] | None = None) -> None:
        self.names = ("token_embd.weight", *names)
        self.factors = factors

    def info(self, name: str) -> TensorInfo:
        assert name == "token_embd.weight"
        return TensorInfo("f32", (320, 64), "F32")

    def rope_factors(self) -> list[float] | None:
        return self.factors


GGUF: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "anything",
    "tokenizer.ggml.model": "gpt2",
    "llama.block_count": 2,
    "llama.context_length": 128,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.attention.layer_norm_rms_epsilon": 9.999999747378752e-06,
    "llama.expert_count": 0,
}


def test_gguf_says_the_same() -> None:
    assert read_gguf("g", GGUF, Tensors()) == WANTED
    lists = {**GGUF, "llama.attention.head_count": [4, 4], "llama.feed_forward_length": [96, 96]}
    assert read_gguf("g", lists, Tensors()) == WANTED
    assert not read_gguf("g", GGUF, Tensors("output.weight")).tied
    biased = read_gguf("g", GGUF, Tensors("blk.0.attn_q.bias", "blk.0.ffn_gate.bias"))
    assert (biased.qkv_bias, biased.output_bias, biased.mlp_bias) == (True, False, True)
    linear = {**GGUF, "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    assert read_gguf("g", linear, Tensors()).rope == Rope(10000.0, 16, "linear 4.0")
    factors = [1.0, 1.0, 1.0, 1.0, 1.0, 2.5, 8.0, 8.0]
    assert read_gguf("g", GGUF, Tensors(factors=factors)).rope == Rope(
        10000.0, 16, "factors 1.0 1.0 1.0 1.0 1.0 2.5 8.0 8.0"
    )


GGUF_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "family": (
        {"general.architecture": "mamba"},
        "g: general.architecture is 'mamba', wanted one of llama, qwen2, qwen3",
    ),
    "experts": (
        {"llama.expert_count": 8, "llama.expert_used_count": 2},
        "g: the architecture llama does not know llama.expert_count = 8; llama.expert_used_count = "
        "2. A key that may change values is never dropped: remove it if you know it has no effect",
    ),
    "logit scale": (
        {"llama.logit_scale": 0.5},
        "g: the architecture llama does not know llama.logit_scale = 0.5. A key that may change "
        "values is never dropped: remove it if you know it has no effect",
    ),
    "stranger": ({"adapter.type": "lora"}, "g: unknown metadata adapter.type = 'lora'"),
    "split": (
        {"split.count": 3},
        "g: is one of 3 parts of a split model: merge them with gguf-split --merge",
    ),
    "layers that differ": (
        {"llama.feed_forward_length": [96, 64]},
        "g: llama.feed_forward_length is [96, 64], wanted one number for all layers",
    ),
    "layers that are lists": (
        {"llama.feed_forward_length": [[96], [96]]},
        "g: llama.feed_forward_length is [[96], [96]], wanted a positive integer",
    ),
    "partial rope": (
        {"llama.rope.dimension_count": 8},
        "g: llama.rope.dimension_count is 8, wanted 16, all columns of a head",
    ),
    "values of another length": (
        {"llama.attention.value_length": 8},
        "g: llama.attention.value_length is 8, wanted 16, the key length",
    ),
    "vocabulary": (
        {"llama.vocab_size": 32000},
        "g: llama.vocab_size is 32000, wanted 320, the rows of token_embd.weight",
    ),
    "yarn": (
        {"llama.rope.scaling.type": "yarn"},
        "g: llama.rope.scaling.type is 'yarn', wanted one of none, linear",
    ),
    "factor without type": (
        {"llama.rope.scaling.factor": 2.0},
        "g: llama.rope.scaling.factor is 2.0, wanted 1.0 without a rope.scaling.type",
    ),
}


@pytest.mark.parametrize("name", GGUF_REFUSED)
def test_gguf_refused(name: str) -> None:
    changes, message = GGUF_REFUSED[name]
    with pytest.raises(UnsupportedModel) as error:
        read_gguf("g", {**GGUF, **changes}, Tensors())
    assert str(error.value) == message
