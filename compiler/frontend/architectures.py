"""The table of architectures: what is read, what may stand there without effect, what is refused.

A new architecture is a row of `ARCHITECTURES`, and a column only where the rows differ. Each key of
a config is *used* (the readers below the table ask for it), *inert* (it changes no value of the
forward pass, or does not for the values listed), or else refused by name with its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ANY: Final = None
"""In a table of inert keys: every value is without effect."""


@dataclass(frozen=True)
class Weight:
    """One parameter: its symbol, its name in either checkpoint, its extents and when it exists."""

    symbol: str
    huggingface: str
    gguf: str
    rows: str
    """Output features, a name of `ModelConfig.size`."""
    columns: str | None
    """Input features; None for a vector."""
    feature: str = ""
    """Exists when `ModelConfig.has(feature)`."""
    rotary: bool = False
    """Rows are those of heads that rope turns."""

    @property
    def layered(self) -> bool:
        """One for each layer."""
        return "{l}" in self.gguf


def _layer(
    symbol: str,
    module: str,
    rows: str,
    columns: str | None,
    feature: str = "",
    rotary: bool = False,
) -> Weight:
    """A parameter of each layer; a symbol that ends in `_bias` is the bias of its module."""
    stem, kind = symbol, "weight"
    if symbol.endswith("_bias"):
        stem, kind = symbol.removesuffix("_bias"), "bias"
    huggingface = f"model.layers.{{l}}.{module}.{kind}"
    gguf = f"blk.{{l}}.{stem}.{kind}"
    return Weight(symbol, huggingface, gguf, rows, columns, feature, rotary)


WEIGHTS: Final = (
    Weight("token_embd", "model.embed_tokens.weight", "token_embd.weight", "vocab", "width"),
    _layer("attn_norm", "input_layernorm", "width", None),
    _layer("attn_q", "self_attn.q_proj", "q", "width", rotary=True),
    _layer("attn_k", "self_attn.k_proj", "kv", "width", rotary=True),
    _layer("attn_v", "self_attn.v_proj", "kv", "width"),
    _layer("attn_q_bias", "self_attn.q_proj", "q", None, "qkv_bias", rotary=True),
    _layer("attn_k_bias", "self_attn.k_proj", "kv", None, "qkv_bias", rotary=True),
    _layer("attn_v_bias", "self_attn.v_proj", "kv", None, "qkv_bias"),
    _layer("attn_q_norm", "self_attn.q_norm", "head_dim", None, "qk_norm", rotary=True),
    _layer("attn_k_norm", "self_attn.k_norm", "head_dim", None, "qk_norm", rotary=True),
    _layer("attn_output", "self_attn.o_proj", "width", "q"),
    _layer("attn_output_bias", "self_attn.o_proj", "width", None, "output_bias"),
    _layer("ffn_norm", "post_attention_layernorm", "width", None),
    _layer("ffn_gate", "mlp.gate_proj", "ffn", "width"),
    _layer("ffn_up", "mlp.up_proj", "ffn", "width"),
    _layer("ffn_gate_bias", "mlp.gate_proj", "ffn", None, "mlp_bias"),
    _layer("ffn_up_bias", "mlp.up_proj", "ffn", None, "mlp_bias"),
    _layer("ffn_down", "mlp.down_proj", "width", "ffn"),
    _layer("ffn_down_bias", "mlp.down_proj", "width", None, "mlp_bias"),
    Weight("output_norm", "model.norm.weight", "output_norm.weight", "width", None),
    Weight("output", "lm_head.weight", "output.weight", "vocab", "width"),
)

INERT_TENSORS: Final = ("model.layers.{l}.self_attn.rotary_emb.inv_freq",)
"""Tensors that old checkpoints carry and that are computed from the config."""

ACTIVATIONS: Final = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu_erf",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
"""`hidden_act` to the name of `tg.unary`."""


@dataclass(frozen=True)
class Architecture:
    """One row. A bias is a fixed answer or the config key that decides."""

    name: str
    gguf: str | None
    """`general.architecture`; None where GGUF files use another row's."""
    gguf_interleaved: bool = False
    """GGUF rows of q and k are stored for interleaved rope; the recipe undoes it."""
    qkv_bias: bool | str = False
    output_bias: bool | str = False
    mlp_bias: bool | str = False
    qk_norm: bool = False
    head_dim_required: bool = False
    """The family does not derive a missing `head_dim` from the width."""
    window_switch: str | None = None
    """The key that turns `sliding_window` on; None: it is on when it has a value."""
    huggingface_used: tuple[str, ...] = ()
    """Keys of this family beyond `HUGGINGFACE_USED`."""
    huggingface_inert: Mapping[str, tuple[object, ...] | None] = field(
        default_factory=dict[str, tuple[object, ...] | None]
    )
    """Keys of this family beyond `HUGGINGFACE_INERT`."""


ARCHITECTURES: Final = {
    row.name: row
    for row in (
        Architecture(
            "llama",
            "llama",
            gguf_interleaved=True,
            qkv_bias="attention_bias",
            output_bias="attention_bias",
            mlp_bias="mlp_bias",
            huggingface_used=("attention_bias", "mlp_bias"),
            huggingface_inert={
                "pretraining_tp": ANY,
                "rope_interleaved": (False,),
                "is_llama_config": (True,),
                "transformers.js_config": ANY,
            },
        ),
        Architecture("mistral", None),
        Architecture(
            "qwen2",
            "qwen2",
            qkv_bias=True,
            window_switch="use_sliding_window",
            huggingface_used=("use_sliding_window", "max_window_layers"),
        ),
        Architecture(
            "qwen3",
            "qwen3",
            qk_norm=True,
            head_dim_required=True,
            qkv_bias="attention_bias",
            output_bias="attention_bias",
            window_switch="use_sliding_window",
            huggingface_used=("attention_bias", "use_sliding_window", "max_window_layers"),
        ),
    )
}

HUGGINGFACE_USED: Final = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "tie_word_embeddings",
    "sliding_window",
    "layer_types",
    "bos_token_id",
    "eos_token_id",
)

HUGGINGFACE_INERT: Final[Mapping[str, tuple[object, ...] | None]] = {
    "architectures": ANY,
    "torch_dtype": ANY,
    "dtype": ANY,
    "transformers_version": ANY,
    "_name_or_path": ANY,
    "use_cache": ANY,
    "initializer_range": ANY,
    "pad_token_id": ANY,
    "attention_dropout": ANY,
    "output_attentions": ANY,
    "output_hidden_states": ANY,
    "return_dict": ANY,
    "problem_type": ANY,
    "id2label": ANY,
    "label2id": ANY,
    "chunk_size_feed_forward": ANY,
    "is_encoder_decoder": (False,),
    "quantization_config": (None,),
}

ROPE_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
}
"""The kinds of rope scaling in a Hugging Face config and the numbers each needs, in order."""

GGUF_USED: Final = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
)
"""Keys below `{arch}.`."""

GGUF_INERT: Final[Mapping[str, tuple[object, ...] | None]] = {
    "rope.scaling.finetuned": ANY,
    "rope.scaling.original_context_length": ANY,
    "rope.scaling.attn_factor": (1.0,),
    "attention.causal": (True,),
    "attention.clamp_kqv": (0.0,),
    "attention.max_alibi_bias": (0.0,),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "use_parallel_residual": (False,),
}
"""Keys below `{arch}.` and the values that change nothing."""

GGUF_INERT_PREFIXES: Final = ("general.", "tokenizer.", "quantize.", "imatrix.")
"""Keys that describe the file, its tokens or how it was made."""
