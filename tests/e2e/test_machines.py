"""Values do not depend on the machine: the same models, bit for bit, on varied and random ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from machines import VARIED, random_machines, varied, write_machine
from models import Tiny, write_huggingface
from reference_files import from_huggingface

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import read_image
from tilewright.backend.machine import Machine
from tilewright.compiler import compile_model
from tilewright.runtime import Session

ROOT = Path(__file__).parents[2]
KV_BLOCK = 8
CHUNK = 300
MODELS = {
    "llama": Tiny(max_positions=512, vocab=331),
    "head 24": Tiny(heads=3, kv_heads=1, head_dim=24, width=72, ffn=100, max_positions=512),
    "qwen3 head 80": Tiny(family="qwen3", heads=2, kv_heads=2, head_dim=80, max_positions=512),
    "qwen2 head 96": Tiny(family="qwen2", heads=2, kv_heads=1, head_dim=96, max_positions=512),
}
IDS = [int(i) for i in np.random.default_rng(5).integers(3, 300, 310)]


def compiled(model: Path, machine: Machine, folder: Path, chunk: int = CHUNK) -> Path:
    """An image of the model for the machine."""
    path = folder / f"{machine.name}.tw"
    compile_model(
        model,
        machine=write_machine(machine, folder),
        max_context=320,
        chunk=chunk,
        output=path,
        kv_block=KV_BLOCK,
    )
    return path


def run(image: Path) -> np.ndarray:
    """Logits of a prompt of more than one chunk, and of two steps after it."""
    session = Session.load(image)
    prompt = session.prefill(IDS[:308], all_logits=True)
    return np.concatenate([prompt, [session.decode(IDS[308])], [session.decode(IDS[309])]])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny models on disk."""
    root = tmp_path_factory.mktemp("models")
    return {name: write_huggingface(root / name, tiny, "BF16") for name, tiny in MODELS.items()}


@pytest.fixture(scope="module")
def expected(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """The models' logits on the teaching machine, checked against numpy."""
    results: dict[str, np.ndarray] = {}
    for name, path in models.items():
        folder = tmp_path_factory.mktemp("expected")
        results[name] = run(compiled(path, varied({}, "base"), folder))
        reference = from_huggingface(path).forward(IDS)
        bound = 5e-5 * max(1.0, float(reference.std()))
        assert np.abs(results[name] - reference).max() < bound
    return results


@pytest.mark.parametrize("machine", VARIED)
@pytest.mark.parametrize("model", MODELS)
def test_equal_bits_on_varied_machines(
    model: str,
    machine: str,
    models: dict[str, Path],
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    name = machine.replace(", ", "-").replace(" ", "-")
    image = compiled(models[model], varied(VARIED[machine], name), tmp_path)
    np.testing.assert_array_equal(run(image), expected[model])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=random_machines())
def test_equal_bits_or_a_refusal_on_random_machines(
    changes: dict[str, int],
    models: dict[str, Path],
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    machine = varied(changes)
    image, refusal = None, ""
    try:
        image = compiled(models["head 24"], machine, tmp_path)
    except TilewrightError as error:
        refusal = str(error)
    if image is None:
        note(f"refused: {refusal}")
        if "hbm_bytes" in changes and "accumulators" not in refusal:
            assert "do not fit" in refusal
            assert "it would take" in refusal
        else:
            assert "too small" in refusal
            assert "blk." in refusal or "output" in refusal
        return
    np.testing.assert_array_equal(run(image), expected["head 24"])


def test_doubling_the_scratchpad_changes_tiles(tmp_path: Path) -> None:
    """A model of real size, where the scratchpad is what binds."""
    config = ROOT / "samples" / "configs" / "smollm2-135m" / "config.json"
    slots: list[dict[str, int]] = []
    for size in (256 << 10, 512 << 10):
        machine = varied({"spm_bytes": size}, f"spm-{size}")
        path = tmp_path / f"{size}.tw"
        compile_model(config, write_machine(machine, tmp_path), max_context=512, output=path)
        channels = read_image(path).entries["prefill"].channels
        slots.append({channel.name: channel.slot_bytes for channel in channels})
    assert slots[0] != slots[1]
