"""Buffers with lives -> byte offsets in one memory. Numbers only; `allocate` reads and writes the
IR.

Two buffers of one engine may share bytes when their lives do not overlap: an engine's instructions
act one after the other, so nothing else is needed. Buffers of different engines, and rings, never
share. `check_allocation` decides, by other means, whether an answer holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Life:
    """One buffer or ring of a memory.

    Attributes:
        name: for messages.
        nbytes: size, in bytes.
        first: position in the program where it is first touched.
        last: position where it is last touched, included.
        engine: the only engine that touches it; "" for a ring, which lives always.
    """

    name: str
    nbytes: int
    first: int
    last: int
    engine: str

    def conflicts(self, other: "Life") -> bool:
        """Whether the two must not share bytes."""
        if not self.engine or self.engine != other.engine:
            return True
        return self.first <= other.last and other.first <= self.last


def align(nbytes: int, alignment: int) -> int:
    """`nbytes` rounded up to a multiple of `alignment`."""
    return -(-nbytes // alignment) * alignment


def place(lives: Sequence[Life], alignment: int) -> tuple[list[int], int]:
    """Offset of each buffer, aligned, and the bytes used in all.

    Each order of `_ORDERS` is tried: place the next buffer at the lowest offset free of those that
    conflict with it and stand already. The best answer wins, the first of equals.
    """
    best: tuple[list[int], int] | None = None
    for order in _ORDERS:
        answer = _place_in_order(lives, alignment, sorted(range(len(lives)), key=order(lives)))
        if best is None or answer[1] < best[1]:
            best = answer
        if best[1] <= peak(lives, alignment):
            break
    assert best is not None
    return best


def peak(lives: Sequence[Life], alignment: int) -> int:
    """Bytes that are live at once at the worst point: no placement uses fewer."""
    return sum(align(life.nbytes, alignment) for life in _worst(lives, alignment))


def conflict_set(lives: Sequence[Life], alignment: int, capacity: int) -> list[Life]:
    """The fewest buffers that are live at once and do not fit in `capacity`, largest first.

    All that are live at the worst point when even those fit, and only gaps between them do not.
    """
    worst = sorted(_worst(lives, alignment), key=lambda life: -life.nbytes)
    total = 0
    for count, life in enumerate(worst, 1):
        total += align(life.nbytes, alignment)
        if total > capacity:
            return worst[:count]
    return worst


def _worst(lives: Sequence[Life], alignment: int) -> list[Life]:
    """What is live at the worst point of every engine, and the rings."""
    worst = [life for life in lives if not life.engine]
    for engine in sorted({life.engine for life in lives if life.engine}):
        own = [life for life in lives if life.engine == engine]
        points = {life.first for life in own}
        live = [[life for life in own if life.first <= at <= life.last] for at in sorted(points)]
        worst += max(live, key=lambda some: sum(align(life.nbytes, alignment) for life in some))
    return worst


def _place_in_order(
    lives: Sequence[Life], alignment: int, order: Sequence[int]
) -> tuple[list[int], int]:
    offsets = [0] * len(lives)
    placed: list[int] = []
    top = 0
    for number in order:
        life = lives[number]
        taken = sorted(
            (offsets[other], offsets[other] + align(lives[other].nbytes, alignment))
            for other in placed
            if life.conflicts(lives[other])
        )
        at = 0
        for first, end in taken:
            if at + life.nbytes <= first:
                break
            at = max(at, end)
        offsets[number] = at
        placed.append(number)
        top = max(top, at + align(life.nbytes, alignment))
    return offsets, top


_Key = Callable[[int], tuple[int, ...]]


def _by_size(lives: Sequence[Life]) -> _Key:
    return lambda i: (bool(lives[i].engine), -lives[i].nbytes, lives[i].first, i)


def _by_area(lives: Sequence[Life]) -> _Key:
    return lambda i: (
        bool(lives[i].engine),
        -lives[i].nbytes * (lives[i].last - lives[i].first + 1),
        i,
    )


def _by_start(lives: Sequence[Life]) -> _Key:
    return lambda i: (bool(lives[i].engine), lives[i].first, -lives[i].nbytes, i)


_ORDERS = (_by_size, _by_area, _by_start)
