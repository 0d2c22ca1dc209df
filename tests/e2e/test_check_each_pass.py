"""`--check-each-pass` on a compiled model passes, also where weights are quantised on the way."""

from pathlib import Path

import pytest
from models import Tiny, write_huggingface

from tilewright.compiler import compile_model


@pytest.mark.parametrize(("policy", "weights"), [("exact", "i8"), ("bf16", "i4z_g64")])
def test_a_compiled_model_passes(policy: str, weights: str, tmp_path: Path) -> None:
    tiny = Tiny(layers=1, width=40, heads=2, kv_heads=1, ffn=48, vocab=67)
    model = write_huggingface(tmp_path / "model", tiny, "BF16")
    image = tmp_path / "m.tw"
    compile_model(
        model,
        machine="tw-small",
        max_context=16,
        chunk=4,
        policy=policy,
        weights=weights,
        check_each_pass=True,
        output=image,
    )
    assert image.exists()
