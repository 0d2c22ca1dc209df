"""How many random examples the tests of this folder try, and from which seed.

    TILEWRIGHT_FUZZ_EXAMPLES=500 TILEWRIGHT_FUZZ_SEED=7 pytest -s tests/fuzz

Without these variables a run is short, always the same, and does not shrink what fails. Every test
prints its seed and the ranges that it draws from; a failing example is printed as hypothesis does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, seed, settings

Test = TypeVar("Test", bound=Callable[..., Any])

EXAMPLES = int(os.environ.get("TILEWRIGHT_FUZZ_EXAMPLES", "0"))
"""Examples of each test; 0: the few that each names."""
SEED = int(os.environ.get("TILEWRIGHT_FUZZ_SEED", "0"))


def fuzzed(examples: int) -> Callable[[Test], Test]:
    """Run a hypothesis test on `examples` examples, or as many as the environment says."""

    def decorate(test: Test) -> Test:
        limits = settings(
            max_examples=EXAMPLES or examples,
            database=None,
            phases=tuple(Phase) if EXAMPLES else (Phase.explicit, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            print_blob=True,
        )
        return seed(SEED)(limits(test))

    return decorate


def announce(name: str, ranges: dict[str, str]) -> None:
    """Print what is tried: the seed and the range of everything that is drawn."""
    print(f"\n{name}: seed {SEED}, {EXAMPLES or 'few'} examples")
    for key, text in ranges.items():
        print(f"  {key}: {text}")
