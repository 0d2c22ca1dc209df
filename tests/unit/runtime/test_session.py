"""Sessions on a stand-in for the emulator: what is launched, what comes back, what is refused.

The stand-in keeps tokens where a model keeps keys and values; the logits of a row are random
numbers seeded by all tokens up to it. So equal histories give equal logits, however they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image
from tilewright.backend.isa import Parameter, Program, Region
from tilewright.runtime import session as module
from tilewright.runtime.launch import SessionError
from tilewright.runtime.sampling import Sampling
from tilewright.runtime.session import Session

CONTEXT, VOCABULARY = 20, 11


def logits_after(history: Sequence[int]) -> NDArray[np.float32]:
    return np.random.default_rng(list(history)).standard_normal(VOCABULARY).astype(np.float32)


def program(batch: int, chunk: int, rows: int) -> Program:
    parameters = [
        Parameter("rows", 0, 1, 0, rows),
        Parameter("logit_rows", 1, 1, 0, rows),
        Parameter("row_start", 2, batch, 0, rows),
        Parameter("q_len", 2 + batch, batch, 0, chunk),
        Parameter("kv_len", 2 + 2 * batch, batch, 0, CONTEXT - 1),
    ]
    regions = [
        Region("tokens", "hbm", 0, 4 * rows, "input"),
        Region("logit_index", "hbm", 1024, 4 * rows, "input"),
        Region("logits", "hbm", 4096, 4 * rows * VOCABULARY, "output"),
    ]
    return Program({}, regions=tuple(regions), parameters=tuple(parameters))


class Stand:
    """One entry of the stand-in; `cache` is shared by the entries."""

    def __init__(self, of: Program, cache: NDArray[np.int64], log: list[dict[str, Any]]) -> None:
        self.program, self.cache, self.log = of, cache, log
        self.regions: dict[str, NDArray[Any]] = {}

    def write(self, name: str, values: NDArray[Any]) -> None:
        assert values.nbytes <= self.program.region(name).nbytes
        self.regions[name] = values

    def read(self, name: str, dtype: type[np.float32]) -> NDArray[np.float32]:
        return self.regions[name].ravel().astype(dtype)

    def run(self, parameters: Mapping[str, int | Sequence[int]]) -> dict[str, int]:
        words: dict[str, Any] = dict(parameters)
        for parameter in self.program.parameters:
            given = np.atleast_1d(words[parameter.name])
            assert len(given) == parameter.count
            assert given.min() >= parameter.lo
            assert given.max() <= parameter.hi
        self.log.append(words)
        row_logits: list[NDArray[np.float32]] = []
        for b, (start, count, cached) in enumerate(
            zip(words["row_start"], words["q_len"], words["kv_len"], strict=True)
        ):
            for i in range(count):
                self.cache[b, cached + i] = self.regions["tokens"][start + i]
                row_logits.append(logits_after(self.cache[b, : cached + i + 1].tolist()))
        wanted = self.regions["logit_index"][: words["logit_rows"]]
        self.regions["logits"] = np.array([row_logits[row] for row in wanted], np.float32)
        return {"mxu": 1}


@pytest.fixture
def log() -> list[dict[str, Any]]:
    return []


def make(
    monkeypatch: pytest.MonkeyPatch, log: list[dict[str, Any]], batch: int = 1, rows: int = 12
) -> Session:
    entries = {"prefill": program(batch, 4, rows), "decode": program(batch, 1, batch)}
    image = Image({}, "exact", entries, has_weights=True)
    cache = np.zeros((batch, CONTEXT), np.int64)

    def emulators(image: Image, engine: str, order: str, checks: bool) -> dict[str, Stand]:
        return {name: Stand(entry, cache, log) for name, entry in image.entries.items()}

    monkeypatch.setattr(module, "open_emulators", emulators)
    return Session(image)


Log = list[dict[str, Any]]


def test_limits_come_from_the_image(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    session = make(monkeypatch, log, batch=3)
    assert (session.batch, session.max_context, session.vocabulary) == (3, CONTEXT, VOCABULARY)


def test_a_long_prompt_takes_launches_and_one_row_of_logits(
    monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    prompt = list(range(10))
    session = make(monkeypatch, log)
    np.testing.assert_array_equal(session.prefill(prompt), logits_after(prompt))
    assert [words["q_len"] for words in log] == [[4], [4], [2]]
    assert [words["kv_len"] for words in log] == [[0], [4], [8]]
    assert [words["logit_rows"] for words in log] == [0, 0, 1]
    assert session.lengths == (10,)
    assert session.executed == {"mxu": 3}


def test_all_logits(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    prompt = list(range(7))
    logits = make(monkeypatch, log).prefill(prompt, all_logits=True)
    wanted = [logits_after(prompt[: i + 1]) for i in range(7)]
    np.testing.assert_array_equal(logits, wanted)


def test_decode_goes_on_with_its_own_entry(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    session = make(monkeypatch, log)
    session.prefill([1, 2])
    np.testing.assert_array_equal(session.decode(3), logits_after([1, 2, 3]))
    np.testing.assert_array_equal(session.decode(4), logits_after([1, 2, 3, 4]))
    assert session.lengths == (4,)


@pytest.mark.parametrize("rows", [4, 6, 12])
def test_a_ragged_batch_equals_single_runs(
    monkeypatch: pytest.MonkeyPatch, log: Log, rows: int
) -> None:
    prompts = [[5], [1, 2, 3, 4, 5, 6], []]
    session = make(monkeypatch, log, batch=3, rows=rows)
    first, second, third = session.prefill(prompts)
    assert third is None
    np.testing.assert_array_equal(first, logits_after(prompts[0]))
    np.testing.assert_array_equal(second, logits_after(prompts[1]))
    assert session.lengths == (1, 6, 0)
    first, second, third = session.prefill([[6, 7], [], [8, 9]], all_logits=True)
    assert second is None
    np.testing.assert_array_equal(first, [logits_after([5, 6]), logits_after([5, 6, 7])])
    np.testing.assert_array_equal(third, [logits_after([8]), logits_after([8, 9])])
    first, second, third = session.decode([None, 7, 1])
    assert first is None
    np.testing.assert_array_equal(second, logits_after([*prompts[1], 7]))
    np.testing.assert_array_equal(third, logits_after([8, 9, 1]))


def test_truncate_and_reset(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    session = make(monkeypatch, log)
    session.prefill([1, 2, 3, 4, 5])
    session.truncate(2)
    np.testing.assert_array_equal(session.decode(9), logits_after([1, 2, 9]))
    session.reset()
    np.testing.assert_array_equal(session.prefill([7]), logits_after([7]))


def test_generate_streams_and_reports(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    session = make(monkeypatch, log)
    tokens = list(session.generate([1, 2, 3, 4, 5], 3, progress=progress))
    history = [1, 2, 3, 4, 5]
    for token in tokens:
        assert token == int(logits_after(history).argmax())
        history.append(token)
    assert len(tokens) == 3
    assert seen == [(4, 5), (5, 5)]


def test_generate_stops_at_the_context(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    session = make(monkeypatch, log)
    tokens = list(session.generate([1] * 18, 99, Sampling(temperature=1.0, seed=3)))
    assert len(tokens) == 3
    assert session.lengths == (CONTEXT,)


def test_generate_checks_at_once(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    with pytest.raises(SessionError, match="the prompt is empty"):
        make(monkeypatch, log).generate([], 5)


REFUSED: list[tuple[Any, str]] = [
    ([], "the prompt is empty: give at least one token"),
    ([[], []], "the prompt is empty: give at least one token"),
    (
        [3, 11],
        "token id 11 at position 1 of sequence 0: the model has 11 tokens (0 to 10)",
    ),
    (
        [[1], [-1]],
        "token id -1 at position 0 of sequence 1: the model has 11 tokens (0 to 10)",
    ),
    (
        [1] * 21,
        "21 tokens do not fit sequence 0: the image was compiled for a context of 20; "
        "compile with a larger --max-context or shorten the prompt",
    ),
    (
        [[1], [2], [3]],
        "sequence 2: the image was compiled for a batch of 2 (0 to 1); compile with a "
        "larger --batch",
    ),
    ([1, [2]], "prompts must be one list of token ids, or a list of such lists"),
]


@pytest.mark.parametrize(("prompt", "text"), REFUSED)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, log: Log, prompt: Any, text: str) -> None:
    session = make(monkeypatch, log, batch=2)
    with pytest.raises(SessionError) as caught:
        session.prefill(prompt)
    assert str(caught.value) == text
    assert log == []
    assert session.lengths == (0, 0)


def test_what_is_cached_counts(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    session = make(monkeypatch, log)
    session.prefill([1] * 20)
    with pytest.raises(SessionError, match="1 tokens after 20 that are cached do not fit"):
        session.decode(1)
    with pytest.raises(SessionError, match="cannot truncate sequence 0 to 21 positions: it holds"):
        session.truncate(21)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"engine": "slow"}, "engine 'slow' is unknown; use fast or reference"),
        ({"order": "backwards"}, "order 'backwards' is unknown; use sequential, loads-earliest"),
    ],
)
def test_unknown_options_are_refused_at_once(options: dict[str, str], text: str) -> None:
    image = Image({}, "exact", {"prefill": program(1, 4, 4), "decode": program(1, 1, 1)})
    with pytest.raises(TilewrightError, match=text):
        Session(replace(image, has_weights=True), **options)  # pyright: ignore[reportArgumentType]


def test_an_image_without_weights_is_refused_by_name() -> None:
    with pytest.raises(SessionError, match=r"shape\.tw holds no weights .* can be inspected, not"):
        Session(Image({}, "exact", {"decode": program(1, 1, 1)}), name="shape.tw")
