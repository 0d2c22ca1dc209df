"""How far the emulated logits are from float32, under both policies, and what that could hide.

Policy `exact` is held to its tolerance by `tests/e2e/test_smollm2.py`; here its errors stand beside
those of `bf16`, which has no tolerance but is defined to the bit by the tile interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from child import CompileRun, measure_compile
from figures import Report
from models import write_huggingface
from reference import PLANTS, Array, Reference
from reference_files import from_gguf, from_huggingface
from test_plants import IDS, LEAST, MODELS, SPLIT, steps
from test_smollm2 import PROMPTS, TOLERANCE
from xdsl.parser import Parser

from tilewright.backend.image import read_image
from tilewright.compiler import compile_model
from tilewright.compiler.check import stored
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects.context import context
from tilewright.runtime import Session
from tilewright.runtime.launch import Launch
from tilewright.runtime.session import open_emulators
from tilewright.runtime.tokenizer import Tokenizer

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
LINES = "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet"
LAUNCHES = (
    ("prefill", (20, 7)),
    ("prefill", (0, 9)),
    ("decode", (1, 1)),
    ("decode", (1, 0)),
)
"""Entry, and new tokens of each of two sequences."""
HEAD = ("prompt", "tokens", "deviation", "exact", "/ tolerance", "bf16", "/ deviation", "same top")


def row(prompt: str, exact: Array, rounded: Array, expected: Array) -> tuple[str, ...]:
    """A line of the table: logits [tokens, vocabulary] of both policies, and of float32."""
    deviation = float(expected.std())
    found = [float(np.abs(logits - expected).max()) for logits in (exact, rounded)]
    same = float((rounded.argmax(-1) == expected.argmax(-1)).mean())
    return (
        prompt,
        f"{len(expected)}",
        f"{deviation:.2f}",
        f"{found[0]:.1e}",
        f"{found[0] / (TOLERANCE * max(1.0, deviation)):.3f}",
        f"{found[1]:.2f}",
        f"{found[1] / deviation:.3f}",
        f"{same:.0%}",
    )


def all_logits(image: Path, ids: Sequence[int]) -> Array:
    """Logits of every position of one prompt."""
    return Session.load(image).prefill(ids, all_logits=True)


def test_smollm2(smollm2: Path, smollm2_run: CompileRun, tmp_path: Path, report: Report) -> None:
    """Largest error of a logit over all positions of each prompt."""
    exact = smollm2_run.image
    rounded = measure_compile(smollm2, tmp_path / "bf16.tw", 512, "bf16").image
    tokenizer, reference = Tokenizer(read_image(exact).tokenizer or {}), from_gguf(smollm2)
    rows: list[tuple[str, ...]] = []
    for prompt, text in PROMPTS.items():
        ids = tokenizer.encode(text)
        both = all_logits(exact, ids), all_logits(rounded, ids)
        rows.append(row(prompt, *both, reference.forward(ids)))
    report.line("SmolLM2-135M, largest error of a logit against float32")
    report.table(HEAD, rows)


def test_sample(tmp_path: Path, report: Report) -> None:
    """The same of the sample model."""
    images = {policy: tmp_path / f"{policy}.tw" for policy in ("exact", "bf16")}
    for policy, image in images.items():
        compile_model(SAMPLE, max_context=128, policy=policy, output=image)
    ids = Tokenizer(read_image(images["exact"]).tokenizer or {}).encode(LINES)
    both = all_logits(images["exact"], ids), all_logits(images["bf16"], ids)
    report.line("sample model, largest error of a logit against float32")
    report.table(HEAD, [row("lines", *both, from_huggingface(SAMPLE).forward(ids))])


@pytest.mark.parametrize("machine", ["tw-1", "tw-small"])
def test_bf16_is_the_tile_interpreters(machine: str, tmp_path: Path, report: Report) -> None:
    """Logits, keys and values, in ragged launches on a cache that grows."""
    path, dump = tmp_path / "sample.tw", tmp_path / "ir"
    compile_model(SAMPLE, machine, 48, "bf16", batch=2, chunk=24, output=path, dump_ir=dump)
    weights = load_model(SAMPLE).weights
    emulators = open_emulators(read_image(path), "fast", "sequential", True)
    modules = {
        entry: Parser(context(), next((dump / entry).glob("*-allocate.mlir")).read_text())
        for entry in emulators
    }
    parsed = {entry: parser.parse_module() for entry, parser in modules.items()}
    random, cached = np.random.default_rng(5), (0, 0)
    state: dict[str, Array] = {}
    compared = 0
    for entry, counts in LAUNCHES:
        tokens = tuple(tuple(random.integers(1, 768, n).tolist()) for n in counts)
        launch = Launch(tokens, cached, tuple(range(sum(counts))))
        emulator, used = emulators[entry], len(launch.packed)
        words = emulator.program.region("tokens").nbytes // 4
        given = {name: np.zeros(words, np.int32) for name in ("tokens", "logit_index")}
        given["tokens"][:used] = launch.packed
        given["logit_index"][:used] = launch.logit_rows
        for name, values in given.items():
            emulator.write(name, values)
        emulator.run(launch.parameters())
        data = stored(parsed[entry], weights) | given | state
        expected = run_tile(parsed[entry], data, launch.parameters())
        state = {name: expected[name] for name in ("k_cache", "v_cache")}
        cached = tuple(held + n for held, n in zip(cached, counts, strict=True))
        pairs = [(emulator.read("logits", np.uint32), expected["logits"].view(np.uint32))]
        pairs = [(a.reshape(b.shape)[:used], b[:used]) for a, b in pairs]
        for name, wanted in state.items():
            bits = wanted.view(np.uint16)
            found = emulator.read(name, np.uint16).reshape(bits.shape)
            pairs += [(found[:, b, :, :n], bits[:, b, :, :n]) for b, n in enumerate(cached)]
        for found, wanted in pairs:
            np.testing.assert_array_equal(found, wanted)
            compared += found.size
    report.line(f"bf16 on {machine}: {len(LAUNCHES)} launches, {compared} values, all bits equal")


def largest(found: Array, expected: Array) -> float:
    """The largest difference; a value that is no number counts as infinite."""
    difference = np.abs(found.astype(np.float64) - expected)
    return float("inf") if np.isnan(difference).any() else float(difference.max())


def emulated_steps(folder: Path, name: str, policy: str) -> tuple[Reference, Array]:
    """A model of `test_plants`, and its emulated logits of the same steps under a policy."""
    path = write_huggingface(folder / "model", replace(MODELS[name], seed=3), "F32")
    image = folder / "m.tw"
    compile_model(path, "tw-small", 32, policy, chunk=8, output=image)
    session = Session.load(image)
    rows = [session.prefill(IDS[:SPLIT], all_logits=True)]
    rows += [session.decode(token)[None] for token in IDS[SPLIT:]]
    return from_huggingface(path), np.concatenate(rows)


def test_wrong_semantics_that_bf16_hides(tmp_path: Path, report: Report) -> None:
    """Effects of planted mistakes in units of bf16's own error, which any tolerance must allow."""
    effects: dict[str, list[tuple[float, float, str]]] = {plant: [] for plant in PLANTS}
    for number, name in enumerate(MODELS):
        reference, found = emulated_steps(tmp_path / str(number), name, "bf16")
        right = steps(reference)
        own = largest(found, right)
        tolerance = TOLERANCE * max(1.0, float(right.std()))
        report.line(f"{name}: bf16's error {own:.2e}, {own / tolerance:.0f} tolerances of exact")
        for plant in PLANTS:
            if reference.shows(plant):
                wrong = steps(reference.planted(plant))
                effect = largest(found, wrong) / own, largest(right, wrong) / tolerance, name
                effects[plant].append(effect)
    weakest = sorted((min(shown), plant) for plant, shown in effects.items())
    hidden = [one for one in weakest if one[0][0] < LEAST]
    rest = weakest[len(hidden) :]
    report.line(f"hidden where a plant's effect is below {LEAST:g} errors of bf16; on the model")
    report.line("where it is weakest:")
    report.table(
        ("plant", "model", "errors of bf16", "tolerances of exact"),
        [(plant, on, f"{own:.2f}", f"{exact:.0f}") for (own, exact, on), plant in hidden],
    )
    report.line(f"visible: {len(rest)} others, {rest[0][0][0]:.1f} ({rest[0][1]}) errors or more")
    assert all(exact >= LEAST for (_, exact, _), _ in weakest)
