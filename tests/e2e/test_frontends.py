"""Front ends and tensor interpreter against the independent reference, on tiny models."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetched import fetched
from models import Tiny, write_gguf, write_huggingface
from reference import PLANTS, Cache, Reference
from reference_files import from_gguf, from_huggingface

from tilewright.backend.formats import pack_panels
from tilewright.compiler.frontend import EntryShape, Model, load_model
from tilewright.compiler.interp.tensor import run_graph
from tilewright.dialects.lowbit import PackedType
from tilewright.dialects.tg import GlobalOp
from tilewright.runtime.tokenizer import Tokenizer

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LINEAR = {"rope_type": "linear", "factor": 4.0}

TINIES = {
    "llama": Tiny(),
    "llama untied": Tiny(tied=False, heads=6, kv_heads=3, head_dim=16),
    "llama biases": Tiny(attention_bias=True, mlp_bias=True),
    "llama one kv head": Tiny(kv_heads=1),
    "llama as many kv heads": Tiny(kv_heads=4),
    "llama linear rope": Tiny(scaling=LINEAR),
    "llama 3 rope": Tiny(scaling=LLAMA3, theta=500000.0),
    "llama gelu": Tiny(activation="gelu"),
    "llama gelu tanh": Tiny(activation="gelu_pytorch_tanh"),
    "mistral": Tiny(family="mistral"),
    "qwen2": Tiny(family="qwen2", tied=False, eps=1e-6),
    "qwen3": Tiny(family="qwen3", head_dim=32, eps=1e-6),
}
IDS = [1, 70, 71, 3, 262, 90, 14, 70, 71, 3, 262, 55]


class Stepper:
    """A model on the tensor interpreter, with the interface of the reference."""

    def __init__(self, model: Model, context: int = 32, policy: str = "exact") -> None:
        self.model, self.weights = model, model.weights
        self.modules = {
            chunk: model.build(EntryShape("step", 1, chunk, context), policy) for chunk in (1, 16)
        }
        self.state: dict[str, np.ndarray[Any, Any]] = {}
        self.length = 0

    def forward(self, ids: list[int]) -> np.ndarray[Any, Any]:
        """Logits of all positions; the cache goes on."""
        count = len(ids)
        chunk = 1 if count == 1 else 16
        index = np.zeros(chunk, np.int32)
        index[:count] = range(count)
        tokens = np.zeros(chunk, np.int32)
        tokens[:count] = ids
        parameters = {
            "rows": count,
            "logit_rows": count,
            "row_start": [0],
            "q_len": [count],
            "kv_len": [self.length],
        }
        data = {"tokens": tokens, "logit_index": index, **self.state}
        out = run_graph(self.modules[chunk], self.weights, data, parameters)
        logits = out.pop("logits")[:count]
        self.state, self.length = out, self.length + count
        return logits


def compare(model: Model, reference: Reference, bound: float = 5e-5) -> None:
    """A prompt and two decode steps agree within `bound` of the logits' deviation."""
    stepper, cache = Stepper(model), Cache(reference.config)
    for ids in (IDS, [17], [300]):
        wanted = reference.forward(ids, cache)
        error = float(np.abs(stepper.forward(ids) - wanted).max())
        assert error <= bound * max(1.0, float(wanted.std())), ids


@pytest.mark.parametrize("name", TINIES)
def test_huggingface(name: str, tmp_path: Path) -> None:
    path = write_huggingface(tmp_path / "m", TINIES[name], tokenizer=False)
    compare(load_model(path), from_huggingface(path))


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_huggingface_shards(dtype: str, tmp_path: Path) -> None:
    path = write_huggingface(tmp_path / "m", Tiny(), dtype, shards=3)
    compare(load_model(path), from_huggingface(path))


PROMPTS = ("The capital of France is", "def fib(n):\n    return 1 if n < 2", "3 + 4 = 7, 12 + 5 =")
GGUF_TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]


@pytest.mark.parametrize("kind", GGUF_TYPES)
def test_gguf_types(kind: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", Tiny(), kind)
    model = load_model(path)
    assert model.notices == ()
    compare(model, from_gguf(path))


@pytest.mark.parametrize(
    "name", ["llama untied", "llama linear rope", "llama 3 rope", "mistral", "qwen2", "qwen3"]
)
def test_gguf_families(name: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", TINIES[name], "Q8_0", tokenizer=None)
    compare(load_model(path), from_gguf(path))


def test_gguf_biases_are_turned_too(tmp_path: Path) -> None:
    tiny = Tiny(attention_bias=True)
    path = write_gguf(tmp_path / "m.gguf", tiny, tokenizer=None)
    compare(load_model(path), from_gguf(path))


def test_other_types_become_float32_with_a_notice(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", Tiny(), {"": "Q8_0", "blk.0.ffn_down": "Q5_0"})
    model = load_model(path)
    assert model.notices == (
        "1 tensors of type Q5_0 are stored as float32: exact, 5.8 times the bytes",
        "ffn_down is f32 or q8_0 by layer: all layers are stored as f32, exactly",
    )
    compare(model, from_gguf(path))


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_gguf_and_huggingface_pack_to_equal_bytes(dtype: str, tmp_path: Path) -> None:
    """Rotary interleaving is undone by moving rows: every packed byte is the same. GGUF vectors
    are F32, so those of half-width checkpoints are rounded in one of the two only."""
    tiny = Tiny(attention_bias=True, tied=False)
    one = load_model(write_huggingface(tmp_path / "m", tiny, dtype))
    other = load_model(write_gguf(tmp_path / "m.gguf", tiny, dtype))
    digests = [packed_digests(model, vectors=dtype == "F32") for model in (one, other)]
    assert digests[0] == digests[1]
    assert {"attn_q", "attn_k", "output"} <= set(digests[0])
    assert len(set(digests[0].values())) == len(digests[0])


def packed_digests(model: Model, vectors: bool) -> dict[str, str]:
    """A digest of each matrix's bytes in the image, and of each vector's."""
    found: dict[str, str] = {}
    for op in model.build(EntryShape("decode", 1, 1, 32)).ops:
        if not isinstance(op, GlobalOp) or op.role.data != "weight":
            continue
        if not vectors and not isinstance(op.type, PackedType):
            continue
        digest = hashlib.sha256()
        for layer in range(2 if "{l}" in str(op.recipe) else 1):
            if isinstance(op.type, PackedType):
                panel = 32 if op.type.order.data == "kn" else 0
                type_ = PackedType(op.shape, op.type.format.data, op.type.order.data, panel)
                for piece in pack_panels(type_.packing, model.weights.blocks(op, layer)):
                    digest.update(piece.tobytes())
            else:
                digest.update(model.weights.dense(op, layer).astype(np.float32).tobytes())
        found[op.global_name] = digest.hexdigest()
    return found


def test_llama_3_rope_is_the_same_in_both_forms(tmp_path: Path) -> None:
    tiny = TINIES["llama 3 rope"]
    one = from_huggingface(write_huggingface(tmp_path / "m", tiny))
    compare(load_model(write_gguf(tmp_path / "m.gguf", tiny)), one)


def test_tokenizers_are_the_same_in_both_forms(tmp_path: Path) -> None:
    models = [
        load_model(write_huggingface(tmp_path / "m", Tiny())),
        load_model(write_gguf(tmp_path / "m.gguf", Tiny())),
    ]
    one, other = (Tokenizer(m.to_dict()) for m in (model.tokenizer() for model in models) if m)
    for text in ("the world in 1234 hells", "<s>user\nhé 🙂</s>", "  a\t\n"):
        assert one.encode(text) == other.encode(text)
        assert one.decode(one.encode(text), special=True) == text
    assert (one.bos, one.eos, one.chat_template) == (other.bos, other.eos, other.chat_template)


class RaggedSteps:
    """Steps of several sequences on the tensor interpreter."""

    def __init__(self, model: Model, batch: int, chunk: int, context: int) -> None:
        self.module = model.build(EntryShape("prefill", batch, chunk, context))
        self.weights, self.rows = model.weights, batch * chunk
        self.state: dict[str, np.ndarray[Any, Any]] = {}
        self.lengths = [0] * batch

    def forward(self, step: list[list[int]]) -> list[np.ndarray[Any, Any]]:
        """Logits of the new tokens of each sequence."""
        rows = [token for tokens in step for token in tokens]
        starts = [sum(len(tokens) for tokens in step[:b]) for b in range(len(step))]
        data = {
            "tokens": np.array(rows + [0] * (self.rows - len(rows)), np.int32),
            "logit_index": np.arange(self.rows, dtype=np.int32),
            **self.state,
        }
        parameters = {
            "rows": len(rows),
            "logit_rows": len(rows),
            "row_start": starts,
            "q_len": [len(tokens) for tokens in step],
            "kv_len": self.lengths,
        }
        self.state = run_graph(self.module, self.weights, data, parameters)
        logits = self.state.pop("logits")
        self.lengths = [n + len(tokens) for n, tokens in zip(self.lengths, step, strict=True)]
        return [logits[s : s + len(tokens)] for s, tokens in zip(starts, step, strict=True)]


def test_ragged_batch_is_each_sequence_alone(tmp_path: Path) -> None:
    path = write_huggingface(tmp_path / "m", Tiny())
    model, reference = load_model(path), from_huggingface(path)
    steps = RaggedSteps(model, 3, 8, 32)
    caches = [Cache(reference.config) for _ in range(3)]
    for step in ([IDS[5:8], IDS[:4], []], [IDS[:5], [], IDS[3:10]], [[7], [8], [9]]):
        for found, ids, cache in zip(steps.forward(step), step, caches, strict=True):
            if ids:
                wanted = reference.forward(ids, cache)
                assert np.abs(found - wanted).max() <= 5e-5 * max(1.0, float(wanted.std()))


def test_bf16_policy_is_near_and_not_equal(tmp_path: Path) -> None:
    path = write_huggingface(tmp_path / "m", Tiny())
    wanted = from_huggingface(path).forward(IDS)
    error = np.abs(Stepper(load_model(path), policy="bf16").forward(IDS) - wanted).max()
    assert 1e-4 * wanted.std() < error < 0.1 * wanted.std()


def test_every_wrong_semantics_shows(tmp_path: Path) -> None:
    """Each plant moves the logits of some tiny model by far more than the comparison's bound."""
    shown: dict[str, float] = {}
    for name in ("llama", "llama untied", "llama 3 rope", "qwen2", "qwen3"):
        reference = from_huggingface(write_huggingface(tmp_path / name, TINIES[name]))
        for plant in reference.plants():
            error, deviation = 0.0, 1.0
            right, wrong = Cache(reference.config), Cache(reference.config)
            for ids in (IDS, [17], [300]):
                wanted = reference.forward(ids, right)
                error = max(
                    error,
                    float(np.abs(reference.planted(plant).forward(ids, wrong) - wanted).max()),
                )
                deviation = max(1.0, float(wanted.std()))
            shown[plant] = max(shown.get(plant, 0.0), error / deviation)
    assert set(shown) == set(PLANTS)
    assert {plant: size for plant, size in shown.items() if not size > 5e-4} == {}


def test_smollm2() -> None:
    """Three prompts as one ragged batch, and a step of decode on the interpreter's cache."""
    path = fetched("smollm2")
    model, reference = load_model(path), from_gguf(path)
    material = model.tokenizer()
    assert material is not None
    tokenizer = Tokenizer(material.to_dict())
    step = [tokenizer.encode(text) for text in PROMPTS]
    steps = RaggedSteps(model, 3, 24, 64)
    caches = [Cache(reference.config) for _ in step]
    for tokens in (step, [[284], [30], [17]]):
        for found, ids, cache in zip(steps.forward(tokens), tokens, caches, strict=True):
            wanted = reference.forward(ids, cache)
            assert np.abs(found - wanted).max() <= 5e-5 * max(1.0, float(wanted.std()))
