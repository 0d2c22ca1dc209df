"""Prompts on the command line: ids, text, or a chat turn."""

from ...backend.errors import TilewrightError
from ...backend.image import Image
from ...runtime.chat import render_chat
from ...runtime.tokenizer import Tokenizer


def parse_ids(text: str) -> list[int]:
    """Token ids written as `1,2,3`; an empty text is an empty prompt."""
    try:
        return [int(item) for item in text.split(",")] if text.strip() else []
    except ValueError:
        raise TilewrightError(f"--ids '{text}': write token ids as 1,2,3") from None


def tokenizer_of(image: Image) -> Tokenizer:
    """The tokenizer that the image carries (TokenizerError without one)."""
    return Tokenizer(image.tokenizer or {})


def chat_prompt(tokenizer: Tokenizer, prompt: str, system: str) -> list[int]:
    """Token ids of one user message, by the model's own chat template."""
    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    text = render_chat(tokenizer.chat_template, messages, tokenizer.special)
    return tokenizer.encode(text, special=False)
