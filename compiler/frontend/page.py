"""The page of architectures, docs/architectures.md, from the table that the readers use: `python -m
tilewright.compiler.frontend.page`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from ...backend.formats import FORMATS
from .architectures import (
    ACTIVATIONS,
    ARCHITECTURES,
    GGUF_INERT,
    GGUF_INERT_PREFIXES,
    GGUF_USED,
    HUGGINGFACE_INERT,
    HUGGINGFACE_USED,
    INERT_TENSORS,
    ROPE_TYPES,
    WEIGHTS,
    Architecture,
)

_PAGE = """\
# Architectures

*This page is generated: `python -m tilewright.compiler.frontend.page > docs/architectures.md`.*

A model is read by a row of the table in `compiler/frontend/architectures.py`. A key of its
config is used, without effect, or refused by name with its value: a key that may change values is
never dropped ([011](decisions/011-refuse-by-name.md)). So is a tensor that no row below names.

## Families

A bias that a key decides exists where that key is true.

{families}

All of them have RMS norm before attention and before a gated feed-forward, rotary positions by
halves over whole heads, and grouped queries.

## Parameters

`{{l}}` is the layer. Extents are output features x input features: `q` and `kv` are heads x head
dimension, `width` is the hidden size.

{weights}

Tensors that are computed instead of read: {tensors}.

## Keys of config.json

| | keys |
|---|---|
| used by all | {huggingface_used} |
{huggingface_rows}| without effect | {huggingface_inert} |

`hidden_act`: {activations}.

`rope_scaling`:

{ropes}

## Keys of GGUF

Each begins with the `general.architecture` and a dot, except for those of the last row.

| | keys |
|---|---|
| used | {gguf_used} |
| without effect | {gguf_inert} |
| without effect, whatever follows | {gguf_prefixes} |

Tensors that keep their bits: {native}.
Matrices of other types that the `gguf` package can read are widened to float32; vectors are F32,
F16 or BF16. Any other type is refused, with the name of the tensor.
"""


def page() -> str:
    """The whole page."""
    rows = ARCHITECTURES.values()
    return _PAGE.format(
        families=_table(
            (
                "family",
                "`general.architecture`",
                "bias of q, k, v",
                "of output",
                "of feed-forward",
                "norm of q and k",
                "sliding window is on",
                "`head_dim`",
            ),
            (_family(row) for row in rows),
        ),
        weights=_table(
            ("symbol", "config.json's checkpoint", "GGUF", "extents", "where"),
            (
                (
                    f"`{one.symbol}`",
                    f"`{one.huggingface}`",
                    f"`{one.gguf}`",
                    one.rows if one.columns is None else f"{one.rows} x {one.columns}",
                    f"`{one.feature}`" if one.feature else "all",
                )
                for one in WEIGHTS
            ),
        ),
        tensors=_codes(INERT_TENSORS),
        huggingface_used=_codes(HUGGINGFACE_USED),
        huggingface_rows="".join(_own_keys(row) for row in rows),
        huggingface_inert=_inert(HUGGINGFACE_INERT),
        activations=", ".join(f"`{key}` is `{name}`" for key, name in ACTIVATIONS.items()),
        ropes=_table(
            ("kind", "needs"),
            ((f"`{kind}`", _codes(numbers)) for kind, numbers in ROPE_TYPES.items()),
        ),
        gguf_used=_codes(GGUF_USED),
        gguf_inert=_inert(GGUF_INERT),
        gguf_prefixes=_codes(GGUF_INERT_PREFIXES),
        native=", ".join(f"{one.ggml} as `{one.name}`" for one in FORMATS.values() if one.ggml),
    )


def _family(row: Architecture) -> tuple[str, ...]:
    """A family's cells."""
    gguf = "that of another family" if row.gguf is None else f"`{row.gguf}`"
    window = "with a value" if row.window_switch is None else f"`{row.window_switch}`"
    return (
        row.name,
        f"{gguf}, rows interleaved" if row.gguf_interleaved else gguf,
        *(_answer(rule) for rule in (row.qkv_bias, row.output_bias, row.mlp_bias, row.qk_norm)),
        window,
        "required" if row.head_dim_required else "derived where missing",
    )


def _answer(rule: bool | str) -> str:
    """Yes, no, or the key that decides."""
    return f"`{rule}`" if isinstance(rule, str) else "yes" if rule else "no"


def _own_keys(row: Architecture) -> str:
    """The rows of keys that only one family knows."""
    used, inert = _codes(row.huggingface_used), _inert(row.huggingface_inert)
    lines = [f"| used by {row.name} | {used} |\n"] if used else []
    lines += [f"| without effect for {row.name} | {inert} |\n"] if inert else []
    return "".join(lines)


def _inert(keys: Mapping[str, tuple[object, ...] | None]) -> str:
    """Keys, each with the values that change nothing where not all do."""
    return ", ".join(
        f"`{key}`" if values is None else f"`{key}` = {' or '.join(map(_json, values))}"
        for key, values in keys.items()
    )


def _json(value: object) -> str:
    """A value as a config writes it."""
    return "null" if value is None else str(value).lower()


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
