"""Rows on chip, keys and values at hand: the bits of a step are those of rows in main memory.

Machines that differ in their scratchpad keep all, some or none of a step's rows on chip. Each gives
every sequence of a batch, whoever rests beside it, the bits of one prompt on a machine of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from machines import KIB, MIB, varied, write_machine
from models import Tiny, write_huggingface
from reference_files import from_huggingface

from tilewright.backend.image import read_image
from tilewright.compiler import compile_model
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.compiler.pipeline import passes_for, run_passes
from tilewright.passes.tile.search import DoesNotFitError
from tilewright.runtime import Session

KV_BLOCK = 4
CONTEXT = 14
BATCH = 5
PROMPTS = (0, 1, KV_BLOCK - 1, KV_BLOCK, KV_BLOCK + 1)
"""Positions that the sequences of a batch hold before their first decode step."""
MODELS = {
    "groups of 1, head 80, norms": Tiny("qwen3", heads=2, kv_heads=2, head_dim=80),
    "groups of 2, biases": Tiny(attention_bias=True, mlp_bias=True, tied=False),
    "groups of 3, head 24": Tiny(width=77, heads=6, kv_heads=2, head_dim=24, ffn=100),
    "groups of 8, norms, biases": Tiny("qwen3", heads=8, kv_heads=1, attention_bias=True),
    "head 96, biases": Tiny("qwen2", width=50, heads=2, kv_heads=1, head_dim=96, ffn=37),
}
LARGE = 4 * MIB
"""A scratchpad that keeps all rows of a step."""
LADDER = tuple(n * KIB for n in (96, 64, 48, 40, 32, 28, 24, 20, 16, 14, 12, 10, 8, 6, 5, 4))
"""Smaller ones, to find those that keep less."""
KEPT = {"all": {"handed", "fresh"}, "some": {"handed"}, "none": set[str]()}
"""How much stays on chip, and the rings of the decode entry that show it."""

DECODE = EntryShape("decode", BATCH, 1, CONTEXT)
Logits = np.ndarray
Ladder = dict[str, int]
Build = Callable[..., Path]


def tokens(model: str) -> np.ndarray:
    """Tokens of each sequence, [sequences, positions]."""
    random = np.random.default_rng(list(MODELS).index(model))
    return random.integers(3, 300, (BATCH, CONTEXT))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a model for a scratchpad; each image is made once."""
    root = tmp_path_factory.mktemp("residency")
    known: dict[str, Path] = {}

    def made(model: str, scratchpad: int, batch: int, chunk: int = 3) -> Path:
        name = f"{list(MODELS).index(model)}-{scratchpad}-{batch}-{chunk}"
        if name not in known:
            source = root / model
            if not source.exists():
                write_huggingface(source, MODELS[model], tokenizer=False)
            known[name] = root / f"{name}.tw"
            compile_model(
                source,
                machine=write_machine(varied({"spm_bytes": scratchpad}, name), root),
                max_context=CONTEXT,
                batch=batch,
                chunk=chunk,
                kv_block=KV_BLOCK,
                output=known[name],
            )
        return known[name]

    return made


@pytest.fixture(scope="module")
def alone(build: Build) -> Callable[[str], Logits]:
    """Logits [sequences, positions, vocabulary] of prompts of one launch, checked against numpy."""
    known: dict[str, Logits] = {}

    def made(model: str) -> Logits:
        if model not in known:
            image = build(model, LARGE, 1, CONTEXT)
            reference = from_huggingface(image.parent / model)
            found: list[Logits] = []
            for row in tokens(model):
                ids = [int(token) for token in row]
                logits = Session.load(image).prefill(ids, all_logits=True)
                expected = reference.forward(ids)
                bound = 5e-5 * max(1.0, float(expected.std()))
                assert np.abs(logits - expected).max() < bound
                found.append(logits)
            known[model] = np.stack(found)
        return known[model]

    return made


@pytest.fixture(scope="module")
def ladder(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ladder]:
    """For a model the least scratchpad of the ladder that keeps all, some, and none of a step."""
    folder = tmp_path_factory.mktemp("ladder")

    def made(model: str) -> Ladder:
        loaded = load_model(build(model, LARGE, 1, CONTEXT).parent / model)
        found: Ladder = {}
        for nbytes in LADDER:
            machine = write_machine(varied({"spm_bytes": nbytes}, "rung"), folder)
            passes = passes_for({"machine": machine, "kv_block": KV_BLOCK, "weights": None})
            names = [one.name for _, one in passes]
            tiled: list[str] = []
            for entry in (EntryShape("prefill", BATCH, 3, CONTEXT), DECODE):
                module = loaded.build(entry, "exact")
                try:
                    run_passes(module, passes[: names.index("tile") + 1])
                except DoesNotFitError:
                    return found
                tiled.append(str(module))
            kept = {ring for ring in KEPT["all"] if f'ring "{ring}"' in tiled[1]}
            found[next(name for name, shown in KEPT.items() if shown == kept)] = nbytes
        return found

    return made


def rings(image: Path) -> set[str]:
    """Rings of the decode entry that hold what stays on chip."""
    channels = read_image(image).entries["decode"].channels
    return {channel.name for channel in channels} & {"handed", "fresh"}


class Run:
    """A session whose every logit is compared with those of each sequence alone."""

    def __init__(self, image: Path, ids: np.ndarray, alone: Logits) -> None:
        self.session, self.ids, self.alone = Session.load(image), ids, alone

    def prefill(self, counts: Sequence[int]) -> None:
        """Give each sequence so many more tokens."""
        starts = self.session.lengths
        more = [
            ids[start : start + n].tolist()
            for ids, start, n in zip(self.ids, starts, counts, strict=False)
        ]
        found = self.session.prefill(more, all_logits=True)
        for number, (rows, start, n) in enumerate(zip(found, starts, counts, strict=True)):
            if n:
                np.testing.assert_array_equal(rows, self.alone[number, start : start + n])

    def decode(self, resting: Sequence[int] = ()) -> None:
        """A step of all but the resting sequences, and of those that are full."""
        starts = self.session.lengths
        steps = [
            None if number in resting or start == CONTEXT else int(self.ids[number, start])
            for number, start in enumerate(starts)
        ]
        found = self.session.decode(steps)
        for number, (row, start) in enumerate(zip(found, starts, strict=True)):
            assert (row is None) == (steps[number] is None)
            if row is not None:
                np.testing.assert_array_equal(row, self.alone[number, start])


@pytest.mark.parametrize("model", MODELS)
def test_a_ragged_batch_has_the_bits_of_single_runs(
    model: str, build: Build, alone: Callable[[str], Logits], ladder: Callable[[str], Ladder]
) -> None:
    """Contexts of 0 to more than two KV blocks, each of their borders met by a decode step.

    The same bits whether all, some or none of a step's rows stay on chip.
    """
    scratchpads = ladder(model)
    print(scratchpads)
    assert set(scratchpads) >= {"all", "none"}
    for kept, nbytes in scratchpads.items():
        image = build(model, nbytes, BATCH)
        assert rings(image) == KEPT[kept]
        run = Run(image, tokens(model), alone(model))
        run.prefill(PROMPTS)
        run.decode()
        for resting in ([0], [1, 3], [0, 2, 3, 4], [0, 1, 2, 3], []):
            run.decode(resting)
        run.prefill((2, 0, 1, 0, 0))
        while min(run.session.lengths) < CONTEXT:
            run.decode()
        assert run.session.lengths == (CONTEXT,) * BATCH


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_every_batch_has_the_bits_of_single_runs(
    batch: int, build: Build, alone: Callable[[str], Logits]
) -> None:
    """Token by token from an empty cache, sequences beginning one after another."""
    model = "groups of 3, head 24"
    image = build(model, LARGE, batch)
    assert rings(image) == KEPT["all"]
    own, expected = tokens(model), alone(model)
    order = [number % BATCH for number in range(batch)]
    run = Run(image, own[order], expected[order])
    for step in range(CONTEXT + batch - 1):
        run.decode([number for number in range(batch) if number > step])
    assert run.session.lengths == (CONTEXT,) * batch


@pytest.mark.parametrize("order", ["loads-earliest", "stores-latest", "random:3"])
def test_no_order_of_engines_changes_a_bit(
    order: str, build: Build, alone: Callable[[str], Logits]
) -> None:
    """Keys and values go to the cache behind attention, and the next step loads them."""
    model = "groups of 2, biases"
    run = Run(build(model, LARGE, BATCH), tokens(model), alone(model))
    run.session = Session.load(build(model, LARGE, BATCH), order=order)
    run.prefill(PROMPTS)
    for resting in ([], [1], [], []):
        run.decode(resting)
