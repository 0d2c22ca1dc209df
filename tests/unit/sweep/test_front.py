"""The Pareto front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from tilewright.compiler.sweep import pareto_front

Points = list[tuple[int, int, int]]
FEW = st.integers(0, 3)


def by_definition(points: Points) -> tuple[bool, ...]:
    """No other is as good in all and better in one."""
    return tuple(
        not any(
            all(a <= b for a, b in zip(other, point, strict=True)) and other != point
            for other in points
        )
        for point in points
    )


@given(st.lists(st.tuples(FEW, FEW, FEW), max_size=20))
def test_as_defined(points: Points) -> None:
    """Few values, so that many measures tie."""
    assert pareto_front(points) == by_definition(points)


def test_by_hand() -> None:
    assert pareto_front([]) == ()
    assert pareto_front([(1, 1, 1)]) == (True,)
    assert pareto_front([(1, 2, 3), (2, 1, 3), (2, 2, 3)]) == (True, True, False)


def test_equal_points_share_their_fate() -> None:
    assert pareto_front([(1, 2, 3), (1, 2, 3)]) == (True, True)
    assert pareto_front([(2, 2, 3), (2, 2, 3), (2, 2, 2)]) == (False, False, True)


def test_a_tie_in_one_measure_is_decided_by_the_others() -> None:
    assert pareto_front([(1, 5, 3), (1, 4, 3), (1, 4, 4)]) == (False, True, False)
