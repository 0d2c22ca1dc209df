"""What a model is, free of the words any checkpoint uses for it: the builder's only input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rope:
    """Rotary position embedding over the first `dim` columns of a head, half-split pairs."""

    theta: float
    dim: int
    scaling: str = ""
    """Empty, `linear F`, `llama3 FACTOR LOW HIGH ORIGINAL`, or `factors F0 F1 ...` (one divisor of
    the frequency for each pair)."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and features of a decoder-only transformer with pre-norm and a gated feed-forward."""

    architecture: str
    """The row of `architectures.ARCHITECTURES` it was read by."""
    layers: int
    width: int
    """Columns of the residual stream."""
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    """Columns between gate/up and down."""
    vocab: int
    eps: float
    rope: Rope
    activation: str
    """A name of `tg.unary`: `silu`, `gelu_tanh` or `gelu_erf`."""
    max_positions: int
    """Positions the model was made for."""
    tied: bool
    """The head has the embedding's rows."""
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    """RMS norm of each head of q and k before rope, one gamma for all heads."""
    window: int | None = None
    """Sliding attention window in positions; the builder refuses a context that exceeds it."""

    @property
    def scale(self) -> float:
        """What attention scores are multiplied by."""
        return float(self.head_dim) ** -0.5

    def size(self, name: str) -> int:
        """A named extent of a parameter: `q`, `kv`, `width`, `ffn`, `vocab` or `head_dim`."""
        sizes = {
            "q": self.heads * self.head_dim,
            "kv": self.kv_heads * self.head_dim,
            "width": self.width,
            "ffn": self.ffn,
            "vocab": self.vocab,
            "head_dim": self.head_dim,
        }
        return sizes[name]

    def has(self, feature: str) -> bool:
        """Whether parameters marked with this feature exist; the empty feature always does."""
        features = {
            "": True,
            "qkv_bias": self.qkv_bias,
            "output_bias": self.output_bias,
            "mlp_bias": self.mlp_bias,
            "qk_norm": self.qk_norm,
        }
        return features[feature]
