"""Symbols of a module: which are taken, and new ones."""

from collections.abc import Iterable

from xdsl.dialects.builtin import ModuleOp, StringAttr


def symbols(module: ModuleOp) -> set[str]:
    """The names declared in a module."""
    names = (op.get_attr_or_prop("sym_name") for op in module.ops)
    return {name.data for name in names if isinstance(name, StringAttr)}


class Names:
    """Makes names that are not taken."""

    def __init__(self, taken: Iterable[str]):
        self.taken = set(taken)

    def fresh(self, wish: str) -> str:
        """`wish`, or with the first number that is free."""
        name, number = wish, 1
        while name in self.taken:
            name, number = f"{wish}_{number}", number + 1
        self.taken.add(name)
        return name
