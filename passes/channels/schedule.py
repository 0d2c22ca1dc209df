"""When each slot of a ring begins and ends, for its producer and its consumers. Numbers only.

A ring is first in, first out: all engines take the slots of a block in one order, that of the
producer's first writes, and end them in that order. So an end may have to come later than the last
touch, and a wait earlier than the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class RingError(Exception):
    """An order that no first-in-first-out ring can keep; `member` is the slot in the way."""

    def __init__(self, member: int, text: str):
        super().__init__(text)
        self.member = member


@dataclass(frozen=True)
class Use:
    """One slot of a block: first and last statement of each engine, the producer's among them."""

    member: int
    spans: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Hold:
    """From the gap before statement `begin` to the gap after statement `end`."""

    begin: int
    end: int


def schedule(
    uses: Sequence[Use], nested: Sequence[int], producer: str, consumers: Sequence[str]
) -> list[tuple[int, dict[str, Hold]]]:
    """The slots of one block in the ring's order: (member, hold of each engine).

    `nested` are statements of the block in which loops of the ring's other slots lie: nobody may
    hold a slot across them, and all engines must agree whether a slot comes before or after. Raises
    RingError.
    """
    ordered = sorted(uses, key=lambda use: use.spans[producer])
    holds: list[dict[str, Hold]] = [{} for _ in ordered]
    for engine in (producer, *consumers):
        begins = [use.spans[engine][0] for use in ordered]
        ends = [use.spans[engine][1] for use in ordered]
        for i in range(len(ordered) - 2, -1, -1):
            begins[i] = min(begins[i], begins[i + 1])
        for i in range(1, len(ordered)):
            ends[i] = max(ends[i], ends[i - 1])
        for hold, begin, end in zip(holds, begins, ends, strict=True):
            hold[engine] = Hold(begin, end)
    for use, hold in zip(ordered, holds, strict=True):
        _check(use.member, hold, nested, producer, consumers)
    return [(use.member, hold) for use, hold in zip(ordered, holds, strict=True)]


def _check(
    member: int, hold: Mapping[str, Hold], nested: Sequence[int], producer: str,
    consumers: Sequence[str],
) -> None:  # fmt: skip
    written = hold[producer]
    for engine in consumers:
        if hold[engine].begin <= written.end:
            raise RingError(
                member,
                f"{engine} must take this slot before {producer} has finished writing it",
            )
    for at in nested:
        sides = {hold[e].begin > at for e in (producer, *consumers)}
        if len(sides) > 1 or any(h.begin <= at <= h.end for h in hold.values()):
            raise RingError(
                member, "it is held across a loop in which other slots of the same ring come and go"
            )
