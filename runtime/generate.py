"""Generation: the loop from logits to tokens."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .sampling import Sampler, Sampling


class Extends(Protocol):
    """What generation needs of a session: sequence 0 of it."""

    @property
    def lengths(self) -> tuple[int, ...]: ...
    @property
    def max_context(self) -> int: ...
    def prefill(
        self,
        ids: Sequence[int],
        all_logits: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float32]: ...
    def decode(self, ids: int) -> NDArray[np.float32]: ...


def generate_tokens(
    session: Extends,
    ids: Sequence[int],
    max_tokens: int,
    sampling: Sampling,
    stop: Sequence[int] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[int]:
    """Append `ids` to sequence 0 and yield up to `max_tokens` chosen tokens.

    A token in `stop` ends it and is not yielded; a full context ends it. A token enters the cache
    when its successor is asked for, so the last one yielded is not in it. `progress` is told how
    much of the prompt is done.
    """
    if max_tokens < 1:
        return
    sampler = Sampler(sampling)
    stops = frozenset(stop)
    logits = session.prefill(ids, progress=progress)
    for count in range(1, max_tokens + 1):
        token = sampler.choose(logits)
        if token in stops:
            return
        yield token
        if count == max_tokens or session.lengths[0] == session.max_context:
            return
        logits = session.decode(token)
