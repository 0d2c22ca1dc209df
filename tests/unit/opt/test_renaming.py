"""A new name alone is no change of a line."""

import pytest

from tilewright.compiler.renaming import in_names_of

BEFORE = [
    "func.func @f(%a : index) {",
    "  %0 = arith.addi %a, %a : index",
    "  %x = tile.buffer : memref<4xf32>",
    "  tile.load @a[%0] [4] to %x",
    "  func.return",
]


def renamed(*lines: str) -> list[str]:
    """The lines before that are still there, behind a pass that made these of the body."""
    after = [BEFORE[0], *lines, BEFORE[-1]]
    return [line for line in in_names_of(BEFORE, after) if line not in after]


def test_what_a_pass_counts_anew_is_equal() -> None:
    assert not renamed(
        "  %0 = arith.muli %a, %a : index",
        "  %1 = arith.addi %a, %a : index",
        "  %x_1 = tile.buffer : memref<4xf32>",
        "  tile.load @a[%1] [4] to %x_1",
    )


@pytest.mark.parametrize(
    "load",
    [
        "  tile.load @a[%0] [4] to %x_1",
        "  tile.load @a[%1] [4] to %x",
        "  tile.load @a[%1] [4] to %y",
    ],
)
def test_another_value_is_a_change(load: str) -> None:
    assert renamed(
        "  %0 = arith.muli %a, %a : index",
        "  %1 = arith.addi %a, %a : index",
        "  %x = tile.buffer : memref<8xf32>",
        "  %x_1 = tile.buffer : memref<4xf32>",
        load,
    ) == ["  tile.load @a[%0] [4] to %x"]


def test_numbers_of_constants_are_no_counts() -> None:
    before = ["%c4 = arith.constant 4 : index", "tile.load @a[%c4] [4] to %x"]
    after = [*before, "%c8 = arith.constant 8 : index", "tile.load @a[%c8] [4] to %x"]
    assert in_names_of(before, after[2:]) == before


def test_names_begin_anew_in_each_function() -> None:
    body = ["func.func @f() {", "  %0 = tg.get @m", "  tg.use %0", "}"]
    other = ["func.func @g() {", "  %1 = tg.get @m", "  tg.use %1", "}"]
    before = [*body, *(line.replace("@f", "@g") for line in body)]
    assert in_names_of(before, [*body, *other]) == [*body, *other]
