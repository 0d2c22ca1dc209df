"""Random models on random machines: logits against numpy, ragged batches against single runs.

Each example is compiled, or refused with the operation that does not fit. The calls of a batch give
every sequence the bits that it has alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import event, given, note
from long_runs import announce, fuzzed, refusal
from machines import random_machines, varied, write_machine
from models import write_huggingface
from random_models import RANGES, Example, examples
from reference import Cache, Reference
from reference_files import from_huggingface

from tilewright.backend.errors import TilewrightError
from tilewright.backend.formats import dequantise, quantise
from tilewright.compiler import compile_model
from tilewright.runtime import Session

Logits = np.ndarray
TOLERANCES = {"exact": 5e-5, "bf16": 0.2}
"""Policy -> largest error of a logit, in units of max(1, standard deviation)."""
SLOW_SHARE = 4
"""One in so many examples runs on the reference engine, and as many on both: equal bits."""


def test_ranges() -> None:
    announce("test_models", RANGES | {"machine, beside tw-small": str(random_machines())})


@fuzzed(8)
@given(example=examples())
def test_a_random_model_gives_the_logits_of_numpy(example: Example) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_huggingface(
            folder / "model", example.model, example.dtype, example.shards, tokenizer=False
        )
        image = compiled(example, model, folder)
        if image is None:
            return
        reference = quantised(from_huggingface(model), example.weights)
        engine = "fast" if example.model.seed % SLOW_SHARE else "reference"
        event(f"engine {engine}, policy {example.policy}")
        session = Session.load(image, engine=engine)
        logits = run(session, example.ids())
        check_values(example, reference, logits)
        check_single_runs(example, session, logits)
        if example.model.seed % SLOW_SHARE == 1:
            again = run(Session.load(image, engine="reference", order="random:3"), example.ids())
            for found, expected in zip(again, logits, strict=True):
                np.testing.assert_array_equal(found, expected)


def compiled(example: Example, model: Path, folder: Path) -> Path | None:
    """The image; None where the machine is too small, which the error must say of an operation."""
    image = folder / "m.tw"
    try:
        compile_model(
            model,
            machine=write_machine(varied(example.machine), folder),
            max_context=example.context,
            policy=example.policy,
            batch=example.batch,
            chunk=example.chunk,
            output=image,
            kv_block=example.kv_block,
            weights=example.weights,
        )
    except TilewrightError as error:
        said = str(error)
        note(f"refused: {said}")
        if "hbm_bytes" in example.machine:
            assert "do not fit" in said
            assert "it would take" in said
        else:
            assert "too small" in said
            assert "blk." in said or "output" in said
        refusal("too small a machine")
        assert not image.exists()
        return None
    return image


def quantised(reference: Reference, weights: str | None) -> Reference:
    """The reference with the rows that a format makes of its matmuls' parameters."""
    if weights is None:
        return reference
    arrays = dict(reference.weights)
    if "lm_head.weight" not in arrays:
        arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"]
    for name, rows in arrays.items():
        if name.endswith("proj.weight") or name == "lm_head.weight":
            arrays[name] = dequantise(quantise(weights, rows))
    return Reference(reference.config, arrays)


def run(session: Session, calls: list[list[list[int]]]) -> list[Logits]:
    """Logits [tokens, vocabulary] of each sequence, all calls joined."""
    parts: list[list[Logits]] = [[] for _ in range(session.batch)]
    for call in calls:
        if max(map(len, call)) == 1:
            found = session.decode([ids[0] if ids else None for ids in call])
            found = [None if row is None else row[None] for row in found]
        else:
            found = session.prefill(call, all_logits=True)
        for sequence, rows in enumerate(found):
            if rows is not None:
                parts[sequence].append(rows)
    empty = np.zeros((0, session.vocabulary), np.float32)
    return [np.concatenate([empty, *part]) for part in parts]


def check_values(example: Example, reference: Reference, logits: list[Logits]) -> None:
    """Every logit of every sequence within the policy's tolerance."""
    for sequence, found in enumerate(logits):
        cache = Cache(reference.config)
        ids = [call[sequence] for call in example.ids() if call[sequence]]
        if not ids:
            assert not found.size
            continue
        expected = np.concatenate([reference.forward(part, cache) for part in ids])
        error = float(np.abs(found - expected).max()) / max(1.0, float(expected.std()))
        note(f"sequence {sequence}: error {error:.2g}")
        assert error < TOLERANCES[example.policy]


def check_single_runs(example: Example, session: Session, logits: list[Logits]) -> None:
    """Each sequence has the same bits with no other in its launches."""
    for sequence, together in enumerate(logits):
        session.reset()
        alone = [
            [ids if number == sequence else [] for number, ids in enumerate(call)]
            for call in example.ids()
            if call[sequence]
        ]
        np.testing.assert_array_equal(run(session, alone)[sequence], together)
