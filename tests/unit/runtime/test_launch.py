"""How prompts are split into launches: whole chunks or nothing, within the rows of a launch."""

import pytest

from tilewright.backend.isa.program import Parameter, Program, Region
from tilewright.runtime.launch import Launch, SessionError, StepShape, split_prompts


def shape(rows: int, chunk: int) -> StepShape:
    return StepShape(rows=rows, sequences=3, chunk=chunk, context=64, vocabulary=10)


@pytest.mark.parametrize(("rows", "nbytes"), [(0, 80), (-1, 80), (4, 0), (4, 81), (3, 80)])
def test_logits_that_are_no_rows_are_refused(rows: int, nbytes: int) -> None:
    program = Program(
        {},
        regions=(Region("logits", "hbm", 0, nbytes, "output"),),
        parameters=(Parameter("rows", 0, 1, -1, rows), Parameter("q_len", 1, 1, 0, 4)),
    )
    with pytest.raises(SessionError, match=f"{nbytes} bytes of logits for {rows} rows"):
        StepShape.of(program)


def test_lengths_one_chunk_and_nothing_share_a_launch() -> None:
    assert split_prompts([1, 4, 0], shape(12, 4)) == [[1, 4, 0]]


def test_a_long_prompt_takes_several() -> None:
    assert split_prompts([9, 2, 4], shape(12, 4)) == [[4, 2, 4], [4, 0, 0], [1, 0, 0]]


def test_a_sequence_waits_rather_than_take_part_of_a_chunk() -> None:
    assert split_prompts([5, 5, 5], shape(6, 4)) == [
        [4, 0, 0],
        [1, 4, 0],
        [0, 1, 4],
        [0, 0, 1],
    ]


def test_nothing_to_do() -> None:
    assert split_prompts([0, 0, 0], shape(12, 4)) == []


def test_a_chunk_larger_than_a_launch_is_refused() -> None:
    with pytest.raises(SessionError, match="a chunk of 4 tokens does not fit the 3 rows"):
        split_prompts([4], shape(3, 4))


def test_parameters_of_a_ragged_launch() -> None:
    launch = Launch(tokens=((7,), (), (8, 9)), cached=(5, 0, 2), logit_rows=(0, 2))
    assert launch.packed == [7, 8, 9]
    assert launch.parameters() == {
        "rows": 3,
        "logit_rows": 2,
        "row_start": [0, 1, 1],
        "q_len": [1, 0, 2],
        "kv_len": [5, 0, 2],
    }
