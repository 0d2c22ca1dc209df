"""The Pareto front: what no other choice beats in one measure without losing in another."""

from __future__ import annotations

from collections.abc import Sequence

Measures = tuple[float, ...]
"""What is better when smaller, in a fixed order."""


def pareto_front(points: Sequence[Measures]) -> tuple[bool, ...]:
    """Whether each point is on the front: none is as good in all measures and better in one.

    Equal points are on it together or not at all.
    """
    front: list[Measures] = []
    # In this order, a point is beaten by none that comes later.
    for point in sorted(set(points)):
        if not any(_as_good(other, point) for other in front):
            front.append(point)
    kept = set(front)
    return tuple(point in kept for point in points)


def _as_good(one: Measures, other: Measures) -> bool:
    return all(mine <= its for mine, its in zip(one, other, strict=True))
