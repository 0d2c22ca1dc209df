"""How the axes of a box meet those of its slot."""

import pytest
from xdsl.dialects.builtin import DYNAMIC_INDEX as ANY

from tilewright.dialects.tile import align_box


@pytest.mark.parametrize(
    ("box", "slot", "meets"),
    [
        ([ANY, 64], [8, 64], [0, 1]),
        ([1, 1, ANY, 64], [8, 64], [None, None, 0, 1]),
        # A cache row of one head: the bound meets the rows, not the unit axis behind them.
        ([1, 1, 1, ANY, 32], [8, 1, 32], [None, None, None, 0, 2]),
        ([ANY, 32], [1, 32], [0, 1]),
        ([4, 16], [8, 64], [0, 1]),
        ([16], [1, 64], [1]),
        ([2, 64], [64], None),
    ],
)
def test_axes_meet(box: list[int], slot: list[int], meets: list[int | None] | None) -> None:
    assert align_box(box, slot) == meets
