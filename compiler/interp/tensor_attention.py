"""Positions, caches and attention of the tensor interpreter, sequence by sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.numerics import elementary

Array = NDArray[Any]
Sequences = list[tuple[int, int, int]]
"""(first packed row, rows of this step, cached positions) of each sequence."""


def rotate(x: Array, cos: Array, sin: Array, heads: int, dim: int, sequences: Sequences) -> Array:
    """Half-split rotary embedding of the first `dim` columns of each head, by position."""
    y = x.reshape(len(x), heads, -1).copy()
    half = dim // 2
    for start, rows, cached in sequences:
        part = y[start : start + rows]
        c, s = (table[cached : cached + rows, None, :] for table in (cos, sin))
        low, high = part[..., :half].copy(), part[..., half:dim].copy()
        part[..., :half] = low * c - high * s
        part[..., half:dim] = high * c + low * s
    return y.reshape(x.shape)


def append(rows: Array, cache: Array, sequences: Sequences) -> None:
    """Write each sequence's rows behind its cached positions, rounded to the cache's type."""
    heads, dim = cache.shape[1], cache.shape[3]
    by_head = rows.reshape(len(rows), heads, dim)
    for b, (start, count, cached) in enumerate(sequences):
        part = by_head[start : start + count].transpose(1, 0, 2)
        cache[b, :, cached : cached + count] = part.astype(cache.dtype)


def attend(
    q: Array,
    keys: Array,
    values: Array,
    heads: int,
    scale: np.float32,
    sequences: Sequences,
    operand: Callable[[Array], Array],
    full: bool = False,
) -> Array:
    """softmax(scale * q k^T) v for each query head over positions 0 .. cached + row, or over all.

    `keys` and `values` are the caches of one layer; `operand` rounds probabilities as the policy
    wants them. Rows of no sequence are zeros.
    """
    kv_heads, dim = keys.shape[1], keys.shape[3]
    by_head = q.reshape(len(q), kv_heads, heads // kv_heads, dim)
    out = np.zeros_like(by_head)
    for b, (start, count, cached) in enumerate(sequences):
        if count == 0:
            continue
        total = cached + count
        column, row = np.arange(total), cached + np.arange(count)
        row = np.full_like(row, total - 1) if full else row
        hidden = (column[None, :] > row[:, None])[:, None, :]
        for g in range(kv_heads):
            k = keys[b, g, :total].astype(np.float32)
            v = values[b, g, :total].astype(np.float32)
            scores = by_head[start : start + count, g] @ k.T * scale
            scores[np.broadcast_to(hidden, scores.shape)] = -np.inf
            top = scores.max(-1, keepdims=True)
            chance = elementary.exp(scores - top)
            share = operand(chance) @ v
            out[start : start + count, g] = share / chance.sum(-1, keepdims=True)
    return out.reshape(q.shape)
