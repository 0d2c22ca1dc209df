"""The emulator and numpy on the same steps of SmolLM2, in turns, in one process with one thread.

    python race.py IMAGE GGUF       (under the environment `child.ONE_THREAD`)

Prints JSON: seconds of each contestant for a decode step and for a prefill. A decode step's time is
the mean over positions of the least of all rounds; a prefill's the least of all rounds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from numpy_forward import FastForward
from reference_files import from_gguf

from tilewright.runtime import Session

CONTEXT = range(63, 15, -3)
"""Positions in the cache before each timed decode step."""
PROMPT = 128
DECODE_ROUNDS = 4
PREFILL_ROUNDS = 3

Step = Callable[[int], object]
"""A decode step with so many positions in the cache, or a prefill (which ignores the number)."""


def race(
    contestants: Mapping[str, Step], points: range, rounds: int, prepare: Mapping[str, Step]
) -> dict[str, float]:
    """Least seconds at each point, averaged over points; contestants alternate round by round.

    `prepare` comes before each round of a contestant, untimed.
    """
    least = {name: np.full(len(points), np.inf) for name in contestants}
    for _ in range(rounds):
        for name, step in contestants.items():
            prepare[name](0)
            for number, point in enumerate(points):
                start = perf_counter()
                step(point)
                least[name][number] = min(least[name][number], perf_counter() - start)
    return {name: float(times.mean()) for name, times in least.items()}


def emulated(session: Session, ids: list[int]) -> tuple[Step, Step]:
    """(decode, prefill) of a session."""

    def decode(position: int) -> object:
        session.truncate(position)
        return session.decode(7)

    def prefill(_: int) -> object:
        session.reset()
        return session.prefill(ids)

    return decode, prefill


def numpy_steps(model: FastForward, ids: list[int]) -> tuple[Step, Step]:
    """(decode, prefill) in numpy."""

    def decode(position: int) -> object:
        model.length = position
        return model.forward([7])

    def prefill(_: int) -> object:
        model.length = 0
        return model.forward(ids)

    return decode, prefill


def _nothing(_: int) -> None:
    """No preparation."""


def main(image: str, gguf: str) -> None:
    """Race, and print the times as JSON."""
    ids = [int(token) for token in np.random.default_rng(0).integers(1, 40000, PROMPT)]
    reference = from_gguf(Path(gguf))
    steps = {
        "emulator": emulated(Session.load(image), ids),
        "numpy, weights by rows": numpy_steps(FastForward(reference, 256, False), ids),
        "numpy, weights by columns": numpy_steps(FastForward(reference, 256, True), ids),
        "emulator, unwritten bytes unchecked": emulated(Session.load(image, checks=False), ids),
    }
    expected = reference.forward(ids)[-1]
    unit = max(1.0, float(expected.std()))
    errors: dict[str, float] = {}
    for name, (_, first) in steps.items():
        found = np.asarray(first(0))
        errors[name] = float(np.abs(found - expected).max()) / unit
    decode = {name: two[0] for name, two in steps.items()}
    prefill = {name: two[1] for name, two in steps.items()}
    prefills = race(prefill, range(1), PREFILL_ROUNDS, dict.fromkeys(steps, _nothing))
    decodes = race(decode, CONTEXT, DECODE_ROUNDS, prefill)
    print(json.dumps({"decode": decodes, "prefill": prefills, "error": errors}))


if __name__ == "__main__":
    main(*sys.argv[1:])
