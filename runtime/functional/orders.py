"""Named orders in which engines take turns. Values never depend on the order; faults may.

`sequential`: engines one after the other, each as far as it comes. `loads-earliest`: a load runs
whenever one can. `stores-latest`: a store runs only when nothing else can. `lockstep`: an
instruction of each in turn. `starve-ld` and the like: engines of a kind run only when nothing else
can. `random:<seed>`: an engine drawn for every few instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...backend.errors import TilewrightError
from ...backend.isa import engine_kind

FOREVER = 1 << 62
MAX_RANDOM_QUANTUM = 16


class OrderError(TilewrightError):
    """A name that is no order."""


@dataclass(frozen=True)
class Order:
    """How turns are given."""

    ranks: tuple[str, ...]
    """Engine kinds, the first to be tried first."""
    quantum: int
    """Instructions of one turn at most."""
    restart: bool
    """Whether the next turn begins again with the first engine."""
    seed: int = 0
    """Not 0: engines are shuffled before each turn, and quanta drawn."""

    def sorted(self, engines: Sequence[str]) -> list[int]:
        """Indices of the engines, the first to be tried first."""
        return sorted(range(len(engines)), key=lambda i: self.ranks.index(engine_kind(engines[i])))


ORDERS: dict[str, Order] = {
    "sequential": Order(("ld", "mxu", "vpu", "st"), FOREVER, restart=False),
    "loads-earliest": Order(("ld", "st", "mxu", "vpu"), 1, restart=True),
    "stores-latest": Order(("mxu", "vpu", "ld", "st"), 1, restart=True),
    "lockstep": Order(("ld", "mxu", "vpu", "st"), 1, restart=False),
    "starve-ld": Order(("st", "vpu", "mxu", "ld"), 1, restart=True),
    "starve-mxu": Order(("ld", "st", "vpu", "mxu"), 1, restart=True),
    "starve-vpu": Order(("ld", "mxu", "st", "vpu"), 1, restart=True),
}


def find_order(name: str) -> Order:
    """The order of that name; `random:<seed>` takes any integer. Raises OrderError."""
    if name in ORDERS:
        return ORDERS[name]
    kind, _, seed = name.partition(":")
    if kind == "random" and seed.lstrip("-").isdigit():
        state = (int(seed) * 2654435761 + 0x9E3779B9) & 0xFFFFFFFF
        return Order(("ld", "mxu", "vpu", "st"), 1, restart=True, seed=state or 1)
    known = ", ".join(ORDERS)
    raise OrderError(f"order '{name}' is unknown; use {known} or random:<seed>")


def next_random(state: int) -> int:
    """One step of a 32-bit xorshift generator; never 0."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    return state ^ ((state << 5) & 0xFFFFFFFF)
