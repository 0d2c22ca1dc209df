"""From a row of logits to the next token: greedy, temperature, top-k, top-p, by a seed.

In this order: the `top_k` most likely tokens are kept; logits are divided by the temperature and
become chances; the smallest set of most likely tokens that holds `top_p` of the chance is kept;
one is drawn. Ties go to the smaller token id, so results depend on logits and seed alone.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..backend.errors import TilewrightError


class SamplingError(TilewrightError):
    """A sampling option outside its range, or logits that cannot be sampled from."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; the defaults are greedy."""

    temperature: float = 0.0
    """0 takes the most likely token; higher is more varied."""
    top_k: int = 0
    """Draw from this many of the most likely tokens; 0 is all."""
    top_p: float = 1.0
    """Draw from the most likely tokens that together hold this share of the chance."""
    seed: int = 0
    """Start of the random numbers: equal seeds draw equally."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise SamplingError(f"temperature {self.temperature}: must be a finite number from 0")
        if self.top_k < 0:
            raise SamplingError(f"top-k {self.top_k}: must be 0 (all tokens) or more")
        if not 0.0 < self.top_p <= 1.0:
            raise SamplingError(f"top-p {self.top_p}: must be above 0 and at most 1")
        if self.seed < 0:
            raise SamplingError(f"seed {self.seed}: must be 0 or more")


@dataclass
class Sampler:
    """Chooses tokens one after the other; holds the random state of one sequence."""

    sampling: Sampling
    generator: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.sampling.seed)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token id, from one row of logits [vocabulary]."""
        if np.isnan(logits).any():
            raise SamplingError(
                f"logit of token {int(np.isnan(logits).argmax())} is not a number: the model's "
                "weights or its arithmetic overflowed; nothing can be sampled"
            )
        if self.sampling.temperature == 0.0:
            return int(logits.argmax())
        tokens, chances = candidates(logits, self.sampling)
        drawn = self.generator.random() * chances.sum()
        place = int(np.count_nonzero(np.cumsum(chances) <= drawn))
        return int(tokens[min(place, len(tokens) - 1)])


def candidates(
    logits: NDArray[np.float32], sampling: Sampling
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Token ids that may be drawn, most likely first, and their chances (not renormalised)."""
    order = np.argsort(-logits, kind="stable").astype(np.int64)
    if sampling.top_k:
        order = order[: sampling.top_k]
    # The largest is subtracted before the division: a tiny temperature then gives -inf, never NaN.
    distance = logits[order].astype(np.float64) - float(logits[order[0]])
    with np.errstate(over="ignore"):
        chances = np.exp(distance / sampling.temperature)
    chances /= chances.sum()
    before = np.cumsum(chances) - chances
    kept = max(1, int(np.count_nonzero(before < sampling.top_p)))
    return order[:kept], chances[:kept]
