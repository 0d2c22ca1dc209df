"""The unfused pipeline: the same values, a kernel for each op, more bytes through main memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models import Tiny, write_huggingface
from reference_files import from_huggingface

from tilewright.backend.image import read_image
from tilewright.backend.machine import Machine
from tilewright.compiler import compile_model
from tilewright.compiler.check import PassChecker
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.runtime import Session
from tilewright.runtime.timing.steps import time_step

TINY = Tiny(family="qwen3", heads=4, kv_heads=2, max_positions=64, vocab=97)
IDS = [int(i) for i in np.random.default_rng(3).integers(3, 90, 21)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with norms of heads, grouped queries and rope."""
    return write_huggingface(tmp_path_factory.mktemp("unfused") / "model", TINY, "BF16")


def test_logits_and_time(model: Path, tmp_path: Path) -> None:
    """Prompt in chunks and a step: numpy's logits; slower, and with more bytes than fused."""
    for unfused in (False, True):
        compile_model(model, "tw-small", max_context=32, chunk=9, unfused=unfused,
                      output=tmp_path / f"{unfused}.tw")  # fmt: skip
    session = Session.load(tmp_path / "True.tw")
    found = np.concatenate(
        [session.prefill(IDS[:20], all_logits=True), session.decode(IDS[20])[None]]
    )
    want = from_huggingface(model).forward(IDS)
    assert np.abs(found - want).max() < 5e-5 * max(1.0, float(want.std()))
    images = [read_image(tmp_path / f"{unfused}.tw") for unfused in (False, True)]
    fused, apart = (
        time_step(image, Machine.from_dict(image.machine), "prefill", [20]) for image in images
    )
    assert apart.picoseconds > fused.picoseconds
    assert apart.read_bytes > fused.read_bytes


@pytest.mark.parametrize("policy", ["exact", "bf16"])
def test_every_pass_keeps_the_values(model: Path, policy: str) -> None:
    module = load_model(model).build(EntryShape("prefill", 2, 4, 12), policy)
    checker = PassChecker("tw-small", launches=1)
    compile_entry(module, "tw-small", unfused=True, after_pass=[checker.after_pass])
    assert checker.passed[:3] == ["canonicalise", "expand-attention", "fuse"]
    assert checker.passed[-1] == "select"
