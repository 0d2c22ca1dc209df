"""Softmax, scores and mixing of the tensor interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.numerics import elementary
from .tensor_attention import Sequences

Array = NDArray[Any]


def softmax(x: Array, heads: int) -> Array:
    """Softmax of each of `heads` equal groups of columns."""
    groups = x.reshape(len(x), heads, x.shape[1] // heads)
    chance = elementary.exp(groups - groups.max(-1, keepdims=True))
    return (chance / chance.sum(-1, keepdims=True)).reshape(x.shape)


def seen_softmax(x: Array, heads: int, seen: str, sequences: Sequences) -> Array:
    """Softmax of each head over the positions that a row sees; 0 for all others."""
    groups = x.reshape(len(x), heads, x.shape[1] // heads)
    result = np.zeros_like(groups)
    for start, count, cached in sequences:
        for row in range(count):
            length = cached + (count if seen == "full" else row + 1)
            part = groups[start + row, :, :length]
            result[start + row, :, :length] = softmax(part, 1)
    return result.reshape(x.shape)


def scores(q: Array, keys: Array, heads: int, scale: np.float32, sequences: Sequences) -> Array:
    """scale * q k^T, [rows, heads x positions of the cache]; 0 beyond a sequence's length."""
    kv_heads, positions, dim = keys.shape[1:]
    by_head = q.reshape(len(q), kv_heads, heads // kv_heads, dim)
    result = np.zeros((len(q), kv_heads, heads // kv_heads, positions), np.float32)
    for b, (start, count, cached) in enumerate(sequences):
        rows = slice(start, start + count)
        for g in range(kv_heads):
            k = keys[b, g, : cached + count].astype(np.float32)
            result[rows, g, :, : cached + count] = by_head[rows, g] @ k.T * scale
    return result.reshape(len(q), -1)


def mix(p: Array, values: Array, heads: int, sequences: Sequences) -> Array:
    """p v, [rows, heads x head dimension]."""
    kv_heads, positions, dim = values.shape[1:]
    by_head = p.reshape(len(p), kv_heads, heads // kv_heads, positions)
    result = np.zeros((len(p), kv_heads, heads // kv_heads, dim), np.float32)
    for b, (start, count, cached) in enumerate(sequences):
        rows = slice(start, start + count)
        for g in range(kv_heads):
            v = values[b, g, : cached + count].astype(np.float32)
            result[rows, g] = by_head[rows, g, :, : cached + count] @ v
    return result.reshape(len(p), -1)
