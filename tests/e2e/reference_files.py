"""Model files for the reference: read by plain means, sharing no code with the product.

GGUF goes through the `gguf` package; the interleaved rows of llama files stay as they are, and the
reference turns them by interleaved rope.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import ml_dtypes
import numpy as np
from reference import Array, Reference, ReferenceConfig, f32

_ACTIVATIONS = {"silu": "silu", "gelu": "gelu_erf", "gelu_pytorch_tanh": "gelu_tanh"}


def from_huggingface(folder: Path) -> Reference:
    """A Hugging Face directory of safetensors files."""
    raw = json.loads((folder / "config.json").read_text())
    weights: dict[str, Array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= _safetensors(path)
    if raw.get("tie_word_embeddings"):
        weights.pop("lm_head.weight", None)
    rope: dict[str, Any] = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    config = ReferenceConfig(
        family=raw["model_type"],
        layers=raw["num_hidden_layers"],
        width=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        kv_heads=raw["num_key_value_heads"],
        head_dim=raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"],
        eps=raw["rms_norm_eps"],
        theta=rope.get("rope_theta", raw.get("rope_theta", 10000.0)),
        scaling=rope if rope.get("rope_type", rope.get("type", "default")) != "default" else {},
        activation=_ACTIVATIONS[raw["hidden_act"]],
        qk_norm="model.layers.0.self_attn.q_norm.weight" in weights,
    )
    return Reference(config, weights)


def _safetensors(path: Path) -> dict[str, Array]:
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    types = {"F32": f32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
    weights: dict[str, Array] = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            values = np.frombuffer(data[start + low : start + high], types[entry["dtype"]])
            weights[name] = values.reshape(entry["shape"]).astype(f32)
    return weights


_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OTHER_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def from_gguf(path: Path) -> Reference:
    """A GGUF file, read by the `gguf` package. Llama rows stay interleaved, and so does rope."""
    reader: Any = gguf.GGUFReader(path)
    get = {name: item.contents() for name, item in reader.fields.items() if ".ggml." not in name}
    family = get["general.architecture"]
    weights: dict[str, Array] = {}
    scaling: dict[str, Any] = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(f32)
        part = tensor.name.split(".")
        if part[0] == "rope_freqs":
            scaling = {"factors": values}
        elif part[0] == "blk":
            weights[f"model.layers.{part[1]}.{_LAYER_NAMES[part[2]]}.{part[3]}"] = values
        else:
            weights[f"{_OTHER_NAMES[part[0]]}.{part[1]}"] = values
    if get.get(f"{family}.rope.scaling.type") == "linear":
        scaling = {"type": "linear", "factor": get[f"{family}.rope.scaling.factor"]}
    heads, width = get[f"{family}.attention.head_count"], get[f"{family}.embedding_length"]
    config = ReferenceConfig(
        family=family,
        layers=get[f"{family}.block_count"],
        width=width,
        heads=heads,
        kv_heads=get[f"{family}.attention.head_count_kv"],
        head_dim=get.get(f"{family}.attention.key_length", width // heads),
        eps=get[f"{family}.attention.layer_norm_rms_epsilon"],
        theta=get.get(f"{family}.rope.freq_base", 10000.0),
        scaling=scaling,
        interleaved=family == "llama",
        qk_norm="model.layers.0.self_attn.q_norm.weight" in weights,
    )
    return Reference(config, weights)
