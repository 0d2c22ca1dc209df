"""What an image keeps of its model, so that a step of it has bounds without the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from ..formats import FORMATS
from .ops import MATRICES, Formats
from .step import BoundError, ModelSizes


@dataclass(frozen=True)
class RopeDim:
    """Columns of a head that are turned."""

    dim: int


@dataclass(frozen=True)
class Sizes:
    """The sizes and features that bounds read of a model (`ModelSizes`)."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    rope_dim: int
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    qk_norm: bool

    @property
    def rope(self) -> RopeDim:
        """Of the rotary embedding."""
        return RopeDim(self.rope_dim)

    @staticmethod
    def of(config: ModelSizes) -> Sizes:
        """The part of a config that bounds read."""
        plain = {f.name: getattr(config, f.name) for f in fields(Sizes) if f.name != "rope_dim"}
        return Sizes(**plain, rope_dim=config.rope.dim)


@dataclass(frozen=True)
class ModelRecord:
    """A model's sizes, and the format of each of its matrices as packed."""

    sizes: Sizes
    formats: Formats

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"sizes": asdict(self.sizes), "formats": dict(self.formats)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ModelRecord:
        """The record that `to_dict` gave. Raises BoundError that names the key at fault."""
        sizes = _object(values, "sizes")
        wanted = {f.name: f.type for f in fields(Sizes)}
        if set(sizes) != set(wanted):
            raise _error("sizes", list(sizes), f"the keys {', '.join(wanted)}")
        for key, kind in wanted.items():
            value = sizes[key]
            if kind == "bool" and not isinstance(value, bool):
                raise _error(key, value, "true or false")
            if kind == "int" and (type(value) is not int or not 0 < value < 1 << 32):
                raise _error(key, value, "a whole number from 1 to 2^32 - 1")
        formats = _object(values, "formats")
        for symbol in MATRICES:
            name = formats.get(symbol)
            if not isinstance(name, str) or name not in FORMATS:
                raise _error(f"the format of {symbol}", name, "a format's name")
        return ModelRecord(Sizes(**sizes), {symbol: formats[symbol] for symbol in MATRICES})


def _object(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(values.get(key), dict):
        raise _error(key, values.get(key), "an object")
    return cast(dict[str, Any], values[key])


def _error(key: str, found: object, wanted: str) -> BoundError:
    return BoundError(
        f"model record: {key} is {repr(found)[:80]}, wanted {wanted}: compile the image again"
    )
