"""Damaged images that are run: a fault by name, or an end, the same on both engines.

The digests fit the damage, so that nothing but the checks of loader and engines stands between it
and the memory of the process. Each image runs in a process of its own: first on the reference
engine, at most STEPS instructions, then, if that came to an end, on the fast engine.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apart import called_apart
from damage import HOSTILE_WORDS, MEMORY, damaged_json
from hostile_programs import hostile_program
from hypothesis import event, given
from hypothesis import strategies as st
from long_runs import announce, fuzzed, refusal
from models import Tiny, write_huggingface

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image, read_image, rewrite_digest
from tilewright.backend.image.container import Header, header_bytes, read_header
from tilewright.compiler import compile_model
from tilewright.runtime import Session
from tilewright.runtime.functional import emulator
from tilewright.runtime.functional.reference import EngineState, ReferenceEngine

TINY = Tiny(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, ffn=16, vocab=20)
STEPS = 20_000
"""Instructions that a damaged image may take; a whole one takes about a thousand."""
SECONDS = 60
PROMPT = [3, 1, 4]
SEEDS = st.integers(0, 2**32 - 1)


class LongRun(TilewrightError):
    """More than STEPS instructions: an image may well have them."""


class BoundedEngine(ReferenceEngine):
    """The reference engine for so many instructions."""

    left = STEPS

    def _step(self, engine: EngineState) -> bool:
        self.left -= 1
        if self.left < 0:
            raise LongRun(f"more than {STEPS} instructions")
        return super()._step(engine)


def test_ranges() -> None:
    announce(
        "test_damaged_runs",
        {
            "damage": "1 to 3 of: a bit or a hostile number in instructions, views, constants, "
            "weights; or a value of the tables",
            "programs": "1 to 3 numbers of instructions, views and tables are others",
            "limits": f"{STEPS} instructions, {SECONDS} s, {MEMORY >> 20} MiB",
        },
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled image that has run on both engines."""
    root = tmp_path_factory.mktemp("image")
    model = write_huggingface(root / "model", TINY, "F32", tokenizer=False)
    compile_model(model, "tw-small", max_context=8, chunk=2, output=root / "m.tw")
    whole = read_image(root / "m.tw")
    assert run(whole, "reference") == run(whole, "fast")
    return root / "m.tw"


def run(image: Image, engine: str) -> list[str | dict[str, int]]:
    """What each launch of a prompt and two tokens gives, as text: logits, or what is refused."""
    found: list[str | dict[str, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator, "ReferenceEngine", BoundedEngine)
        try:
            session = Session(image, engine)
            launches: list[Callable[[], Any]] = [
                lambda: session.prefill(PROMPT),
                lambda: session.decode(1),
                lambda: session.decode(5),
            ]
            for launch in launches:
                found.append(np.nan_to_num(launch(), nan=12345.0).tobytes().hex())
                found.append(dict(session.executed))
        except LongRun:
            found.append("long")
        except TilewrightError as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def damaged(path: Path, out: Path, seed: int) -> None:
    """Write an image with another value in its tables, or other bytes in its small tensors."""
    rng, header = random.Random(seed), read_header(path)
    metadata, data = dict(header.metadata), bytearray(path.read_bytes()[header.data_start :])
    if rng.random() < 0.25:
        metadata["image"] = damaged_json(metadata["image"], seed // 4 * 4)
    else:
        for _ in range(rng.randint(1, 3)):
            _damage_word(data, header, rng)
    out.write_bytes(header_bytes(metadata, header.tensors) + data)


def _damage_word(data: bytearray, header: Header, rng: random.Random) -> None:
    """A bit or a hostile number in a tensor: streams, views, constants or weights."""
    tensor = rng.choice([one for one in header.tensors.values() if one.nbytes])
    width = rng.choice((1, 2, 4, 8))
    at = tensor.start + rng.randrange(max(1, tensor.nbytes // width)) * width
    if rng.random() < 0.5:
        data[at] ^= 1 << rng.randrange(8)
    else:
        word = rng.choice(HOSTILE_WORDS) & ((1 << 8 * width) - 1)
        end = min(at + width, tensor.stop)
        data[at:end] = word.to_bytes(width, "little")[: end - at]


def both(make: Callable[[], Image]) -> list[Any]:
    """What becomes of an image on the reference engine and, if that ends, on the fast one."""
    warnings.simplefilter("ignore", RuntimeWarning)
    try:
        image = make()
    except TilewrightError as error:
        return [[f"unread: {error}"]] * 2
    wanted = run(image, "reference")
    return [wanted, wanted if wanted[-1] == "long" else run(image, "fast")]


def judge(make: Callable[[], Image]) -> None:
    """Run an image apart, compare the engines, and count what came of it."""
    wanted, found = called_apart(lambda: both(make), SECONDS)
    # The fast engine asks for the room of the largest operands before the first instruction.
    assert found == wanted or str(found[-1]).startswith("HostMemoryError")
    last = wanted[-1]
    kind = re.split(r":| fault", last)[0] if isinstance(last, str) else "end"
    kind = last.split(":")[1].split(" at ")[0].strip() if kind == "Fault" else kind
    event(kind)
    if kind != "end":
        refusal(kind)


@fuzzed(6)
@given(seed=SEEDS)
def test_an_image_of_damaged_bytes_ends_or_is_refused(seed: int, image: Path) -> None:
    path = image.with_name("damaged.tw")
    damaged(image, path, seed)

    def make() -> Image:
        rewrite_digest(path)
        return read_image(path)

    judge(make)


@fuzzed(20)
@given(seed=SEEDS)
def test_an_image_of_hostile_programs_ends_or_is_refused(seed: int, image: Path) -> None:
    whole, rng = read_image(image), random.Random(seed)

    def make() -> Image:
        name = rng.choice(list(whole.entries))
        program = hostile_program(whole.entries[name], rng)
        return replace(whole, entries=whole.entries | {name: program})

    judge(make)
