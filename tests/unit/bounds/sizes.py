"""Model sizes for the tests of bounds: published models and random ones."""

from dataclasses import dataclass, field

from hypothesis import strategies as st


@dataclass(frozen=True)
class Rope:
    dim: int


@dataclass(frozen=True)
class Sizes:
    """What a bound reads of a model."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    rope: Rope = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rope", Rope(self.head_dim))


LLAMA_2_7B = Sizes(32, 4096, 32, 32, 128, 11008, 32000)
LLAMA_2_70B = Sizes(80, 8192, 64, 8, 128, 28672, 32000)
LLAMA_3_70B = Sizes(80, 8192, 64, 8, 128, 28672, 128256)


@st.composite
def random_sizes(draw: st.DrawFn) -> Sizes:
    """Small models of any shape that the compiler would take."""
    kv_heads = draw(st.integers(1, 4))
    return Sizes(
        layers=draw(st.integers(1, 4)),
        width=draw(st.integers(1, 96)),
        heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=2 * draw(st.integers(1, 24)),
        ffn=draw(st.integers(1, 200)),
        vocab=draw(st.integers(1, 300)),
        qkv_bias=draw(st.booleans()),
        output_bias=draw(st.booleans()),
        mlp_bias=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
    )
