"""How many random examples the tests of this folder try, from which seed, and what came of them.

    TILEWRIGHT_FUZZ_EXAMPLES=500 TILEWRIGHT_FUZZ_SEED=7 pytest -s tests/fuzz

Without these variables a run is short, always the same, and does not shrink what fails. Every test
prints its seed and the ranges that it draws from; a failing example is printed as hypothesis does.
`python tests/fuzz --minutes 10` runs round after round, each with a seed of its own.

A seed gives the same examples in every process: hypothesis would also draw the constants of all
modules of the project that happen to be loaded, which is switched off here.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, event, seed, settings
from hypothesis.internal.conjecture import providers

Test = TypeVar("Test", bound=Callable[..., Any])

EXAMPLES = int(os.environ.get("TILEWRIGHT_FUZZ_EXAMPLES", "0"))
"""Examples of each test; 0: the few that each names."""
SEED = int(os.environ.get("TILEWRIGHT_FUZZ_SEED", "0"))

_handle: Any = providers
if hasattr(_handle, "_get_local_constants"):  # Since hypothesis 6.132.
    _nothing = _handle.Constants()
    _handle._get_local_constants = lambda: _nothing


@dataclass
class Tally:
    """What a test has tried: examples, and why some were refused."""

    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"runs": self.runs, "refused": dict(self.refused), "seed": SEED}


TALLIES: dict[str, Tally] = {}
"""By the name of the test."""
_current = Tally()


def fuzzed(examples: int) -> Callable[[Test], Test]:
    """Run a hypothesis test on `examples` examples, or as many as the environment says."""

    def decorate(test: Test) -> Test:
        limits = settings(
            max_examples=EXAMPLES or examples,
            database=None,
            deadline=None,
            phases=tuple(Phase) if EXAMPLES else (Phase.explicit, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            print_blob=True,
        )
        handle: Any = test
        handle.hypothesis.inner_test = _counted(handle.hypothesis.inner_test)
        return seed(SEED)(limits(test))

    return decorate


def _counted(inner: Callable[..., None]) -> Callable[..., None]:
    tally = TALLIES.setdefault(inner.__name__, Tally())

    @functools.wraps(inner)
    def run(*args: Any, **values: Any) -> None:
        global _current
        _current = tally
        tally.runs += 1
        inner(*args, **values)

    return run


def refusal(kind: str = "refused") -> None:
    """Note that the example that runs was refused, and why."""
    _current.refused[kind] += 1
    event(f"refused: {kind}")


def announce(name: str, ranges: dict[str, str]) -> None:
    """Print what is tried: the seed and the range of everything that is drawn."""
    print(f"\n{name}: seed {SEED}, {EXAMPLES or 'few'} examples")
    for key, text in ranges.items():
        print(f"  {key}: {text}")
