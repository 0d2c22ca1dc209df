"""What the host has no room for is refused in one line, whatever an image asks for."""

from __future__ import annotations

import numpy as np
import pytest

from tilewright.backend.isa.program import Parameter, Program
from tilewright.runtime.functional.host_memory import HostMemoryError, host_zeros
from tilewright.runtime.functional.memories import Memory
from tilewright.runtime.functional.parameters import launch_words

HUGE = 1 << 62


@pytest.mark.parametrize("count", [HUGE, 1 << 200])
def test_more_than_there_is(count: int) -> None:
    with pytest.raises(HostMemoryError, match=f"a table takes {8 * count} bytes, more than this"):
        host_zeros(count, np.int64, "a table")


def test_a_memory_is_named() -> None:
    with pytest.raises(HostMemoryError, match="memory hbm takes"):
        Memory("hbm", HUGE)


def test_a_launch_table_with_a_word_far_away() -> None:
    program = Program(engines={}, parameters=(Parameter("rows", HUGE, 1, 0, 4),))
    with pytest.raises(HostMemoryError, match="the launch-parameter table takes"):
        launch_words(program, {"rows": 1})
