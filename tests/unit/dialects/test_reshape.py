"""The same bytes seen with another shape: strides as numpy finds them, or none."""

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import MemRefType, StridedLayoutAttr, f32

from tilewright.dialects.tile import reshaped_strides

SIZE = 4


@st.composite
def shapes(draw: st.DrawFn, size: int) -> list[int]:
    """Up to four axes of `size` elements together."""
    out: list[int] = []
    for _ in range(draw(st.integers(0, 3))):
        out.append(draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0])))
        size //= out[-1]
    return [*out, size]


@given(data=st.data(), size=st.sampled_from([1, 2, 6, 8, 12, 24, 36]))
def test_strides_are_those_of_numpy(data: st.DataObject, size: int) -> None:
    old, new = data.draw(shapes(size)), data.draw(shapes(size))
    strides: list[int] = []
    step = 1
    for extent in reversed(old):  # A gap behind some axes.
        strides.insert(0, step)
        step *= extent * data.draw(st.sampled_from([1, 1, 2]))
    assert prod(old) == prod(new)
    found = reshaped_strides(MemRefType(f32, old, StridedLayoutAttr(strides, None)), new)
    memory = np.arange(step, dtype=np.int32)
    view = np.lib.stride_tricks.as_strided(memory, old, [SIZE * n for n in strides])
    wanted = view.reshape(new)
    if not np.shares_memory(wanted, memory):
        assert found is None
        return
    assert found is not None
    seen = np.lib.stride_tricks.as_strided(memory, new, [SIZE * n for n in found])
    np.testing.assert_array_equal(seen, wanted)
