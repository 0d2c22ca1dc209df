"""The choice for one kernel."""

from dataclasses import dataclass


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
    """Trips by which attention makes its scores ahead."""
