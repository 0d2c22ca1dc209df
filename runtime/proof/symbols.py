"""Numbers that are not known: sums of multiples of atoms, equal exactly where they are written so.

    r1 = kv_len; r1 = (r1 + 7) >> 3   ->   ((7 + kv_len) >> 3)

An atom is a word of the launch-parameter table, a loop's counter, a popped word, or a function of
other sums. Numbers are taken as integers without end; lengths are far below 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Atom = tuple[object, ...]


@dataclass(frozen=True)
class Sum:
    """constant + the sum of coefficient x atom; atoms by their number in `Symbols`, ascending."""

    constant: int
    terms: tuple[tuple[int, int], ...] = ()

    @property
    def known(self) -> bool:
        """Whether it is one number."""
        return not self.terms


@dataclass
class Symbols:
    """The atoms of one program, each with a number; all its engines share them."""

    names: dict[int, str]
    """Word of the launch-parameter table -> what messages call it."""
    words: dict[int, int]
    """Words that are known when the program is compiled."""
    atoms: list[Atom] = field(default_factory=list[Atom])
    numbers: dict[Atom, int] = field(default_factory=dict[Atom, int])

    def atom(self, *parts: object) -> Sum:
        """The sum of one atom."""
        number = self.numbers.setdefault(parts, len(self.atoms))
        if number == len(self.atoms):
            self.atoms.append(parts)
        return Sum(0, ((number, 1),))

    def word(self, index: Sum) -> Sum:
        """A word of the launch-parameter table."""
        if index.known and index.constant in self.words:
            return Sum(self.words[index.constant])
        return self.atom("word", index)

    def apply(self, function: str, a: Sum, b: Sum) -> Sum:
        """A function of `alu`."""
        match function:
            case "add":
                return _added(a, b, 1)
            case "sub":
                return _added(a, b, -1)
            case "mul" | "shl" if b.known:
                factor = b.constant if function == "mul" else 1 << (b.constant % 64)
                return _scaled(a, factor)
            case "mul" if a.known:
                return _scaled(b, a.constant)
            case "min" | "max":
                return self._extreme(function, a, b)
            case "shr" if a.known and b.known:
                return Sum(a.constant >> (b.constant % 64))
            case "and" if a.known and b.known:
                return Sum(a.constant & b.constant)
            case "mul" | "and":
                return self.atom(function, *sorted((a, b), key=_order))
            case _:
                return self.atom(function, a, b)

    def _extreme(self, function: str, a: Sum, b: Sum) -> Sum:
        """min or max; nested ones are one, and known numbers are one."""
        parts = [part for one in (a, b) for part in self._parts(function, one)]
        known = [part.constant for part in parts if part.known]
        kept = {part for part in parts if not part.known}
        if known:
            kept.add(Sum(min(known) if function == "min" else max(known)))
        ordered = sorted(kept, key=_order)
        return ordered[0] if len(ordered) == 1 else self.atom(function, *ordered)

    def _parts(self, function: str, one: Sum) -> list[Sum]:
        if one.constant == 0 and len(one.terms) == 1 and one.terms[0][1] == 1:
            atom = self.atoms[one.terms[0][0]]
            if atom[0] == function:
                return [part for part in atom[1:] if isinstance(part, Sum)]
        return [one]

    def text(self, one: Sum) -> str:
        """The number as messages write it."""
        parts = [
            self._atom_text(self.atoms[number]) if factor == 1
            else f"{factor} * {self._atom_text(self.atoms[number])}"
            for number, factor in one.terms
        ]  # fmt: skip
        if one.constant or not parts:
            parts.append(str(one.constant))
        return " + ".join(parts)

    def _atom_text(self, atom: Atom) -> str:
        inside = [self.text(part) for part in atom[1:] if isinstance(part, Sum)]
        match atom[0]:
            case "word":
                (index,) = (part for part in atom[1:] if isinstance(part, Sum))
                known = self.names.get(index.constant) if index.known else None
                return known or f"word[{inside[0]}]"
            case "counter" | "popped" | "register":
                return " ".join(map(str, atom))
            case "min" | "max":
                return f"{atom[0]}({', '.join(inside)})"
            case _:
                return f"({f' {atom[0]} '.join(inside)})"


def _order(one: Sum) -> tuple[object, ...]:
    return len(one.terms), one.terms, one.constant


def _added(a: Sum, b: Sum, sign: int) -> Sum:
    terms = dict(a.terms)
    for number, factor in b.terms:
        terms[number] = terms.get(number, 0) + sign * factor
    kept = sorted((number, factor) for number, factor in terms.items() if factor)
    return Sum(a.constant + sign * b.constant, tuple(kept))


def _scaled(a: Sum, factor: int) -> Sum:
    if not factor:
        return Sum(0)
    return Sum(a.constant * factor, tuple((n, f * factor) for n, f in a.terms))
