"""Rows of one sequence: where they stand in the packed batch, and at which positions."""

from dataclasses import dataclass

from .emitter import Emitter, Index


@dataclass(frozen=True)
class Rows:
    """A block of rows: the first one in the packed batch, its position, and how many."""

    first: Index
    position: Index
    count: Index


@dataclass(frozen=True)
class Lengths:
    """The launch parameters of a sequence: its first row, its rows, and positions before them."""

    start: Index
    queries: Index
    cached: Index

    def rows(self, e: Emitter, i: Index, size: int) -> Rows:
        """Block `i` of `size` rows."""
        offset = e.times(i, size)
        count = e.least(size, e.minus(self.queries, offset))
        return Rows(e.plus(self.start, offset), e.plus(self.cached, offset), count)


def lengths_of(e: Emitter, sequence: Index) -> Lengths:
    """Read them."""
    start = e.table("row_start", sequence)
    queries = e.table("q_len", sequence)
    return Lengths(start, queries, e.table("kv_len", sequence))
