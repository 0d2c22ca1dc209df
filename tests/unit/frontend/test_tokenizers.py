"""GGUF's tokenizers rewritten as tokenizer.json, and those of Hugging Face directories."""

import json
from pathlib import Path
from typing import Any

import pytest

from tilewright.compiler.frontend.checkpoint import CheckpointError, UnsupportedModel
from tilewright.compiler.frontend.gguf_tokenizer import PRE_TOKENIZERS, gguf_tokenizer
from tilewright.compiler.frontend.huggingface_tokenizer import huggingface_tokenizer
from tilewright.runtime.tokenizer import Tokenizer


def letters() -> list[str]:
    """GPT-2's letter for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(rest)) for byte in range(256)]


def byte_level(pre: str, *merged: str, **keys: Any) -> dict[str, Any]:
    """Keys of a byte-level tokenizer: two control tokens, 256 bytes, merged words."""
    tokens = ["<|end|>", "<|user|>", *letters(), *merged]
    merges = [f"{word[:-1]} {word[-1]}" for word in merged]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3] + [1] * (len(tokens) - 2),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.eot_token_id": 1,
        **{f"tokenizer.ggml.{name}": value for name, value in keys.items()},
    }


PIECES = ("▁", "a", "b", "c", "h", "e", "l", "o", "he", "ll", "hell", "▁hello", "lo", "hello")


def sentencepiece(**keys: Any) -> dict[str, Any]:
    """Keys of a llama tokenizer: three special tokens, byte tokens, pieces (best score first)."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(PIECES),
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(n) for n in range(len(PIECES))],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        **{f"tokenizer.ggml.{name}": value for name, value in keys.items()},
    }


def made(keys: dict[str, Any]) -> Tokenizer:
    material = gguf_tokenizer("m", keys)
    assert material is not None
    return Tokenizer(material.to_dict())


def words(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.decode([token]) for token in tokenizer.encode(text)]


TEXTS = [
    "",
    "hello world",
    "  two  spaces\n\n\tx ",
    "naïve 日本語 🙂",
    "it's 1234 x+y=3.5!",
    "\x00\x7f",
]


@pytest.mark.parametrize("pre", [*PRE_TOKENIZERS])
def test_byte_level_texts_come_back(pre: str) -> None:
    tokenizer = made(byte_level(pre, "he", "hel", "Ġw"))
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.eos == {0, 1}
    assert tokenizer.bos == 0
    assert tokenizer.special == {"bos_token": "<|end|>", "eos_token": "<|end|>"}


def test_merges_and_special_tokens() -> None:
    tokenizer = made(byte_level("gpt-2", "he", "hel"))
    assert words(tokenizer, "hello") == ["hel", "l", "o"]
    assert tokenizer.encode("<|user|>he") == [1, 258]
    assert tokenizer.decode([1, 258]) == "he"
    assert tokenizer.decode([1, 258], special=True) == "<|user|>he"


def test_pre_tokenizers_split_digits_as_their_models_do() -> None:
    merged = ("12", "123", "1234", "Ġ1")
    assert words(made(byte_level("gpt-2", *merged)), "1234") == ["1234"]
    assert words(made(byte_level("smollm", *merged)), "1234") == ["1", "2", "3", "4"]
    assert words(made(byte_level("qwen2", *merged)), "1234") == ["1", "2", "3", "4"]
    assert words(made(byte_level("llama-bpe", *merged)), "1234") == ["123", "4"]
    assert words(made(byte_level("gpt-2", "Ġ1")), "a 12") == ["a", " 1", "2"]


def test_llama_bpe_takes_whole_words_first() -> None:
    """A word that is a token is one token although no merge makes it."""
    keys = byte_level("llama-bpe")
    keys["tokenizer.ggml.tokens"].append("abc")
    keys["tokenizer.ggml.token_type"].append(1)
    assert words(made(keys), "abc") == ["abc"]
    keys["tokenizer.ggml.pre"] = "qwen2"
    assert words(made(keys), "abc") == ["a", "b", "c"]


def test_qwen_normalises() -> None:
    assert made(byte_level("qwen2")).encode("e\u0301") == made(byte_level("qwen2")).encode("é")


def test_bos_is_added_where_metadata_ask() -> None:
    tokenizer = made(byte_level("smollm", add_bos_token=True))
    assert tokenizer.encode("a")[0] == 0
    assert tokenizer.encode("a", special=False) == tokenizer.encode("a")[1:]


def test_sentencepiece() -> None:
    tokenizer = made(sentencepiece())
    assert tokenizer.encode("hello", special=False) == [3 + 256 + PIECES.index("▁hello")]
    assert tokenizer.encode("hello")[0] == 1
    pieces = [
        tokenizer.decode([t], special=True) for t in tokenizer.encode("a hello", special=False)
    ]
    assert "".join(pieces) == "ahello"
    for text in ("hello", "a b", "hello hello", "é🙂 b"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("é", special=False)[1:] == [3 + 0xC3, 3 + 0xA9]
    plain = made(sentencepiece(add_space_prefix=False, add_bos_token=False))
    assert plain.encode("hello") == [3 + 256 + PIECES.index("hello")]


def test_sentencepiece_merges_by_score_not_by_order() -> None:
    """`ll` before `lo` in `hello`: the better score wins over the later pair."""
    tokenizer = made(sentencepiece(add_space_prefix=False, add_bos_token=False))
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode("ello")]
    assert pieces == ["e", "ll", "o"]


def broken(key: str, value: Any) -> dict[str, Any]:
    return {**byte_level("smollm", "he"), f"tokenizer.ggml.{key}": value}


DAMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "model": (broken("model", "t5"), "tokenizer.ggml.model is 't5', wanted gpt2 or llama"),
    "pre": (
        broken("pre", "tekken"),
        f"tokenizer.ggml.pre is 'tekken', wanted one of {', '.join(PRE_TOKENIZERS)}",
    ),
    "tokens": (broken("tokens", None), "tokenizer.ggml.tokens is missing or no list"),
    "types": (broken("token_type", [1]), "tokenizer.ggml.token_type has 1 items, wanted 259"),
    "merge": (
        broken("merges", ["h x"]),
        "merge 0 is 'h x', wanted two tokens that join to one",
    ),
    "id": (
        broken("eos_token_id", 999),
        "tokenizer.ggml.eos_token_id is 999, wanted an id below 259",
    ),
    "flag": (broken("add_bos_token", 1), "tokenizer.ggml.add_bos_token is 1, wanted a bool"),
    "twice": (
        broken("tokens", ["a", "a"]),
        "tokenizer.ggml.tokens holds a token twice or no text",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str) -> None:
    keys, message = DAMAGES[name]
    with pytest.raises((CheckpointError, UnsupportedModel)) as error:
        gguf_tokenizer("m", keys)
    assert str(error.value) == f"m: {message}"


def test_none_without_a_tokenizer(tmp_path: Path) -> None:
    assert gguf_tokenizer("m", {}) is None
    assert huggingface_tokenizer(tmp_path, {}) is None


def test_huggingface_files(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "bos_token": {"content": "<s>"},
                "eos_token": "</s>",
                "chat_template": [
                    {"name": "tools", "template": "no"},
                    {"name": "default", "template": "yes"},
                ],
            }
        )
    )
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 9]}')
    material = huggingface_tokenizer(tmp_path, {"bos_token_id": 1, "eos_token_id": 9})
    assert material is not None
    assert material.to_dict() == {
        "json": "{}",
        "bos": 1,
        "eos": [9, 7],
        "chat_template": "yes",
        "special": {"bos_token": "<s>", "eos_token": "</s>"},
    }
    (tmp_path / "chat_template.jinja").write_text("file")
    material = huggingface_tokenizer(tmp_path, {})
    assert material is not None
    assert material.chat_template == "file"
    (tmp_path / "tokenizer.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: is not JSON"):
        huggingface_tokenizer(tmp_path, {})


@pytest.mark.parametrize("found", ["3", "[null]", '[{"name": "default"}]'])
def test_a_chat_template_that_is_none(found: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(f'{{"chat_template": {found}}}')
    with pytest.raises(CheckpointError, match=r"chat_template is .*, wanted a string, or a list"):
        huggingface_tokenizer(tmp_path, {})
