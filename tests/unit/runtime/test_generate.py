"""The generation loop, on a model that counts."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tilewright.runtime.generate import generate_tokens
from tilewright.runtime.sampling import Sampling


class Counter:
    """A model of ten tokens whose next token is always the last one plus one."""

    max_context = 6

    def __init__(self) -> None:
        self.cached: list[int] = []

    @property
    def lengths(self) -> tuple[int, ...]:
        return (len(self.cached),)

    def prefill(
        self,
        ids: Sequence[int],
        all_logits: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float32]:
        assert not all_logits
        self.cached += ids
        if progress:
            progress(len(ids), len(ids))
        return np.eye(10, dtype=np.float32)[(self.cached[-1] + 1) % 10]

    def decode(self, ids: int) -> NDArray[np.float32]:
        return self.prefill([ids])


def test_it_counts_and_the_last_token_is_not_cached() -> None:
    model = Counter()
    assert list(generate_tokens(model, [1, 2], 3, Sampling())) == [3, 4, 5]
    assert model.cached == [1, 2, 3, 4]


def test_a_stop_token_is_not_yielded() -> None:
    assert list(generate_tokens(Counter(), [1], 9, Sampling(), stop=[9, 4])) == [2, 3]


def test_a_full_context_ends_it() -> None:
    model = Counter()
    assert list(generate_tokens(model, [1, 2, 3], 99, Sampling())) == [4, 5, 6, 7]
    assert model.lengths == (6,)


def test_no_tokens_wanted_runs_nothing() -> None:
    model = Counter()
    assert list(generate_tokens(model, [1], 0, Sampling())) == []
    assert model.cached == []


def test_progress_covers_the_prompt() -> None:
    seen: list[tuple[int, int]] = []
    list(
        generate_tokens(
            Counter(),
            [1, 2],
            1,
            Sampling(),
            progress=lambda done, total: seen.append((done, total)),
        )
    )
    assert seen == [(2, 2)]
