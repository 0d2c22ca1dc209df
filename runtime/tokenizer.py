"""Text to tokens and back, from the tokenizer that an image carries.

Needs the package `tokenizers`, which is imported when the first tokenizer is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..backend.errors import TilewrightError

_REPLACEMENT = "\ufffd"


class TokenizerError(TilewrightError):
    """An image without a usable tokenizer, or tokens outside its vocabulary."""


class Tokenizer:
    """Made of the JSON object that a compiled image keeps under `tokenizer`."""

    def __init__(self, material: Mapping[str, object]) -> None:
        text = material.get("json")
        if not isinstance(text, str):
            raise TokenizerError("the image has no tokenizer: pass token ids instead of text")
        try:
            library = importlib.import_module("tokenizers")
        except ImportError:
            raise TokenizerError(
                "text needs the tokenizers package: pip install tokenizers"
            ) from None
        try:
            self._inner: Any = library.Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception for bad JSON
            raise TokenizerError(f"the image's tokenizer cannot be read: {error}") from None
        bos = material.get("bos")
        self.bos = bos if isinstance(bos, int) else None
        """The token that starts a text, if the model has one."""
        self.eos = frozenset(cast(Sequence[int], material.get("eos") or ()))
        """Tokens that end a generated text."""
        template = material.get("chat_template")
        self.chat_template = template if isinstance(template, str) else None
        self.special = dict(cast(Mapping[str, str], material.get("special") or {}))
        """Special tokens by the names that chat templates use, such as `bos_token`."""

    @property
    def vocabulary(self) -> int:
        """Tokens that have a text."""
        return int(self._inner.get_vocab_size())

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids. `special` adds what the model wants around a text, such as `bos`; a rendered
        chat has that already. Special tokens written in the text are recognised either way."""
        return [int(i) for i in self._inner.encode(text, add_special_tokens=special).ids]

    def decode(self, ids: Sequence[int], special: bool = False) -> str:
        """The text of token ids, special tokens left out unless `special`."""
        return str(self._inner.decode(list(ids), skip_special_tokens=not special))

    def stream(self) -> Detokeniser:
        """A detokeniser for one text, token by token."""
        return Detokeniser(self)


class Detokeniser:
    """Text from tokens as they come: what all pieces join to is the text of all tokens.

    A token may hold part of a character; its bytes are held back until the character is whole.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0
        self._shown = 0

    def add(self, token: int) -> str:
        """The text that this token completes, maybe empty."""
        self._ids.append(token)
        text = self._new()
        if text.endswith(_REPLACEMENT):
            return ""
        return self._show(text)

    def finish(self) -> str:
        """What was held back; an unfinished character becomes U+FFFD."""
        return self._show(self._new())

    def _new(self) -> str:
        """Text of the tokens not yet shown. Those before, from `_start`, give the context that
        decides on a leading space."""
        shown = self._tokenizer.decode(self._ids[self._start : self._shown])
        return self._tokenizer.decode(self._ids[self._start :])[len(shown) :]

    def _show(self, text: str) -> str:
        if text:
            self._start, self._shown = self._shown, len(self._ids)
        return text
