"""Which checkpoint rows each parameter of a model is made of, and in which format they stay.

Every tensor of the checkpoint must be one that the architecture knows, with the shape that the
config gives it; nothing is left over silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .architectures import ARCHITECTURES, INERT_TENSORS, WEIGHTS, Weight
from .checkpoint import Checkpoint, CheckpointError, TensorInfo, UnsupportedModel
from .model_config import ModelConfig


@dataclass(frozen=True)
class Parameter:
    """One parameter of all layers, as the builder declares it."""

    symbol: str
    recipe: str
    """Text of `backend.formats.recipes`; `{l}` is the layer."""
    format: str
    """The format its rows have in the checkpoint; f32 where layers differ, and for vectors."""
    layered: bool
    rows: int
    """Output features, or values of a vector."""
    columns: int | None
    """Input features; None for a vector."""
    order: str = "kn"
    """Packed order of a matrix: `nk` for the embedding."""


@dataclass(frozen=True)
class Parameters:
    """All parameters in the order of the architecture table, and what the user should know."""

    all: tuple[Parameter, ...]
    notices: tuple[str, ...]

    def by_symbol(self) -> dict[str, Parameter]:
        """Parameters by their names in the IR."""
        return {parameter.symbol: parameter for parameter in self.all}


def find_parameters(config: ModelConfig, checkpoint: Checkpoint) -> Parameters:
    """Match a checkpoint's tensors with the model. Raises UnsupportedModel for a tensor that the
    architecture does not know, CheckpointError for a missing one or a wrong shape."""
    gguf = checkpoint.kind == "gguf"
    word: Callable[[Weight], str] = (lambda w: w.gguf) if gguf else (lambda w: w.huggingface)
    expected = [w for w in WEIGHTS if config.has(w.feature) and not (_is_head(w) and config.tied)]
    notices: list[str] = []
    _refuse_strangers(
        config, checkpoint, {_name for w in expected for _name in _names(word(w), config, w)}
    )
    if config.tied and word(WEIGHTS[-1]) in checkpoint.names:
        notices.append(
            f"{word(WEIGHTS[-1])} is not read: the config ties the head to the embedding"
        )
    found = [_parameter(config, checkpoint, w, word(w), notices) for w in expected]
    if config.tied:
        head, embedding = WEIGHTS[-1], found[0]
        found.append(
            Parameter(
                head.symbol,
                embedding.recipe,
                embedding.format,
                False,
                embedding.rows,
                embedding.columns,
            )
        )
    return Parameters(tuple(found), tuple(notices))


def _is_head(weight: Weight) -> bool:
    return weight.symbol == "output"


def _names(pattern: str, config: ModelConfig, weight: Weight) -> list[str]:
    layers = range(config.layers if weight.layered else 1)
    return [pattern.replace("{l}", str(layer)) for layer in layers]


def _refuse_strangers(config: ModelConfig, checkpoint: Checkpoint, expected: set[str]) -> None:
    layers = [str(layer) for layer in range(config.layers)]
    inert = {name.replace("{l}", layer) for name in INERT_TENSORS for layer in layers}
    inert |= {"rope_freqs.weight"} if checkpoint.kind == "gguf" else {"lm_head.weight"}
    known = expected | inert
    strangers = [name for name in checkpoint.names if name not in known]
    if strangers:
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        raise UnsupportedModel(
            f"{checkpoint.path}: the architecture {config.architecture} has no tensor "
            f"{', '.join(strangers[:3])}{more}"
        )


def _parameter(
    config: ModelConfig, checkpoint: Checkpoint, weight: Weight, name: str, notices: list[str]
) -> Parameter:
    rows = config.size(weight.rows)
    columns = config.size(weight.columns) if weight.columns else None
    infos = [checkpoint.info(n) for n in _names(name, config, weight)]
    for n, info in zip(_names(name, config, weight), infos, strict=True):
        if info.shape != (rows, columns or 1) or info.vector != (columns is None):
            raise CheckpointError(
                f"{checkpoint.path}: tensor {n!r} is {_shape(info)}, wanted "
                f"{rows if columns is None else f'{rows} x {columns}'}"
            )
    formats = dict.fromkeys(info.format for info in infos)
    if columns is not None and len(formats) > 1:
        notices.append(
            f"{weight.symbol} is {' or '.join(formats)} by layer: all layers are stored as f32, "
            "exactly"
        )
    return Parameter(
        symbol=weight.symbol,
        recipe=_recipe(config, checkpoint, weight, name),
        format=next(iter(formats)) if columns is not None and len(formats) == 1 else "f32",
        layered=weight.layered,
        rows=rows,
        columns=columns,
        order="nk" if weight.symbol == "token_embd" else "kn",
    )


def _shape(info: TensorInfo) -> str:
    return str(info.shape[0]) if info.vector else f"{info.shape[0]} x {info.shape[1]}"


def _recipe(config: ModelConfig, checkpoint: Checkpoint, weight: Weight, name: str) -> str:
    """The tensor's rows, with llama's GGUF order of rotary pairs undone."""
    quoted = f"'{name}'"
    row = ARCHITECTURES[config.architecture]
    if checkpoint.kind != "gguf" or not row.gguf_interleaved or not weight.rotary:
        return quoted
    heads = config.size(weight.rows) // config.head_dim
    return f"rotary({quoted}, {heads})"
