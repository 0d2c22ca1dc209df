"""The choice for one kernel."""

from dataclasses import dataclass
from math import gcd

HEADS_AT_ONCE = 4
"""The most KV heads whose products share scalar instructions: a trip of a loop over heads."""


@dataclass(frozen=True)
class Tile:
    """Sizes of the pieces that a kernel works on."""

    rows: int
    """Rows of the packed batch, or queries of one sequence."""
    depth: int
    """Blocks of K, or positions of a KV block."""
    heads: int = 1
    """KV heads that attention treats at once."""
    skew: int = 0
    """Cuts that make a pipeline of attention's loop over KV blocks; 0: one stage after another."""
    panels: int = 1
    """Panels of a matmul that share a slot of sums and an epilogue."""
    apart: bool = False
    """Weight tiles of a narrower last panel have a ring of their own."""


def heads_at_once(heads: int) -> int:
    """KV heads in a trip of the loop over those of a block: an even cut."""
    return gcd(heads, HEADS_AT_ONCE)


def narrow_depth(blocks: int, depth: int, panel: int, columns: int) -> int:
    """Blocks of K in a weight tile of a panel of `columns`: as many as fill the slot of a full one.

    An even cut of all `blocks`, so that no tile is short.
    """
    return max(d for d in range(1, blocks + 1) if blocks % d == 0 and d * columns <= depth * panel)
