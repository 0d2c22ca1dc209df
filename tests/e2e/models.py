"""Tiny random models on disk, in every form the front ends read, with tokenizers.

    path = write_huggingface(folder, Tiny(family="qwen3"), "BF16", shards=2)
    path = write_gguf(folder / "m.gguf", Tiny(), {"token_embd": "Q8_0", "": "Q4_1"})

Equal `Tiny`s have equal weights, whatever file they go to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]

DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
SPECIAL = ("<unk>", "<s>", "</s>")
MERGES = (
    ("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ġ", "a"), ("e", "r"), ("o", "n"),
    ("Ġ", "w"), ("o", "r"), ("l", "d"), ("or", "ld"), ("Ġw", "orld"), ("h", "e"), ("l", "l"),
)  # fmt: skip
PIECES = ("▁", *"abcdefghijklmnopqrstuvwxyz", "th", "the", "▁the", "in", "▁a", "he", "ll", "llo")
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Tiny:
    """Sizes and features of a model of two layers."""

    family: str = "llama"
    """`llama`, `mistral`, `qwen2` or `qwen3`."""
    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    ffn: int = 96
    vocab: int = 320
    eps: float = 1e-5
    theta: float = 10000.0
    scaling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    activation: str = "silu"
    tied: bool = True
    attention_bias: bool = False
    """For llama and qwen3; qwen2 always has biases on q, k and v."""
    mlp_bias: bool = False
    max_positions: int = 128
    seed: int = 0

    @property
    def qkv_bias(self) -> bool:
        """Whether q, k and v have biases."""
        return self.family == "qwen2" or self.attention_bias

    def config(self) -> dict[str, Any]:
        """The config.json."""
        raw: dict[str, Any] = {
            "architectures": ["AnyForCausalLM"],
            "model_type": self.family,
            "vocab_size": self.vocab,
            "hidden_size": self.width,
            "intermediate_size": self.ffn,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": self.activation,
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": self.eps,
            "rope_theta": self.theta,
            "rope_scaling": dict(self.scaling) or None,
            "tie_word_embeddings": self.tied,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }
        if self.family == "llama":
            raw |= {"attention_bias": self.attention_bias, "mlp_bias": self.mlp_bias}
        if self.family == "qwen3":
            raw |= {"attention_bias": self.attention_bias}
        return raw

    def weights(self) -> dict[str, Array]:
        """float32 arrays [out, in] by Hugging Face's names."""
        random = np.random.default_rng(self.seed)
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        made: dict[str, Array] = {}

        def matrix(name: str, n: int, k: int, bias: bool = False) -> None:
            made[f"{name}.weight"] = random.standard_normal((n, k)) * (1.2 / np.sqrt(k))
            if bias:
                made[f"{name}.bias"] = random.standard_normal(n) * 0.4

        def gamma(name: str, n: int) -> None:
            made[f"{name}.weight"] = 1 + random.standard_normal(n) * 0.3

        made["model.embed_tokens.weight"] = random.standard_normal((self.vocab, self.width)) * 0.1
        for layer in range(self.layers):
            part = f"model.layers.{layer}."
            gamma(part + "input_layernorm", self.width)
            matrix(part + "self_attn.q_proj", q, self.width, self.qkv_bias)
            matrix(part + "self_attn.k_proj", kv, self.width, self.qkv_bias)
            matrix(part + "self_attn.v_proj", kv, self.width, self.qkv_bias)
            matrix(part + "self_attn.o_proj", self.width, q, self.attention_bias)
            if self.family == "qwen3":
                gamma(part + "self_attn.q_norm", self.head_dim)
                gamma(part + "self_attn.k_norm", self.head_dim)
            gamma(part + "post_attention_layernorm", self.width)
            matrix(part + "mlp.gate_proj", self.ffn, self.width, self.mlp_bias)
            matrix(part + "mlp.up_proj", self.ffn, self.width, self.mlp_bias)
            matrix(part + "mlp.down_proj", self.width, self.ffn, self.mlp_bias)
        gamma("model.norm", self.width)
        if not self.tied:
            made["lm_head.weight"] = random.standard_normal((self.vocab, self.width)) * 0.1
        return {name: value.astype(np.float32) for name, value in made.items()}


def safetensors_bytes(arrays: Mapping[str, Array], dtype: str) -> bytes:
    """A safetensors file; every array is rounded to `dtype`."""
    table: dict[str, Any] = {}
    parts: list[bytes] = []
    at = 0
    for name, value in arrays.items():
        data = value.astype(DTYPES[dtype]).tobytes()
        table[name] = {
            "dtype": dtype,
            "shape": list(value.shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    head = json.dumps(table).encode()
    return len(head).to_bytes(8, "little") + head + b"".join(parts)


def write_huggingface(
    folder: Path, tiny: Tiny, dtype: str = "F32", shards: int = 1, tokenizer: bool = True
) -> Path:
    """A directory with config.json, one safetensors file or shards with an index, a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(tiny.config()))
    weights = tiny.weights()
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(weights, dtype))
    else:
        names = list(weights)
        homes: dict[str, str] = {}
        for number in range(shards):
            home = f"model-{number + 1:05}-of-{shards:05}.safetensors"
            mine = {name: weights[name] for name in names[number::shards]}
            (folder / home).write_bytes(safetensors_bytes(mine, dtype))
            homes |= dict.fromkeys(mine, home)
        index = {"metadata": {}, "weight_map": homes}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    if tokenizer:
        (folder / "tokenizer.json").write_text(json.dumps(byte_level_tokenizer(tiny.vocab)))
        settings = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def alphabet() -> list[str]:
    """GPT-2's letter for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def byte_level_words(vocab: int) -> list[str]:
    """Special tokens, bytes, merges, and fillers up to `vocab`."""
    words = [*SPECIAL, *alphabet(), *(left + right for left, right in MERGES)]
    return words + [f"<extra_{number}>" for number in range(vocab - len(words))]


def sentencepiece_words(vocab: int) -> list[str]:
    """Special tokens, byte tokens, pieces, and fillers up to `vocab`."""
    words = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES]
    return words + [f"<extra_{number}>" for number in range(vocab - len(words))]


def byte_level_tokenizer(vocab: int) -> dict[str, Any]:
    """A tokenizer.json of byte-level BPE that splits digits, as SmolLM2's does."""
    words = byte_level_words(vocab)
    special = [
        {
            "id": number,
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, word in enumerate(words)
        if word.startswith("<") and len(word) > 1
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [digits, {**level, "use_regex": True}],
        },
        "post_processor": None,
        "decoder": {**level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": [list(pair) for pair in MERGES],
        },
    }


GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OTHER_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    """`model.layers.0.self_attn.q_proj.weight` -> `blk.0.attn_q.weight`."""
    stem, _, kind = name.rpartition(".")
    if stem in OTHER_NAMES:
        return f"{OTHER_NAMES[stem]}.{kind}"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[rest]}.{kind}"


def interleave_rotary(value: Array, heads: int) -> Array:
    """Rows of half-split heads in the order that llama's GGUF files have: pairs side by side."""
    rows: list[int] = []
    for head in np.split(np.arange(len(value)), heads):
        low, high = np.split(head, 2)
        rows += [int(row) for pair in zip(low, high, strict=True) for row in pair]
    return value[rows]


def rope_factors(tiny: Tiny) -> Array:
    """What GGUF files hold of llama 3's rope scaling: the divisor of each pair's frequency."""
    s, factors = tiny.scaling, list[float]()
    for pair in range(tiny.head_dim // 2):
        wavelength = 2 * np.pi * tiny.theta ** (2 * pair / tiny.head_dim)
        turns = s["original_max_position_embeddings"] / wavelength
        if turns > s["high_freq_factor"]:
            factors.append(1.0)
        elif turns < s["low_freq_factor"]:
            factors.append(s["factor"])
        else:
            span = s["high_freq_factor"] - s["low_freq_factor"]
            smooth = (turns - s["low_freq_factor"]) / span
            factors.append(1 / ((1 - smooth) / s["factor"] + smooth))
    return np.array(factors, np.float32)


def write_gguf(
    path: Path,
    tiny: Tiny,
    types: Mapping[str, str] | str = "F32",
    tokenizer: str | None = "gpt2",
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """A GGUF file. `types` is one type, or types by the start of a tensor's name ("" for others);
    vectors stay F32. `tokenizer` is `gpt2`, `llama` or None; `keys` adds integers and floats."""
    family = "llama" if tiny.family == "mistral" else tiny.family
    chosen = {"": types} if isinstance(types, str) else dict(types)
    writer: Any = gguf.GGUFWriter(path, family)
    writer.add_context_length(tiny.max_positions)
    writer.add_embedding_length(tiny.width)
    writer.add_block_count(tiny.layers)
    writer.add_feed_forward_length(tiny.ffn)
    writer.add_head_count(tiny.heads)
    writer.add_head_count_kv(tiny.kv_heads)
    writer.add_key_length(tiny.head_dim)
    writer.add_value_length(tiny.head_dim)
    writer.add_layer_norm_rms_eps(tiny.eps)
    writer.add_rope_freq_base(tiny.theta)
    if tiny.scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(tiny))
    elif tiny.scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(tiny.scaling["factor"])
    for key, value in (keys or {}).items():
        (writer.add_float32 if isinstance(value, float) else writer.add_uint32)(key, value)
    if tokenizer is not None:
        _add_tokenizer(writer, tokenizer, tiny.vocab)
    for name, value in tiny.weights().items():
        known = gguf_name(name)
        if family == "llama" and (".attn_q." in known or ".attn_k." in known):
            value = interleave_rotary(value, tiny.heads if "attn_q" in known else tiny.kv_heads)
        prefix = max((p for p in chosen if known.startswith(p)), key=len)
        kind = gguf.GGMLQuantizationType["F32" if value.ndim == 1 else chosen[prefix]]
        writer.add_tensor(known, gguf.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, kind: str, vocab: int) -> None:
    words = byte_level_words(vocab) if kind == "gpt2" else sentencepiece_words(vocab)
    types = [_token_type(word) for word in words]
    writer.add_tokenizer_model(kind)
    writer.add_token_list(words)
    writer.add_token_types(types)
    if kind == "gpt2":
        writer.add_tokenizer_pre("smollm")
        writer.add_token_merges([" ".join(pair) for pair in MERGES])
        writer.add_add_bos_token(False)
    else:
        writer.add_token_scores([-float(number) for number in range(vocab)])
        writer.add_add_bos_token(True)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)


def _token_type(word: str) -> int:
    kinds: Any = gguf.TokenType
    if word == "<unk>":
        return int(kinds.UNKNOWN)
    if word.startswith("<0x"):
        return int(kinds.BYTE)
    return int(kinds.CONTROL if word.startswith("<") and len(word) > 1 else kinds.NORMAL)
