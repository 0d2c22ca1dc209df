"""A raw config, `config.json` or GGUF metadata, to a `ModelConfig`: by the table, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import numpy as np

from .architectures import (
    ACTIVATIONS,
    ARCHITECTURES,
    GGUF_INERT,
    GGUF_INERT_PREFIXES,
    GGUF_USED,
    HUGGINGFACE_INERT,
    HUGGINGFACE_USED,
    ROPE_TYPES,
    Architecture,
)
from .checkpoint import TensorInfo, UnsupportedModel
from .model_config import ModelConfig, Rope

MOST_LAYERS = 1 << 14
"""Every layer has names of its own; models with more are none, and would take minutes to refuse."""
_LARGEST = (1 << 31) - 1
"""Of any other count: rows and positions are 32-bit integers in launches."""
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


class _Keys:
    """Typed access to raw keys; every error names the file, the key and the value found."""

    def __init__(self, where: str, keys: Mapping[str, object], prefix: str = "") -> None:
        self.where, self.keys, self.prefix = where, keys, prefix

    def fail(self, name: str, wanted: str) -> UnsupportedModel:
        key = self.prefix + name
        found = repr(self.keys[key]) if key in self.keys else "missing"
        return UnsupportedModel(f"{self.where}: {key} is {found[:200]}, wanted {wanted}")

    def get(self, name: str) -> object:
        return self.keys.get(self.prefix + name)

    def count(
        self, name: str, default: int | None = None, layers: int = 0, most: int = _LARGEST
    ) -> int:
        """A positive integer; for `layers` a list of equal ones will do."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if layers and isinstance(value, list):
            items = cast(list[object], value)
            if not items or any(item != items[0] for item in items):
                raise self.fail(name, "one number for all layers")
            value = items[0]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.fail(name, "a positive integer")
        if value > most:
            raise self.fail(name, f"at most {most}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
            raise self.fail(name, "a positive number")
        if value > _LARGEST_FLOAT:
            raise self.fail(name, f"at most {_LARGEST_FLOAT}, as float32 has it")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.fail(name, "true or false")
        return value

    def text(self, name: str, choices: Sequence[str]) -> str:
        value = self.get(name)
        if not isinstance(value, str) or value not in choices:
            raise self.fail(name, "one of " + ", ".join(choices))
        return value


def _refuse_unknown(
    keys: _Keys,
    used: Sequence[str],
    inert: Mapping[str, tuple[object, ...] | None],
    who: str,
) -> None:
    unknown: list[str] = []
    for name, value in keys.keys.items():
        if not name.startswith(keys.prefix) or name[len(keys.prefix) :] in used:
            continue
        short = name[len(keys.prefix) :]
        if short in inert:
            values = inert[short]
            if values is None or value in values or value is None:
                continue
        unknown.append(f"{name} = {value!r}"[:200])
    if unknown:
        raise UnsupportedModel(
            f"{keys.where}: {who} does not know {'; '.join(unknown)}. "
            "A key that may change values is never dropped: remove it if you know it has no effect"
        )


def read_huggingface(where: str, raw: Mapping[str, object]) -> ModelConfig:
    """A `config.json`. UnsupportedModel names any key or value outside the table."""
    keys = _Keys(where, raw)
    row = ARCHITECTURES[keys.text("model_type", tuple(ARCHITECTURES))]
    _refuse_unknown(
        keys,
        HUGGINGFACE_USED + row.huggingface_used,
        {**HUGGINGFACE_INERT, **row.huggingface_inert},
        f"the architecture {row.name}",
    )
    layers, width = keys.count("num_hidden_layers", most=MOST_LAYERS), keys.count("hidden_size")
    heads = keys.count("num_attention_heads")
    default_dim = None if row.head_dim_required or width % heads else width // heads
    head_dim = keys.count("head_dim", default_dim)
    config = ModelConfig(
        architecture=row.name,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=keys.count("num_key_value_heads", heads),
        head_dim=head_dim,
        ffn=keys.count("intermediate_size"),
        vocab=keys.count("vocab_size"),
        eps=keys.number("rms_norm_eps"),
        rope=_huggingface_rope(keys, head_dim),
        activation=ACTIVATIONS[keys.text("hidden_act", tuple(ACTIVATIONS))],
        max_positions=keys.count("max_position_embeddings"),
        tied=keys.flag("tie_word_embeddings"),
        qkv_bias=_answer(keys, row.qkv_bias),
        output_bias=_answer(keys, row.output_bias),
        mlp_bias=_answer(keys, row.mlp_bias),
        qk_norm=row.qk_norm,
        window=_huggingface_window(keys, row),
    )
    return _checked(where, config)


def _answer(keys: _Keys, rule: bool | str) -> bool:
    return keys.flag(rule) if isinstance(rule, str) else rule


def _huggingface_rope(keys: _Keys, head_dim: int) -> Rope:
    name = "rope_parameters" if keys.get("rope_parameters") is not None else "rope_scaling"
    raw = keys.get(name)
    theta = keys.number("rope_theta", 10000.0)
    if raw is None:
        return Rope(theta, head_dim)
    if not isinstance(raw, dict):
        raise keys.fail(name, "an object")
    entry = dict(cast(Mapping[str, object], raw))
    inner = _Keys(f"{keys.where}: {name}", entry)
    theta = inner.number("rope_theta", theta)
    if "rope_type" not in entry and "type" in entry:
        entry["rope_type"] = entry["type"]
    kind = inner.text("rope_type", tuple(ROPE_TYPES))
    needed = ROPE_TYPES[kind]
    _refuse_unknown(inner, ("rope_type", "type", "rope_theta", *needed), {}, f"rope type {kind}")
    numbers = [repr(inner.number(part)) for part in needed]
    return Rope(theta, head_dim, " ".join([kind, *numbers]) if needed else "")


def _huggingface_window(keys: _Keys, row: Architecture) -> int | None:
    kinds = keys.get("layer_types")
    if kinds is not None:
        known = ("full_attention", "sliding_attention")
        if not isinstance(kinds, list) or any(k not in known for k in cast(list[object], kinds)):
            raise keys.fail("layer_types", "a list of full_attention and sliding_attention")
    if keys.get("sliding_window") is None or (
        row.window_switch and not keys.flag(row.window_switch)
    ):
        if isinstance(kinds, list) and "sliding_attention" in cast(list[object], kinds):
            raise keys.fail("sliding_window", "a window, since layer_types has sliding_attention")
        return None
    return keys.count("sliding_window")


class GgufTensors(Protocol):
    """What tensors say of a config: their names, the embedding's rows, rope's divisors."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def info(self, name: str) -> TensorInfo: ...
    def rope_factors(self) -> list[float] | None: ...


def read_gguf(where: str, raw: Mapping[str, object], tensors: GgufTensors) -> ModelConfig:
    """GGUF metadata. UnsupportedModel names any key or value outside the table."""
    rows = {row.gguf: row for row in ARCHITECTURES.values() if row.gguf}
    top = _Keys(where, raw)
    row = rows[top.text("general.architecture", tuple(rows))]
    keys = _Keys(where, raw, f"{row.gguf}.")
    _refuse_strangers(where, raw, keys.prefix)
    _refuse_unknown(keys, GGUF_USED, GGUF_INERT, f"the architecture {row.name}")
    vocab, names = tensors.info("token_embd.weight").shape[0], frozenset(tensors.names)
    layers, width = keys.count("block_count", most=MOST_LAYERS), keys.count("embedding_length")
    heads = keys.count("attention.head_count", layers=layers)
    head_dim = keys.count("attention.key_length", width // heads if width % heads == 0 else None)
    if keys.count("attention.value_length", head_dim) != head_dim:
        raise keys.fail("attention.value_length", f"{head_dim}, the key length")
    if keys.count("rope.dimension_count", head_dim) != head_dim:
        raise keys.fail("rope.dimension_count", f"{head_dim}, all columns of a head")
    if keys.count("vocab_size", vocab) != vocab:
        raise keys.fail("vocab_size", f"{vocab}, the rows of token_embd.weight")
    config = ModelConfig(
        architecture=row.name,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=keys.count("attention.head_count_kv", heads, layers=layers),
        head_dim=head_dim,
        ffn=keys.count("feed_forward_length", layers=layers),
        vocab=vocab,
        eps=_shortest(keys.number("attention.layer_norm_rms_epsilon")),
        rope=_gguf_rope(keys, head_dim, tensors.rope_factors()),
        activation="silu",
        max_positions=keys.count("context_length"),
        tied="output.weight" not in names,
        qkv_bias=row.qkv_bias is True or (bool(row.qkv_bias) and "blk.0.attn_q.bias" in names),
        output_bias=bool(row.output_bias) and "blk.0.attn_output.bias" in names,
        mlp_bias=bool(row.mlp_bias) and "blk.0.ffn_gate.bias" in names,
        qk_norm=row.qk_norm,
        window=None if keys.get("attention.sliding_window") in (None, 0)
        else keys.count("attention.sliding_window"),
    )  # fmt: skip
    return _checked(where, config)


def _refuse_strangers(where: str, raw: Mapping[str, object], prefix: str) -> None:
    parts = raw.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        raise UnsupportedModel(
            f"{where}: is one of {parts} parts of a split model: merge them with gguf-split --merge"
        )
    allowed = (prefix, "split.", *GGUF_INERT_PREFIXES)
    strangers = [f"{name} = {raw[name]!r}"[:200] for name in raw if not name.startswith(allowed)]
    if strangers:
        raise UnsupportedModel(f"{where}: unknown metadata {'; '.join(strangers)}")


def _shortest(value: float) -> float:
    """The shortest decimal that is the same float32: metadata holds 1e-05 as 9.99999974e-06."""
    return float(str(np.float32(value)))


def _gguf_rope(keys: _Keys, head_dim: int, factors: Sequence[float] | None) -> Rope:
    theta = keys.number("rope.freq_base", 10000.0)
    kind = "none" if keys.get("rope.scaling.type") is None else keys.text(
        "rope.scaling.type", ("none", "linear")
    )  # fmt: skip
    if factors is not None:
        if kind != "none" or len(factors) != head_dim // 2:
            raise UnsupportedModel(
                f"{keys.where}: rope_freqs.weight has {len(factors)} values beside rope scaling "
                f"{kind!r}, wanted {head_dim // 2} and no scaling"
            )
        return Rope(theta, head_dim, " ".join(["factors", *(repr(float(f)) for f in factors)]))
    if kind == "none":
        if keys.get("rope.scaling.factor") not in (None, 1.0):
            raise keys.fail("rope.scaling.factor", "1.0 without a rope.scaling.type")
        return Rope(theta, head_dim)
    return Rope(theta, head_dim, f"linear {keys.number('rope.scaling.factor')!r}")


def _checked(where: str, config: ModelConfig) -> ModelConfig:
    if config.heads % config.kv_heads:
        raise UnsupportedModel(
            f"{where}: {config.heads} heads do not share {config.kv_heads} key-value heads evenly"
        )
    if config.head_dim % 2:
        raise UnsupportedModel(f"{where}: a head has {config.head_dim} columns; rope needs pairs")
    return config
