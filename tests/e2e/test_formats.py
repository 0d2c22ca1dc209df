"""Every weight format through the whole chain: emulated logits against the dequantised weights'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models import Tiny, write_gguf, write_huggingface
from reference import Reference
from reference_files import from_gguf, from_huggingface

from tilewright.backend.formats import FORMATS, dequantise, quantise
from tilewright.backend.image import read_image, rewrite_digest, tensor_span
from tilewright.compiler import compile_model
from tilewright.runtime import Session

TINY = Tiny(tied=False, width=80, heads=5, kv_heads=1, ffn=176, vocab=301, attention_bias=True)
"""K of 80 and 176: partial last blocks of 32, 64 and 128."""
IDS = [int(i) for i in np.random.default_rng(2).integers(3, 300, 20)]
TOLERANCE = 5e-5


def logits(image: Path) -> np.ndarray:
    """Of a prompt in two chunks, and of one decode step."""
    session = Session.load(image)
    return np.concatenate([session.prefill(IDS[:-1], all_logits=True), [session.decode(IDS[-1])]])


def check(found: np.ndarray, reference: Reference) -> None:
    """Every logit within the tolerance."""
    expected = reference.forward(IDS)
    assert np.abs(found - expected).max() < TOLERANCE * max(1.0, float(expected.std()))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in float32."""
    return write_huggingface(tmp_path_factory.mktemp("formats") / "model", TINY, "F32")


@pytest.mark.parametrize("weights", FORMATS)
def test_quantised_when_compiled(weights: str, model: Path, tmp_path: Path) -> None:
    """The reference multiplies by what the format makes of the rows."""
    image = tmp_path / "m.tw"
    compile_model(
        model, machine="tw-small", max_context=32, chunk=16, output=image, weights=weights
    )
    reference = from_huggingface(model)
    arrays = dict(reference.weights)
    for name, rows in arrays.items():
        if name.endswith("proj.weight") or name == "lm_head.weight":
            arrays[name] = dequantise(quantise(weights, rows))
    check(logits(image), Reference(reference.config, arrays))


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_blocks_of_a_gguf_stay_as_they_are(kind: str, tmp_path: Path) -> None:
    tiny = Tiny(width=96, heads=3, kv_heads=1, head_dim=32, ffn=160)
    path = write_gguf(tmp_path / "m.gguf", tiny, {"token_embd": "Q8_0", "": kind})
    image = tmp_path / "m.tw"
    compile_model(path, machine="tw-small", max_context=32, chunk=16, output=image)
    symbols = read_image(image).meta["symbols"]
    assert symbols["attn_qkv"]["format"] == kind.lower()
    check(logits(image), from_gguf(path))


def test_one_flipped_bit_of_a_weight_changes_logits(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "m.tw"
    compile_model(model, max_context=32, chunk=16, output=image, weights="q4_1")
    before = logits(image)
    start, _ = tensor_span(image, "hbm/ffn_down")
    with image.open("r+b") as file:
        file.seek(start + 1000)
        byte = file.read(1)[0]
        file.seek(start + 1000)
        file.write(bytes([byte ^ 0x10]))
    rewrite_digest(image)
    assert (logits(image) != before).any()


def test_an_unknown_format_is_refused_by_name(model: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="weights: found 'q3_k', wanted one of f32, f16"):
        compile_model(model, output=tmp_path / "m.tw", weights="q3_k")
    assert not list(tmp_path.iterdir())
