"""The tokenizer in GGUF metadata, rewritten as a tokenizer.json.

`gpt2` is byte-level BPE with a pre-tokenizer known by name; `llama` is a sentencepiece model,
which becomes BPE with byte fallback: merges are all splits of a piece in two, best score first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from .checkpoint import CheckpointError, TokenizerMaterial, UnsupportedModel

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
_SPACE: Final = "\u2581"

_GPT4_WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

PRE_TOKENIZERS: Final[Mapping[str, tuple[str, ...]]] = {
    "gpt-2": ("words",),
    "gpt2": ("words",),
    "smollm": ("digits", "words"),
    "starcoder": ("digits", "words"),
    "qwen2": ("nfc", _GPT4_WORDS % ""),
    "deepseek-r1-qwen": ("nfc", _GPT4_WORDS % ""),
    "llama-bpe": ("whole words", _GPT4_WORDS % "{1,3}"),
    "llama3": ("whole words", _GPT4_WORDS % "{1,3}"),
}
"""`tokenizer.ggml.pre`: words mean steps, a pattern splits. `words`: GPT-2's pattern; `digits`:
each digit by itself; `nfc`: Unicode normalised; `whole words`: a word that is a token is one."""


def gguf_tokenizer(where: str, keys: Mapping[str, object]) -> TokenizerMaterial | None:
    """The tokenizer of `tokenizer.*` keys, or None if the file has none."""
    if "tokenizer.ggml.model" not in keys:
        return None
    source = _Source(where, keys)
    kind = keys["tokenizer.ggml.model"]
    if kind == "gpt2":
        document = _byte_level(source)
    elif kind == "llama":
        document = _sentencepiece(source)
    else:
        raise UnsupportedModel(f"{where}: tokenizer.ggml.model is {kind!r}, wanted gpt2 or llama")
    ends = dict.fromkeys(
        number
        for name in ("eos_token_id", "eot_token_id", "eom_token_id")
        if (number := source.token_id(name)) is not None
    )
    special = {
        word: source.tokens[number]
        for word, name in (
            ("bos_token", "bos_token_id"),
            ("eos_token", "eos_token_id"),
            ("unk_token", "unknown_token_id"),
            ("pad_token", "padding_token_id"),
        )
        if (number := source.token_id(name)) is not None
    }
    template = keys.get("tokenizer.chat_template")
    return TokenizerMaterial(
        json=json.dumps(document, ensure_ascii=False),
        bos=source.token_id("bos_token_id"),
        eos=tuple(ends),
        chat_template=template if isinstance(template, str) else None,
        special=special,
    )


class _Source:
    """Checked access to the keys: tokens, their types, flags and ids."""

    def __init__(self, where: str, keys: Mapping[str, object]) -> None:
        self.where, self.keys = where, keys
        self.tokens = [word for word in self._list("tokens") if isinstance(word, str)]
        self.ids = {word: number for number, word in enumerate(self.tokens)}
        if len(self.ids) != len(self._list("tokens")):
            raise CheckpointError(f"{where}: tokenizer.ggml.tokens holds a token twice or no text")
        self.types = self._list("token_type", len(self.tokens))

    def _list(self, name: str, length: int | None = None) -> list[object]:
        value = self.keys.get(f"tokenizer.ggml.{name}")
        if not isinstance(value, list):
            raise CheckpointError(f"{self.where}: tokenizer.ggml.{name} is missing or no list")
        items = cast(list[object], value)
        if length is not None and len(items) != length:
            raise CheckpointError(
                f"{self.where}: tokenizer.ggml.{name} has {len(items)} items, wanted {length}"
            )
        return items

    def scores(self) -> list[float]:
        return [float(cast(float, score)) for score in self._list("scores", len(self.tokens))]

    def merges(self) -> list[list[str]]:
        pairs: list[list[str]] = []
        for number, merge in enumerate(self._list("merges")):
            pair = [merge[: merge.find(" ", 1)], merge[merge.find(" ", 1) + 1 :]] if (
                isinstance(merge, str) and " " in merge[1:]
            ) else []  # fmt: skip
            if len(pair) != 2 or any(w not in self.ids for w in (*pair, "".join(pair))):
                raise CheckpointError(
                    f"{self.where}: merge {number} is {merge!r}, wanted two tokens that join to one"
                )
            pairs.append(pair)
        return pairs

    def flag(self, name: str, default: bool) -> bool:
        value = self.keys.get(f"tokenizer.ggml.{name}", default)
        if not isinstance(value, bool):
            raise CheckpointError(
                f"{self.where}: tokenizer.ggml.{name} is {value!r}, wanted a bool"
            )
        return value

    def token_id(self, name: str) -> int | None:
        value = self.keys.get(f"tokenizer.ggml.{name}")
        if value is None:
            return None
        if not isinstance(value, int) or not 0 <= value < len(self.tokens):
            raise CheckpointError(
                f"{self.where}: tokenizer.ggml.{name} is {value!r}, wanted an id below "
                f"{len(self.tokens)}"
            )
        return value

    def added(self) -> list[dict[str, object]]:
        """Tokens matched before anything else; control tokens are left out of decoded text."""
        return [
            {
                "id": number,
                "content": self.tokens[number],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": kind != _USER_DEFINED,
            }
            for number, kind in enumerate(self.types)
            if kind in (_UNKNOWN, _CONTROL, _USER_DEFINED)
        ]

    def post_processor(self, default: bool) -> dict[str, object] | None:
        """Puts the first token in front where the metadata ask for it."""
        bos = self.token_id("bos_token_id")
        if not self.flag("add_bos_token", default) or bos is None:
            return None
        word = self.tokens[bos]
        first = {"SpecialToken": {"id": word, "type_id": 0}}
        return {
            "type": "TemplateProcessing",
            "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                first,
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {word: {"id": word, "ids": [bos], "tokens": [word]}},
        }


def _document(source: _Source, default_bos: bool, **parts: object) -> dict[str, object]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": source.added(),
        "post_processor": source.post_processor(default_bos),
        **parts,
    }


def _byte_level(source: _Source) -> dict[str, object]:
    name = source.keys.get("tokenizer.ggml.pre")
    if name not in PRE_TOKENIZERS:
        raise UnsupportedModel(
            f"{source.where}: tokenizer.ggml.pre is {name!r}, wanted one of "
            f"{', '.join(PRE_TOKENIZERS)}"
        )
    steps = PRE_TOKENIZERS[cast(str, name)]
    prefix = source.flag("add_space_prefix", False)
    level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True}
    splits: list[dict[str, object]] = []
    for step in steps:
        if step == "digits":
            splits.append({"type": "Digits", "individual_digits": True})
        elif step not in ("nfc", "whole words", "words"):
            pattern = {"Regex": step}
            splits.append(
                {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
            )
    splits.append({**level, "use_regex": "words" in steps})
    return _document(
        source,
        default_bos=False,
        normalizer={"type": "NFC"} if "nfc" in steps else None,
        pre_tokenizer={"type": "Sequence", "pretokenizers": splits},
        decoder={**level, "use_regex": True},
        model={
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": "whole words" in steps,
            "vocab": source.ids,
            "merges": source.merges(),
        },
    )


def _sentencepiece(source: _Source) -> dict[str, object]:
    prefix = source.flag("add_space_prefix", True)
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    back = {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}
    prepend = [{"type": "Prepend", "prepend": _SPACE}] if prefix else []
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    unknown = source.token_id("unknown_token_id")
    return _document(
        source,
        default_bos=True,
        normalizer={"type": "Sequence", "normalizers": [*prepend, replace]},
        pre_tokenizer=None,
        decoder={
            "type": "Sequence",
            "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip],
        },
        model={
            "type": "BPE",
            "dropout": None,
            "unk_token": source.tokens[0 if unknown is None else unknown],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": source.ids,
            "merges": _merges(source),
        },
    )


def _merges(source: _Source) -> list[list[str]]:
    """Every split of a piece into two pieces, by the piece's score; ties by the parts' ids."""
    ranked: list[tuple[float, int, int, str, str]] = []
    for word, score in zip(source.tokens, source.scores(), strict=True):
        for cut in range(1, len(word)):
            left, right = source.ids.get(word[:cut]), source.ids.get(word[cut:])
            if left is not None and right is not None:
                ranked.append((-score, left, right, word[:cut], word[cut:]))
    return [[left, right] for _, _, _, left, right in sorted(ranked)]
