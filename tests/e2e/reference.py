"""A float32 forward pass of llama-like models in numpy, and ways to get it wrong.

Written from the papers (Llama, RMSNorm, RoFormer, GQA, SwiGLU, Qwen2, Qwen3) and sharing no code
with the product; `reference_files.py` reads models for it. `planted(name)` is the same model with
one wrong semantics, to show that a comparison would notice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
f32 = np.float32


@dataclass(frozen=True)
class ReferenceConfig:
    """Sizes and features, in the papers' words."""

    family: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    theta: float
    scaling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Hugging Face's rope_scaling, or {"factors": divisors of the frequencies}."""
    interleaved: bool = False
    """Rope turns columns (2i, 2i+1), not (i, i + head_dim / 2)."""
    activation: str = "silu"
    qk_norm: bool = False


@dataclass(frozen=True)
class Plant:
    """A wrong semantics: what it does, and which models show it."""

    meaning: str
    needs: str = "any"
    """What a model must have: a key of `features` below; `cache` asks for several calls."""


PLANTS: dict[str, Plant] = {
    "eps_small": Plant("the norms' epsilon is a tenth"),
    "eps_outside": Plant("epsilon is added after the square root, not before"),
    "norm_centred": Plant("the mean is subtracted, as LayerNorm does"),
    "norm_sum": Plant("the sum of squares takes the place of their mean"),
    "gamma_plus_one": Plant("norms multiply by 1 + gamma"),
    "final_norm_missing": Plant("the head reads the residual as it is"),
    "ffn_norm_missing": Plant("the feed-forward reads the residual as it is"),
    "rope_base": Plant("theta is 10000 or, where that is right, 500000"),
    "rope_pairing": Plant("interleaved pairs for half-split ones, or the reverse"),
    "rope_missing": Plant("q and k are not turned"),
    "rope_backwards": Plant("q and k are turned by the negative angle"),
    "rope_partial": Plant("only the first half of a head's columns is turned"),
    "rope_on_values": Plant("v is turned too"),
    "rope_scaling_ignored": Plant("frequencies are not scaled", "scaling"),
    "query_position": Plant("queries stand one position later than they do"),
    "key_position": Plant("keys stand one position later than they do"),
    "position_restarts": Plant("positions count from the start of each call", "cache"),
    "cache_forgets": Plant("the oldest cached position is not attended", "cache"),
    "cache_shifted": Plant("cached keys are read one position off", "cache"),
    "qk_norm_missing": Plant("q and k are not normalised", "qk_norm"),
    "qk_norm_after_rope": Plant("q and k are normalised after rope, not before", "qk_norm"),
    "qk_norm_all_heads": Plant("one norm over all heads, not one for each", "qk_norm"),
    "bias_q_missing": Plant("q has no bias", "bias"),
    "bias_k_missing": Plant("k has no bias", "bias"),
    "bias_v_missing": Plant("v has no bias", "bias"),
    "scale_width": Plant("scores are divided by sqrt(width)"),
    "scale_missing": Plant("scores are not divided"),
    "mask_future": Plant("a position attends the one after it too"),
    "mask_strict": Plant("a position does not attend itself, the first excepted"),
    "softmax_padding": Plant("one empty position with score 0 takes part in the softmax"),
    "gqa_tiled": Plant("query head h reads key-value head h mod G", "grouped"),
    "kv_swapped": Plant("keys and values are exchanged"),
    "gelu_tanh": Plant("the tanh form of gelu for silu", "silu"),
    "gelu_erf": Plant("exact gelu for silu", "silu"),
    "gate_up_swapped": Plant("the activation is on up, not on gate"),
    "attention_residual_missing": Plant("attention replaces the residual"),
    "ffn_residual_missing": Plant("the feed-forward replaces the residual"),
    "parallel_block": Plant("the feed-forward reads the residual before attention"),
    "embedding_scaled": Plant("embeddings are multiplied by sqrt(width)"),
    "head_tied": Plant("the head is the embedding although it has its own rows", "untied"),
    "last_layer_missing": Plant("the last layer is left out"),
}


class Cache:
    """Keys and values of one sequence: for each layer two arrays [kv heads, positions, columns]."""

    def __init__(self, config: ReferenceConfig) -> None:
        empty = np.zeros((config.kv_heads, 0, config.head_dim), f32)
        self.keys: list[Array] = [empty] * config.layers
        self.values: list[Array] = [empty] * config.layers

    @property
    def length(self) -> int:
        """Positions held."""
        return self.keys[0].shape[1]


class Reference:
    """One model: `weights` are float32 arrays [out, in] under Hugging Face's names."""

    def __init__(
        self, config: ReferenceConfig, weights: Mapping[str, Array], plant: str | None = None
    ) -> None:
        self.config, self.weights, self.plant = config, weights, plant

    def planted(self, name: str) -> Reference:
        """The same model with one wrong semantics of `PLANTS`."""
        assert self.shows(name), f"{name} does not apply to {self.config.family}"
        return Reference(self.config, self.weights, name)

    def shows(self, name: str) -> bool:
        """Whether the model has the feature that this wrong semantics is about."""
        features = {
            "any": True,
            "cache": True,
            "bias": "model.layers.0.self_attn.q_proj.bias" in self.weights,
            "qk_norm": self.config.qk_norm,
            "scaling": bool(self.config.scaling),
            "grouped": 1 < self.config.kv_heads < self.config.heads,
            "untied": "lm_head.weight" in self.weights,
            "silu": self.config.activation == "silu",
        }
        return features[PLANTS[name].needs]

    def plants(self, cache: bool = True) -> list[str]:
        """Names that apply; without `cache` only those that one call shows."""
        return [n for n, p in PLANTS.items() if self.shows(n) and (cache or p.needs != "cache")]

    def forward(self, ids: Sequence[int], cache: Cache | None = None) -> Array:
        """Logits float32 [len(ids), vocabulary]; `cache` is read and extended."""
        with np.errstate(over="ignore", invalid="ignore"):  # wrong models may overflow
            return self._forward(ids, Cache(self.config) if cache is None else cache)

    def _forward(self, ids: Sequence[int], cache: Cache) -> Array:
        c, w = self.config, self.weights
        past = cache.length
        x = w["model.embed_tokens.weight"][np.asarray(ids)].astype(f32)
        if self.plant == "embedding_scaled":
            x = x * f32(math.sqrt(c.width))
        for layer in range(c.layers - (self.plant == "last_layer_missing")):
            name = f"model.layers.{layer}."
            before = x
            a = self._attention(layer, self._norm(x, name + "input_layernorm.weight"), cache, past)
            x = a if self.plant == "attention_residual_missing" else x + a
            y = before if self.plant == "parallel_block" else x
            if self.plant != "ffn_norm_missing":
                y = self._norm(y, name + "post_attention_layernorm.weight")
            m = self._feed_forward(y, name + "mlp.")
            x = m if self.plant == "ffn_residual_missing" else x + m
        if self.plant != "final_norm_missing":
            x = self._norm(x, "model.norm.weight")
        head = w.get("lm_head.weight")
        if head is None or self.plant == "head_tied":
            head = w["model.embed_tokens.weight"]
        return x @ head.T

    def _linear(self, x: Array, name: str) -> Array:
        y = x @ self.weights[name + ".weight"].T
        bias = self.weights.get(name + ".bias")
        if bias is None or self.plant == f"bias_{name[-6]}_missing":
            return y
        return y + bias

    def _norm(self, x: Array, name: str) -> Array:
        gamma, eps = self.weights[name], f32(self.config.eps)
        if self.plant == "eps_small":
            eps = eps / f32(10)
        if self.plant == "norm_centred":
            x = x - x.mean(-1, keepdims=True)
        square = (x * x).sum(-1, keepdims=True)
        if self.plant != "norm_sum":
            square = square / f32(x.shape[-1])
        if self.plant == "gamma_plus_one":
            gamma = gamma + f32(1)
        root = np.sqrt(square) + eps if self.plant == "eps_outside" else np.sqrt(square + eps)
        return x / root * gamma

    def _attention(self, layer: int, x: Array, cache: Cache, past: int) -> Array:
        c, name = self.config, f"model.layers.{layer}.self_attn."
        rows, group = len(x), c.heads // c.kv_heads
        q = self._linear(x, name + "q_proj").reshape(rows, c.heads, c.head_dim)
        k = self._linear(x, name + "k_proj").reshape(rows, c.kv_heads, c.head_dim)
        v = self._linear(x, name + "v_proj").reshape(rows, c.kv_heads, c.head_dim)
        if self.plant == "kv_swapped":
            k, v = v, k
        start = 0 if self.plant == "position_restarts" else past
        positions = np.arange(start, start + rows)
        q = self._place(q, positions + (self.plant == "query_position"), name + "q_norm.weight")
        k = self._place(k, positions + (self.plant == "key_position"), name + "k_norm.weight")
        if self.plant == "rope_on_values":
            v = self._turn(v, positions)
        keys = np.concatenate([cache.keys[layer], k.transpose(1, 0, 2)], 1)
        values = np.concatenate([cache.values[layer], v.transpose(1, 0, 2)], 1)
        cache.keys[layer], cache.values[layer] = keys, values
        if self.plant == "cache_shifted" and past:
            keys = np.concatenate([np.roll(keys[:, :past], 1, 1), keys[:, past:]], 1)
        total = past + rows
        reach = past + np.arange(rows)[:, None]
        if self.plant == "mask_future":
            reach = reach + 1
        if self.plant == "mask_strict":
            reach = np.maximum(reach - 1, 0)
        column = np.arange(total)[None, :]
        seen = column <= reach
        if self.plant == "cache_forgets" and past:
            seen = seen & (column > 0)
        scale = {"scale_width": c.width**-0.5, "scale_missing": 1.0}.get(
            self.plant or "", c.head_dim**-0.5
        )
        out = np.empty((rows, c.heads, c.head_dim), f32)
        for head in range(c.heads):
            g = head % c.kv_heads if self.plant == "gqa_tiled" else head // group
            scores = np.where(seen, q[:, head] @ keys[g].T * f32(scale), f32(-np.inf))
            top = scores.max(-1, keepdims=True)
            chance = np.exp(scores - top)
            total_chance = chance.sum(-1, keepdims=True)
            if self.plant == "softmax_padding":
                total_chance = total_chance + np.exp(-top)
            out[:, head] = chance / total_chance @ values[g]
        return self._linear(out.reshape(rows, -1), name + "o_proj")

    def _place(self, x: Array, positions: Array, norm: str) -> Array:
        """Rows [rows, heads, columns]: each head normalised if the model does so, then turned."""
        if not self.config.qk_norm or self.plant == "qk_norm_missing":
            return self._turn(x, positions)
        if self.plant == "qk_norm_after_rope":
            return self._norm(self._turn(x, positions), norm)
        if self.plant == "qk_norm_all_heads":
            rms = np.sqrt((x * x).mean((1, 2), keepdims=True) + f32(self.config.eps))
            return self._turn(x / rms * self.weights[norm], positions)
        return self._turn(self._norm(x, norm), positions)

    def _turn(self, x: Array, positions: Array) -> Array:
        if self.plant == "rope_missing":
            return x
        angle = positions[:, None] * self._frequencies()[None, :]
        if self.plant == "rope_backwards":
            angle = -angle
        if self.plant == "rope_partial":
            angle[:, angle.shape[1] // 2 :] = 0
        cos, sin = np.cos(angle).astype(f32)[:, None], np.sin(angle).astype(f32)[:, None]
        half = self.config.head_dim // 2
        interleaved = self.config.interleaved ^ (self.plant == "rope_pairing")
        first = slice(0, None, 2) if interleaved else slice(0, half)
        second = slice(1, None, 2) if interleaved else slice(half, None)
        y = np.empty_like(x)
        y[..., first] = x[..., first] * cos - x[..., second] * sin
        y[..., second] = x[..., second] * cos + x[..., first] * sin
        return y

    def _frequencies(self) -> Array:
        c, theta = self.config, self.config.theta
        if self.plant == "rope_base":
            theta = 500000.0 if theta == 10000.0 else 10000.0
        base = theta ** (-np.arange(0, c.head_dim, 2, dtype=np.float64) / c.head_dim)
        s = dict(c.scaling) if self.plant != "rope_scaling_ignored" else dict[str, Any]()
        kind = s.get("rope_type", s.get("type", "factors" if "factors" in s else "default"))
        if kind == "default":
            return base
        if kind == "factors":
            return base / np.asarray(s["factors"], np.float64)
        if kind == "linear":
            return base / s["factor"]
        assert kind == "llama3"
        turns = s["original_max_position_embeddings"] * base / (2 * math.pi)
        low, high = s["low_freq_factor"], s["high_freq_factor"]
        share = np.clip((turns - low) / (high - low), 0.0, 1.0)
        return base * (share + (1 - share) / s["factor"])

    def _feed_forward(self, x: Array, name: str) -> Array:
        gate, up = self._linear(x, name + "gate_proj"), self._linear(x, name + "up_proj")
        if self.plant == "gate_up_swapped":
            gate, up = up, gate
        kind = self.plant if self.plant in ("gelu_tanh", "gelu_erf") else self.config.activation
        return self._linear(_activate(kind, gate) * up, name + "down_proj")


def _activate(kind: str, x: Array) -> Array:
    if kind == "silu":
        return x / (f32(1) + np.exp(-x))
    if kind == "gelu_tanh":
        inner = f32(math.sqrt(2 / math.pi)) * (x + f32(0.044715) * x * x * x)
        return f32(0.5) * x * (f32(1) + np.tanh(inner))
    assert kind == "gelu_erf"
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (0.5 * x * (1 + erf(x.astype(np.float64) / math.sqrt(2)))).astype(f32)


def with_activation(reference: Reference, activation: str) -> Reference:
    """The same model with another activation."""
    return Reference(replace(reference.config, activation=activation), reference.weights)
