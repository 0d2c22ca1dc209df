"""Text streaming: pieces join to the whole text, and no piece holds half a character."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.runtime.tokenizer import Tokenizer, TokenizerError


def material(prefix: bool = False) -> dict[str, Any]:
    """A tokenizer of single bytes by byte fallback, with one special token and a few words."""
    words = ["<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a", "b"]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    first = [{"type": "Prepend", "prepend": "▁"}] if prefix else []
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": 0,
                "content": "<s>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": {"type": "Sequence", "normalizers": [*first, replace]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<s>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": [["▁", "a"]],
        },
    }
    return {"json": json.dumps(document), "bos": 0, "eos": [0], "chat_template": None}


PLAIN, PREFIXED = Tokenizer(material()), Tokenizer(material(prefix=True))


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    stream = tokenizer.stream()
    return [*(stream.add(token) for token in ids), stream.finish()]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁\ufffd"), max_size=20))
def test_streamed_pieces_join_to_the_text(text: str) -> None:
    for tokenizer in (PLAIN, PREFIXED):
        ids = tokenizer.encode(text)
        assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids) == text


def test_characters_come_whole() -> None:
    assert pieces(PLAIN, PLAIN.encode("aé a")) == ["a", "", "é", " a", ""]


def test_leading_spaces_stay_inside_a_text() -> None:
    """A first token loses the space that the model puts in front; the same token later keeps it."""
    assert pieces(PREFIXED, PREFIXED.encode("a a a")) == ["a", " a", " a", ""]


def test_unfinished_characters_end_as_replacements() -> None:
    assert pieces(PLAIN, [1 + 0xF0, 1 + 0x9F])[:2] == ["", ""]
    assert set(pieces(PLAIN, [1 + 0xF0, 1 + 0x9F])[2]) == {"\ufffd"}


def test_special_tokens_are_not_text() -> None:
    assert pieces(PLAIN, [258, 0, 258]) == ["a", "", "a", ""]
    assert PLAIN.decode([0, 259, 0]) == PLAIN.decode([259])
    assert PLAIN.decode([0], special=True) == "<s>"
    assert (PLAIN.bos, PLAIN.eos) == (0, {0})


def test_images_without_a_tokenizer() -> None:
    with pytest.raises(TokenizerError) as error:
        Tokenizer({})
    assert str(error.value) == "the image has no tokenizer: pass token ids instead of text"
    with pytest.raises(TokenizerError, match="the image's tokenizer cannot be read"):
        Tokenizer({"json": "{}"})
