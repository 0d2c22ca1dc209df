"""Sampling: what each option keeps, ties, seeds, and options out of range."""

import numpy as np
import pytest

from tilewright.runtime.sampling import Sampler, Sampling, SamplingError, candidates

LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.3], np.float32))


def draw(sampling: Sampling, count: int) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.choose(LOGITS) for _ in range(count)]


def test_greedy_takes_the_first_of_the_largest() -> None:
    assert Sampler(Sampling()).choose(np.array([1, 3, 3, 2], np.float32)) == 1


def test_chances_follow_the_softmax() -> None:
    counts = np.bincount(draw(Sampling(temperature=1.0), 4000), minlength=4) / 4000
    np.testing.assert_allclose(counts, [0.1, 0.4, 0.2, 0.3], atol=0.03)


def test_temperature_sharpens() -> None:
    tokens, chances = candidates(LOGITS, Sampling(temperature=0.5))
    assert tokens.tolist() == [1, 3, 2, 0]
    np.testing.assert_allclose(chances, np.array([16, 9, 4, 1]) / 30, rtol=1e-5)


def test_a_tiny_temperature_is_greedy() -> None:
    assert set(draw(Sampling(temperature=1e-300), 20)) == {1}


@pytest.mark.parametrize(("top_k", "kept"), [(1, [1]), (2, [1, 3]), (9, [1, 3, 2, 0])])
def test_top_k(top_k: int, kept: list[int]) -> None:
    assert candidates(LOGITS, Sampling(temperature=1.0, top_k=top_k))[0].tolist() == kept


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, [1]), (0.6, [1, 3]), (1.0, [1, 3, 2, 0])])
def test_top_p(top_p: float, kept: list[int]) -> None:
    assert candidates(LOGITS, Sampling(temperature=1.0, top_p=top_p))[0].tolist() == kept


def test_top_p_counts_what_top_k_left() -> None:
    sampling = Sampling(temperature=1.0, top_k=2, top_p=0.57)
    assert candidates(LOGITS, sampling)[0].tolist() == [1]


def test_ties_go_to_the_smaller_id() -> None:
    flat = np.zeros(5, np.float32)
    assert candidates(flat, Sampling(temperature=1.0, top_k=3))[0].tolist() == [0, 1, 2]


def test_a_seed_repeats_and_another_differs() -> None:
    first = draw(Sampling(temperature=1.0, seed=7), 50)
    assert first == draw(Sampling(temperature=1.0, seed=7), 50)
    assert first != draw(Sampling(temperature=1.0, seed=8), 50)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"temperature": -1.0}, "temperature -1.0: must be a finite number from 0"),
        ({"temperature": float("nan")}, "temperature nan: must be a finite number from 0"),
        ({"top_k": -1}, "top-k -1: must be 0 (all tokens) or more"),
        ({"top_p": 0.0}, "top-p 0.0: must be above 0 and at most 1"),
        ({"seed": -1}, "seed -1: must be 0 or more"),
    ],
)
def test_options_out_of_range(options: dict[str, float], text: str) -> None:
    with pytest.raises(SamplingError) as caught:
        Sampling(**options)  # pyright: ignore[reportArgumentType]
    assert str(caught.value) == text


def test_a_logit_that_is_not_a_number() -> None:
    with pytest.raises(SamplingError, match="logit of token 2 is not a number"):
        Sampler(Sampling()).choose(np.array([0, 1, np.nan, 2], np.float32))
