"""What attention over a cache is to do: heads, caches, where its rows come from and go to."""

from dataclasses import dataclass

from xdsl.ir import Attribute


@dataclass(frozen=True)
class Attention:
    """What the emission needs of one attention kernel; element types are those of the regions."""

    query: str
    output: str
    keys: str
    values: str
    layered: bool
    """The caches have a leading axis of layers."""
    batch: int
    queries: int
    """The most of a sequence."""
    positions: int
    """Of the caches."""
    heads: int
    kv_heads: int
    head: int
    scale: float
    full: bool
    """Rows see all positions of their sequence, not only those up to their own."""
    operand: Attribute
    cache: Attribute
    result: Attribute

    @property
    def group(self) -> int:
        """Query heads of one KV head."""
        return self.heads // self.kv_heads
