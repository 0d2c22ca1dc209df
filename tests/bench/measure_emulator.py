"""Prints decode and prefill times of the emulator and of numpy as JSON: MODEL.gguf IMAGE."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from reference import Cache, Reference
from reference_files import from_gguf

from tilewright.compiler import compile_model
from tilewright.runtime import Session


def alternating(
    first: Callable[[], object], second: Callable[[], object], runs: int
) -> list[float]:
    """Milliseconds of both, the minimum of runs that take turns."""
    times = [float("inf")] * 2
    for _ in range(runs):
        for number, run in enumerate((first, second)):
            start = time.perf_counter()
            run()
            times[number] = min(times[number], 1e3 * (time.perf_counter() - start))
    return times


def last_logits(reference: Reference, ids: list[int]) -> None:
    """A forward pass whose head sees the last position only."""
    weights = dict(reference.weights)
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    width = reference.config.width
    weights["lm_head.weight"] = np.eye(1, width, dtype=np.float32)
    Reference(reference.config, weights).forward(ids)
    head_input = np.ones((1, width), np.float32)
    np.matmul(head_input, head.T)


def main() -> None:
    """Compile, warm up, measure."""
    model, image = map(Path, sys.argv[1:3])
    compile_model(model, max_context=256, output=image)
    reference, session = from_gguf(model), Session.load(image)
    ids = [int(i) for i in np.random.default_rng(0).integers(1, 40000, 128)]

    def emulated_prefill() -> None:
        session.reset()
        session.prefill(ids)

    emulated_prefill()
    prefill = alternating(emulated_prefill, lambda: last_logits(reference, ids), 4)
    cache = Cache(reference.config)
    reference.forward(ids[:32], cache)
    session.reset()
    session.prefill(ids[:32])
    decode = alternating(lambda: session.decode(7), lambda: reference.forward([7], cache), 25)
    print(
        json.dumps(
            {
                "decode_ms": decode[0],
                "numpy_decode_ms": decode[1],
                "prefill_ms": prefill[0],
                "numpy_prefill_ms": prefill[1],
            }
        )
    )


main()
