"""Sessions on the emulator: the sample model against numpy, and equal bits however tokens come."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reference_files import from_huggingface

from tilewright.compiler import compile_model
from tilewright.runtime import Session

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
TOKENS = [int(token) for token in np.random.default_rng(0).integers(1, 768, 100)]
TOLERANCE = 5e-5
"""Of the standard deviation of the logits."""

Logits = NDArray[np.float32]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model for three sequences, in chunks of 16 tokens."""
    path = tmp_path_factory.mktemp("session") / "sample.tw"
    compile_model(SAMPLE, max_context=96, batch=3, chunk=16, output=path)
    return path


@pytest.fixture(scope="module")
def expected() -> Logits:
    """Logits of the first 60 tokens, by numpy."""
    return from_huggingface(SAMPLE).forward(TOKENS[:60])


@pytest.fixture(scope="module")
def single(image: Path) -> Logits:
    """Logits of the first 60 tokens, as one prompt."""
    return Session.load(image).prefill(TOKENS[:60], all_logits=True)


def test_a_prompt_of_several_chunks(single: Logits, expected: Logits) -> None:
    assert np.abs(single - expected).max() < TOLERANCE * expected.std()


def test_token_by_token(image: Path, single: Logits) -> None:
    session = Session.load(image)
    for position, token in enumerate(TOKENS[:20]):
        np.testing.assert_array_equal(session.decode(token), single[position])


def test_other_chunks_other_machine(tmp_path: Path, single: Logits) -> None:
    path = tmp_path / "other.tw"
    compile_model(SAMPLE, machine="tw-small", max_context=64, chunk=23, output=path, kv_block=32)
    again = tmp_path / "again.tw"
    compile_model(SAMPLE, max_context=64, chunk=64, output=again, kv_block=32)
    logits = Session.load(path).prefill(TOKENS[:60], all_logits=True)
    np.testing.assert_array_equal(logits, Session.load(again).prefill(TOKENS[:60], all_logits=True))
    assert np.abs(logits - single).max() < 1e-5 * single.std()


def test_ragged_batches_equal_single_runs(image: Path, single: Logits) -> None:
    """Lengths 1, 37 and 0 in one call, then others, then a step in which one rests."""
    session = Session.load(image)
    first, second, third = session.prefill([TOKENS[:1], TOKENS[:37], []], all_logits=True)
    np.testing.assert_array_equal(first, single[:1])
    np.testing.assert_array_equal(second, single[:37])
    assert third is None
    first, second, third = session.prefill([TOKENS[1:20], [], TOKENS[:3]])
    np.testing.assert_array_equal(first, single[19])
    assert second is None
    np.testing.assert_array_equal(third, single[2])
    first, second, third = session.decode([TOKENS[20], TOKENS[37], None])
    np.testing.assert_array_equal(first, single[20])
    np.testing.assert_array_equal(second, single[37])
    assert third is None
    assert session.lengths == (21, 38, 3)


def test_rolled_back_tokens_leave_no_trace(image: Path, single: Logits) -> None:
    session = Session.load(image)
    session.prefill([*TOKENS[:10], 5, 6, 7, 8])
    session.truncate(10)
    np.testing.assert_array_equal(session.decode(TOKENS[10]), single[10])
    session.reset()
    np.testing.assert_array_equal(session.prefill(TOKENS[:5]), single[4])


@pytest.mark.parametrize("order", ["loads-earliest", "stores-latest", "random:1", "random:2"])
def test_every_order_gives_the_same_bits(image: Path, single: Logits, order: str) -> None:
    logits = Session.load(image, order=order).prefill(TOKENS[:20], all_logits=True)
    np.testing.assert_array_equal(logits, single[:20])


def test_both_engines_give_the_same_bits(image: Path, single: Logits) -> None:
    session = Session.load(image, engine="reference")
    np.testing.assert_array_equal(session.prefill(TOKENS[:20], all_logits=True), single[:20])
    np.testing.assert_array_equal(session.decode(TOKENS[20]), single[20])


def test_up_to_the_last_position(image: Path) -> None:
    session = Session.load(image)
    tokens = list(session.generate(TOKENS[:94], 50))
    assert len(tokens) == 3
    assert session.lengths == (96, 0, 0)


def test_a_full_sequence_rests_while_another_goes_on(image: Path, single: Logits) -> None:
    session = Session.load(image)
    session.prefill([TOKENS[:96], TOKENS[:3], []])
    assert session.lengths == (96, 3, 0)
    _, second, _ = session.decode([None, TOKENS[3], None])
    np.testing.assert_array_equal(second, single[3])
