"""Sums → scalar instructions: the nodes that compute each sum, shared wherever they are equal.

A sum is added up from the outside in, so that what an inner loop does not change is one node of an
outer scope and only the last step is done in the innermost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from ...backend.isa import BY_MNEMONIC
from .scalars import Scalars, Scope, Sum

IMMEDIATE = BY_MNEMONIC["alu"].field("imm")
"""The second argument of `alu` that needs no register."""


@dataclass(frozen=True)
class Node:
    """A value that one instruction computes.

    Attributes:
        mnemonic: `li`, `ldp`, `alu`, or `counter` and `pop`, whose registers are written elsewhere.
        function: function of `alu`.
        arguments: numbers of the nodes it reads, at most two.
        immediate: `imm` of li and alu (second argument), `word` of ldp, serial number of a pop.
        home: the outermost scope it can stand in.
    """

    mnemonic: str
    function: str
    arguments: tuple[int, ...]
    immediate: int
    home: Scope


@dataclass
class Nodes:
    """All nodes of one engine's program; a node's arguments have smaller numbers."""

    scalars: Scalars
    nodes: list[Node] = field(default_factory=list[Node])
    _numbers: dict[Node, int] = field(default_factory=dict[Node, int])
    _sums: dict[Sum, int] = field(default_factory=dict[Sum, int])

    def of(self, value: Sum) -> int:
        """The number of the node that computes `value`."""
        number = self._sums.get(value)
        if number is None:
            number = self._sums[value] = self._build(value)
        return number

    def _build(self, value: Sum) -> int:
        if value.is_constant:
            return self._add("li", "", (), value.constant, self.scalars.root)
        if value.constant == 0 and len(value.terms) == 1 and value.terms[0][1] == 1:
            return self._atom(value.terms[0][0])
        total: int | None = None
        constant = value.constant

        def depth(term: tuple[int, int]) -> int:
            return self.scalars.atoms[term[0]].home.depth

        for _, group in groupby(sorted(value.terms, key=depth), key=depth):
            for atom, factor in sorted(group, key=lambda term: (term[1] < 0, term[0])):
                total = self._plus(total, self._atom(atom), factor)
            if constant:
                assert total is not None
                total, constant = self._with_immediate("add", total, constant), 0
        assert total is not None
        return total

    def _plus(self, total: int | None, atom: int, factor: int) -> int:
        if total is None:
            return atom if factor == 1 else self._with_immediate("mul", atom, factor)
        function = "add" if factor > 0 else "sub"
        term = atom if abs(factor) == 1 else self._with_immediate("mul", atom, abs(factor))
        return self._operation(function, total, term)

    def _atom(self, number: int) -> int:
        atom = self.scalars.atoms[number]
        match atom.kind:
            case "counter":
                return self._add("counter", "", (), 0, atom.home)
            case "pop":
                return self._add("pop", atom.function, (), atom.number, atom.home)
            case "word":
                arguments = tuple(self.of(index) for index in atom.arguments)
                return self._add("ldp", "", arguments, atom.number, atom.home)
            case "operation":
                first, second = atom.arguments
                if second.is_constant:
                    return self._with_immediate(atom.function, self.of(first), second.constant)
                return self._operation(atom.function, self.of(first), self.of(second))

    def _with_immediate(self, function: str, argument: int, immediate: int) -> int:
        if not IMMEDIATE.accepts(immediate):
            return self._operation(function, argument, self.of(Sum(immediate)))
        return self._add("alu", function, (argument,), immediate, self.nodes[argument].home)

    def _operation(self, function: str, first: int, second: int) -> int:
        home = max(self.nodes[first].home, self.nodes[second].home, key=lambda scope: scope.depth)
        return self._add("alu", function, (first, second), 0, home)

    def _add(
        self, mnemonic: str, function: str, arguments: tuple[int, ...], immediate: int, home: Scope
    ) -> int:
        node = Node(mnemonic, function, arguments, immediate, home)
        number = self._numbers.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number
