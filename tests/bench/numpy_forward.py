"""A float32 forward pass in numpy that is made to be fast: the one the emulator is timed against.

Same model as `reference.Reference`, arranged for speed as one would by hand: q, k and v in one
product, gate and up in one, all heads of attention at once, tables for rope, a cache that is
written in place. Weights may lie by rows, [out, in], or by columns, [in, out]; which is faster
depends on the BLAS and on the number of tokens, so both are timed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from reference import Array, Reference, f32


class FastForward:
    """One llama model without biases, with a cache for one sequence."""

    def __init__(self, reference: Reference, context: int, by_columns: bool) -> None:
        """`context`: positions of the cache. The weights of `reference` are copied."""
        c, weights = reference.config, reference.weights
        assert not c.qk_norm, "no q and k norm here"
        assert not c.scaling, "no scaled rope here"
        assert not any(name.endswith(".bias") for name in weights), "no biases here"
        self.config, self.by_columns, self.length = c, by_columns, 0
        place = _half_split(c.head_dim) if c.interleaved else np.arange(c.head_dim)

        def heads(name: str, count: int) -> Array:
            """Rows of q or k, each head's in the order that half-split rope wants."""
            rows = weights[name].reshape(count, c.head_dim, c.width)
            return rows[:, place].reshape(-1, c.width)

        def matrix(*parts: Array) -> Array:
            joined = np.concatenate(parts)
            return np.ascontiguousarray(joined.T if by_columns else joined)

        self.layers: list[tuple[Array, ...]] = []
        for layer in range(c.layers):
            part = f"model.layers.{layer}."
            attention, mlp = part + "self_attn.", part + "mlp."
            self.layers.append(
                (
                    weights[part + "input_layernorm.weight"],
                    matrix(
                        heads(attention + "q_proj.weight", c.heads),
                        heads(attention + "k_proj.weight", c.kv_heads),
                        weights[attention + "v_proj.weight"],
                    ),
                    matrix(weights[attention + "o_proj.weight"]),
                    weights[part + "post_attention_layernorm.weight"],
                    matrix(weights[mlp + "gate_proj.weight"], weights[mlp + "up_proj.weight"]),
                    matrix(weights[mlp + "down_proj.weight"]),
                )
            )
        self.embedding = weights["model.embed_tokens.weight"]
        self.final_norm = weights["model.norm.weight"]
        self.head = matrix(weights.get("lm_head.weight", self.embedding))
        shape = (c.layers, c.kv_heads, context, c.head_dim)
        self.keys, self.values = np.zeros(shape, f32), np.zeros(shape, f32)
        steps = c.theta ** (-np.arange(0, c.head_dim, 2, dtype=np.float64) / c.head_dim)
        angle = np.arange(context)[:, None] * np.tile(steps, 2)
        self.cos, self.sin = np.cos(angle).astype(f32)[:, None], np.sin(angle).astype(f32)[:, None]
        self.sin[..., : c.head_dim // 2] *= -1

    def forward(self, ids: Sequence[int]) -> Array:
        """Append tokens; the logits after the last of them, float32 [vocabulary]."""
        c, rows, past = self.config, len(ids), self.length
        total = past + rows
        x = self.embedding[np.asarray(ids)]
        cos, sin = self.cos[past:total], self.sin[past:total]
        hidden = np.arange(total)[None, :] > past + np.arange(rows)[:, None]
        mask = np.where(hidden, f32(-np.inf), f32(0)) if rows > 1 else None
        for layer, (norm, qkv, out, ffn_norm, gate_up, down) in enumerate(self.layers):
            y = self._times(self._norm(x, norm), qkv).reshape(rows, -1, c.head_dim)
            turned = y[:, : c.heads + c.kv_heads]
            half = c.head_dim // 2
            swapped = np.concatenate([turned[..., half:], turned[..., :half]], -1)
            turned = turned * cos + swapped * sin
            self.keys[layer, :, past:total] = turned[:, c.heads :].transpose(1, 0, 2)
            self.values[layer, :, past:total] = y[:, c.heads + c.kv_heads :].transpose(1, 0, 2)
            mixed = self._attention(layer, turned[:, : c.heads], total, mask)
            x = x + self._times(mixed, out)
            y = self._times(self._norm(x, ffn_norm), gate_up)
            gate, up = np.split(y, 2, axis=-1)
            x = x + self._times(gate / (f32(1) + np.exp(-gate)) * up, down)
        self.length = total
        return self._times(self._norm(x[-1:], self.final_norm), self.head)[0]

    def _attention(self, layer: int, q: Array, total: int, mask: Array | None) -> Array:
        """q [rows, heads, columns] on the cache's first `total` positions: [rows, width of q]."""
        c, rows = self.config, len(q)
        group = c.heads // c.kv_heads
        q = q.transpose(1, 0, 2).reshape(c.kv_heads, group * rows, c.head_dim)
        keys, values = self.keys[layer, :, :total], self.values[layer, :, :total]
        scores = (q @ keys.transpose(0, 2, 1)) * f32(1 / math.sqrt(c.head_dim))
        if mask is not None:
            scores.reshape(c.kv_heads, group, rows, total)[...] += mask
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        mixed = (scores @ values) / scores.sum(-1, keepdims=True)
        return mixed.reshape(c.heads, rows, c.head_dim).transpose(1, 0, 2).reshape(rows, -1)

    def _times(self, x: Array, matrix: Array) -> Array:
        if len(x) == 1:  # a vector, so that numpy takes BLAS's matrix-vector product
            return (x[0] @ matrix if self.by_columns else matrix @ x[0])[None]
        return x @ (matrix if self.by_columns else matrix.T)

    def _norm(self, x: Array, gamma: Array) -> Array:
        mean = np.einsum("ij,ij->i", x, x)[:, None] * f32(1 / x.shape[-1])
        return x * (f32(1) / np.sqrt(mean + f32(self.config.eps))) * gamma


def _half_split(columns: int) -> Array:
    """Where half-split rope has the columns of interleaved pairs: evens first, then odds."""
    return np.concatenate([np.arange(0, columns, 2), np.arange(1, columns, 2)])
