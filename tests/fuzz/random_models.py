"""Random models, machines and calls: what `test_models` draws, each as text that says it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from machines import random_machines
from models import Tiny

HEAD_SIZES = (8, 16, 24, 80, 96)
GROUPS = ((1, 1), (2, 1), (2, 2), (3, 1), (4, 2), (5, 5), (6, 3), (7, 1))
"""(query heads, key-value heads)."""
WIDTHS = (24, 40, 50, 64, 77, 96, 130)
FFN = (1, 2, 37, 64, 97, 100, 131)
VOCABULARIES = (3, 33, 64, 97, 251)
FORMATS = (None, "f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_1",
           "i4_g32", "i4_g64", "i4_g128", "i4z_g32", "i4z_g64", "i4z_g128")  # fmt: skip
SCALINGS: tuple[dict[str, Any], ...] = (
    {},
    {"rope_type": "linear", "factor": 2.5},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
)

RANGES = {
    "head size": str(HEAD_SIZES),
    "heads, kv heads": str(GROUPS),
    "width": str(WIDTHS),
    "ffn": str(FFN),
    "vocabulary": str(VOCABULARIES),
    "layers": "1 to 3",
    "families": "llama and qwen3 with and without biases, mistral, qwen2; tied and untied",
    "activations": "silu, gelu, gelu_pytorch_tanh",
    "rope scaling": ", ".join(s.get("rope_type", "none") for s in SCALINGS),
    "checkpoint": "F32, F16, BF16; 1 or 3 shards",
    "weights": ", ".join(str(f) for f in FORMATS),
    "policy": "exact, bf16",
    "batch": "1 to 5, 8",
    "kv block": "1, 8, 16, chosen by the search",
    "context": "2 to 4 times 8 or 16, less 1, as it is, and 1 more",
    "chunk": "1 to 9, at most the context",
    "calls": "1 to 6: a decode step in which some rest, or 0, 1, a chunk, 1 to 20 new tokens a "
    "sequence, or up to the context",
}


@dataclass(frozen=True)
class Example:
    """A model, how it is compiled, and the new tokens of each sequence in each call."""

    model: Tiny
    dtype: str
    shards: int
    machine: dict[str, int]
    weights: str | None
    policy: str
    batch: int
    chunk: int
    context: int
    kv_block: int | None
    calls: tuple[tuple[int, ...], ...]

    def ids(self) -> list[list[list[int]]]:
        """Token ids of each sequence in each call."""
        random = np.random.default_rng(self.model.seed)
        return [
            [random.integers(0, self.model.vocab, count).tolist() for count in call]
            for call in self.calls
        ]


@st.composite
def models(draw: st.DrawFn) -> Tiny:
    """Sizes that fill no array, block, panel or burst evenly."""
    heads, kv_heads = draw(st.sampled_from(GROUPS))
    family = draw(st.sampled_from(("llama", "mistral", "qwen2", "qwen3")))
    return Tiny(
        family=family,
        layers=draw(st.integers(1, 3)),
        width=draw(st.sampled_from(WIDTHS)),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=draw(st.sampled_from(HEAD_SIZES)),
        ffn=draw(st.sampled_from(FFN)),
        vocab=draw(st.sampled_from(VOCABULARIES)),
        eps=draw(st.sampled_from((1e-6, 1e-5))),
        theta=draw(st.sampled_from((10000.0, 500000.0))),
        scaling=draw(st.sampled_from(SCALINGS)),
        activation=draw(st.sampled_from(("silu", "gelu", "gelu_pytorch_tanh"))),
        tied=draw(st.booleans()),
        attention_bias=draw(st.booleans()) and family in ("llama", "qwen3"),
        mlp_bias=draw(st.booleans()) and family == "llama",
        seed=draw(st.integers(0, 999)),
    )


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """An example whose calls fit its context."""
    batch = draw(st.sampled_from((1, 2, 3, 4, 5, 8)))
    context = draw(st.sampled_from((8, 16))) * draw(st.integers(2, 4)) + draw(st.integers(-1, 1))
    chunk = draw(st.integers(1, 9))
    left = [context] * batch
    calls: list[tuple[int, ...]] = []
    for _ in range(draw(st.integers(1, 6))):
        wanted = st.sampled_from((0, 0, 1, 1, chunk, -1)) | st.integers(1, 20)
        if draw(st.booleans()):  # A decode step, in which some rest.
            wanted = st.sampled_from((0, 1, 1))
        call = [draw(wanted) for _ in range(batch)]
        call = [room if n < 0 else min(n, room) for n, room in zip(call, left, strict=True)]
        if any(call):
            calls.append(tuple(call))
            left = [room - n for n, room in zip(call, left, strict=True)]
    if not calls:
        calls.append((1,) + (0,) * (batch - 1))
    return Example(
        model=draw(models()),
        dtype=draw(st.sampled_from(("F32", "F16", "BF16"))),
        shards=draw(st.sampled_from((1, 3))),
        machine=draw(random_machines()),
        weights=draw(st.sampled_from(FORMATS)),
        policy=draw(st.sampled_from(("exact", "exact", "bf16"))),
        batch=batch,
        chunk=chunk,
        context=context,
        kv_block=draw(st.sampled_from((None, 1, 8, 16))),
        calls=tuple(calls),
    )
