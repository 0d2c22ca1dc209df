"""Wrong semantics, planted one by one in the reference: each must fail the test of the right one.

The effect of each is printed in tolerances; below three of them a comparison would not be trusted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models import Tiny, write_huggingface
from reference import PLANTS, Cache, Reference
from reference_files import from_huggingface

from tilewright.compiler import compile_model
from tilewright.runtime import Session

TOLERANCE = 5e-5
LEAST = 3.0
IDS = [int(i) for i in np.random.default_rng(11).integers(3, 300, 24)]
SPLIT = 14
"""The prompt; the tokens behind it come as decode steps, so that plants in the cache show."""

MODELS = {
    "llama": Tiny(heads=6, kv_heads=2, head_dim=24, eps=1e-3),
    "llama untied": Tiny(tied=False),
    "llama 3 rope": Tiny(
        scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
    ),
    "qwen2": Tiny(family="qwen2", tied=False),
    "qwen3": Tiny(family="qwen3", head_dim=32),
}


def steps(forward: Reference) -> np.ndarray:
    """Logits of all positions, prompt first, then token by token."""
    cache = Cache(forward.config)
    rows = [forward.forward(IDS[:SPLIT], cache)]
    rows += [forward.forward([token], cache) for token in IDS[SPLIT:]]
    return np.concatenate(rows)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Reference, np.ndarray]]:
    """Each model's reference, and the emulator's logits of the same steps."""
    found: dict[str, tuple[Reference, np.ndarray]] = {}
    for name, tiny in MODELS.items():
        folder = tmp_path_factory.mktemp("plants")
        path = write_huggingface(folder / "model", replace(tiny, seed=3), "F32")
        compile_model(path, machine="tw-small", max_context=32, chunk=8, output=folder / "m.tw")
        session = Session.load(folder / "m.tw")
        rows = [session.prefill(IDS[:SPLIT], all_logits=True)]
        rows += [session.decode(token)[None] for token in IDS[SPLIT:]]
        found[name] = from_huggingface(path), np.concatenate(rows)
    return found


def tolerances(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in tolerances; a value that is no number counts as infinite."""
    difference = np.abs(found.astype(np.float64) - expected)
    unit = TOLERANCE * max(1.0, float(np.nanstd(found)))
    return float("inf") if np.isnan(difference).any() else float(difference.max()) / unit


@pytest.mark.parametrize("model", MODELS)
def test_the_right_semantics_pass(
    model: str, runs: dict[str, tuple[Reference, np.ndarray]]
) -> None:
    reference, found = runs[model]
    assert tolerances(found, steps(reference)) < 1


@pytest.mark.parametrize("plant", PLANTS)
def test_a_wrong_semantics_fails(plant: str, runs: dict[str, tuple[Reference, np.ndarray]]) -> None:
    """On every model that has the feature."""
    shown = [name for name, (reference, _) in runs.items() if reference.shows(plant)]
    assert shown, f"no model shows {plant}"
    for name in shown:
        reference, found = runs[name]
        effect = tolerances(found, steps(reference.planted(plant)))
        print(f"{plant} on {name}: {effect:.3g} tolerances")
        assert effect >= LEAST
