"""Index arithmetic of one engine's program as sums: constant + factor * atom + ...

An atom is a loop counter, a word of the launch-parameter table, a popped word, or an operation that
is not a sum (min, max, shift, and, product of two unknowns) of sums. Equal values are one object,
so common subexpressions are found by comparing, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

AtomKind = Literal["counter", "word", "pop", "operation"]


@dataclass(frozen=True, eq=False)
class Scope:
    """A loop body, or (depth 0) the whole program. Its counter is register c<depth - 1>."""

    depth: int


@dataclass(frozen=True)
class Sum:
    """constant + sum of factor * atom, with terms sorted by the number of their atom."""

    constant: int = 0
    terms: tuple[tuple[int, int], ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether no atom is left."""
        return not self.terms

    def without_constant(self) -> Sum:
        """The part that only the running program knows."""
        return Sum(0, self.terms)


@dataclass(frozen=True)
class Atom:
    """One unknown.

    Attributes:
        kind: what it is.
        home: the outermost scope in which all it depends on is known.
        function: ALU function of an operation, channel of a pop.
        arguments: sums an operation works on; the index of a word, if it is not constant.
        number: offset of a word in the table (or of a pop in its slot); tells two pops apart.
    """

    kind: AtomKind
    home: Scope
    function: str = ""
    arguments: tuple[Sum, ...] = ()
    number: int = 0


@dataclass
class Scalars:
    """All atoms of one program. Every method is a pure function of its arguments but for them."""

    root: Scope = field(default_factory=lambda: Scope(0))
    atoms: list[Atom] = field(default_factory=list[Atom])
    _numbers: dict[Atom, int] = field(default_factory=dict[Atom, int])

    def counter(self, scope: Scope) -> Sum:
        """The counter of the loop whose body is `scope`."""
        return self._atom(Atom("counter", scope))

    def word(self, offset: int, index: Sum | None = None) -> Sum:
        """Word `offset` (+ index) of the launch-parameter table."""
        if index is None or index.is_constant:
            return self._atom(
                Atom("word", self.root, number=offset + (index.constant if index else 0))
            )
        offset += index.constant
        index = index.without_constant()
        return self._atom(Atom("word", self.home(index), arguments=(index,), number=offset))

    def pop(self, channel: str, serial: int, scope: Scope) -> Sum:
        """The word that the pop number `serial`, which stands in `scope`, takes from a channel."""
        return self._atom(Atom("pop", scope, channel, number=serial))

    def home(self, value: Sum) -> Scope:
        """The deepest scope that a term of `value` belongs to."""
        homes = [self.root, *(self.atoms[atom].home for atom, _ in value.terms)]
        return max(homes, key=lambda scope: scope.depth)

    def add(self, a: Sum, b: Sum) -> Sum:
        """a + b."""
        terms = dict(a.terms)
        for atom, factor in b.terms:
            terms[atom] = terms.get(atom, 0) + factor
        kept = tuple(sorted((atom, factor) for atom, factor in terms.items() if factor))
        return Sum(a.constant + b.constant, kept)

    def scale(self, a: Sum, factor: int) -> Sum:
        """a * factor."""
        if not factor:
            return Sum()
        return Sum(a.constant * factor, tuple((atom, n * factor) for atom, n in a.terms))

    def subtract(self, a: Sum, b: Sum) -> Sum:
        """a - b."""
        return self.add(a, self.scale(b, -1))

    def multiply(self, a: Sum, b: Sum) -> Sum:
        """a * b."""
        if b.is_constant:
            return self.scale(a, b.constant)
        if a.is_constant:
            return self.scale(b, a.constant)
        return self._operation("mul", a, b)

    def minimum(self, a: Sum, b: Sum) -> Sum:
        """The smaller of two values."""
        return self._extreme("min", a, b)

    def maximum(self, a: Sum, b: Sum) -> Sum:
        """The larger of two values."""
        return self._extreme("max", a, b)

    def shift_left(self, a: Sum, bits: int) -> Sum:
        """a << bits."""
        return self.scale(a, 1 << bits)

    def shift_right(self, a: Sum, bits: int) -> Sum:
        """a >> bits, of a value that is never negative."""
        if a.is_constant or not bits:
            return Sum(a.constant >> bits, a.terms)
        return self._operation("shr", a, Sum(bits))

    def mask(self, a: Sum, ones: int) -> Sum:
        """a & ones."""
        if a.is_constant or not ones:
            return Sum(a.constant & ones)
        return self._operation("and", a, Sum(ones))

    def _extreme(self, name: Literal["min", "max"], a: Sum, b: Sum) -> Sum:
        difference = self.subtract(a, b)
        if difference.is_constant:
            return a if (difference.constant < 0) == (name == "min") else b
        if a.is_constant or (not b.is_constant and _order(b) < _order(a)):
            a, b = b, a
        return self._operation(name, a, b)

    def _operation(self, function: str, a: Sum, b: Sum) -> Sum:
        home = max(self.home(a), self.home(b), key=lambda scope: scope.depth)
        return self._atom(Atom("operation", home, function, (a, b)))

    def _atom(self, atom: Atom) -> Sum:
        number = self._numbers.setdefault(atom, len(self.atoms))
        if number == len(self.atoms):
            self.atoms.append(atom)
        return Sum(0, ((number, 1),))


def _order(a: Sum) -> tuple[Sequence[tuple[int, int]], int]:
    return a.terms, a.constant
