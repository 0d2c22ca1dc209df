"""Runs of bytes with owners, against a list with one entry a byte."""

from hypothesis import given
from hypothesis import strategies as st

from tilewright.runtime.proof.byte_map import ByteMap

SIZE = 24
RUNS = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=3).map(
    lambda pairs: [(min(p), max(p)) for p in pairs if p[0] != p[1]]
)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), RUNS, st.integers(0, 2)), max_size=12)


@given(STEPS, RUNS)
def test_a_map_is_what_a_list_is(steps: list[tuple[str, list[tuple[int, int]], int]],
                                 asked: list[tuple[int, int]]) -> None:  # fmt: skip
    some = ByteMap()
    wanted: list[int | None] = [None] * SIZE
    for what, runs, owner in steps:
        if what == "put":
            some.put(runs, owner)
        else:
            some.drop(runs)
        for first, end in runs:
            wanted[first:end] = [owner if what == "put" else None] * (end - first)
    found: list[int | None] = [None] * SIZE
    last = -1
    for first, end, owner in some.all():
        assert last <= first < end
        found[first:end], last = [owner] * (end - first), end
    assert found == wanted
    missing = [b for first, end in asked for b in range(first, end) if wanted[b] is None]
    assert some.missing(asked) == (missing[0] if missing else -1)
    inside = [(b, owner) for a, e, owner in some.inside(asked) for b in range(a, e)]
    assert inside == [
        (b, wanted[b]) for a, e in asked for b in range(a, e) if wanted[b] is not None
    ]
