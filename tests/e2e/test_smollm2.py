"""SmolLM2-135M-Instruct from its GGUF: logits of every position, and greedy text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fetched import fetched
from reference import Cache, Reference
from reference_files import from_gguf

from tilewright.backend.image import read_image
from tilewright.compiler import compile_model
from tilewright.runtime import Session
from tilewright.runtime.tokenizer import Tokenizer

TOLERANCE = 5e-5
LONG = (
    "The history of computing is a history of memory. The first machines kept their numbers in "
    "relays and drums, and every program was a way of waiting for a drum to turn. Later machines "
    "kept them in cores and then in silicon, and the waiting became shorter, but never went away. "
) * 6
PROMPTS = {
    "question": "What is the capital of France?",
    "code": "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "story": "Once upon a time, in a small village by the sea, there lived",
    "one": "Hello",
    "unicode": "Übung macht den Meister: naïve café, 数字 42 🙂",
    "long": LONG,
}
"""The last has more than 300 tokens."""


@pytest.fixture(scope="module")
def model() -> Path:
    """The GGUF file, if it was fetched."""
    return fetched("smollm2")


@pytest.fixture(scope="module")
def image(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model compiled for the large machine."""
    path = tmp_path_factory.mktemp("smollm2") / "smollm2.tw"
    compile_model(model, max_context=512, output=path)
    return path


@pytest.fixture(scope="module")
def reference(model: Path) -> Reference:
    """An independent float32 forward of the dequantised weights."""
    return from_gguf(model)


@pytest.fixture(scope="module")
def tokenizer(image: Path) -> Tokenizer:
    """The tokenizer that the image carries."""
    return Tokenizer(read_image(image).tokenizer or {})


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_logit_of_every_position(
    prompt: str, image: Path, reference: Reference, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode(PROMPTS[prompt])
    assert prompt != "long" or len(ids) > 300
    logits = Session.load(image).prefill(ids, all_logits=True)
    expected = reference.forward(ids)
    bound = TOLERANCE * max(1.0, float(expected.std()))
    error = float(np.abs(logits - expected).max())
    print(f"{prompt}: {len(ids)} tokens, largest error {error:.2e}, bound {bound:.2e}")
    assert error < bound


def test_greedy_tokens(image: Path, reference: Reference, tokenizer: Tokenizer) -> None:
    """64 tokens, one at a time, are those of the reference."""
    ids = tokenizer.encode(PROMPTS["story"])
    cache, session = Cache(reference.config), Session.load(image)
    wanted, found = reference.forward(ids, cache)[-1], session.prefill(ids)
    for _ in range(64):
        token = int(wanted.argmax())
        assert int(found.argmax()) == token
        wanted, found = reference.forward([token], cache)[-1], session.decode(token)
