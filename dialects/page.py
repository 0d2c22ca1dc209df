"""The page of the dialects, docs/dialects.md, from their docstrings: `python -m
tilewright.dialects.page`.
"""

from __future__ import annotations

import sys
from inspect import cleandoc

from xdsl.ir import Attribute, Dialect, Operation

from .context import DIALECTS

HEAD = """\
<!-- Made by `python -m tilewright.dialects.page > docs/dialects.md`; a test compares. -->
# Dialects

Five dialects carry a program from whole tensors to instructions; [levels.md](levels.md) follows one
through them. `arith`, `func`, `memref`, `scf` and `tensor` are xDSL's. In all texts a type is
written where a value is born, never where it is used. `attributes {...}` and a location may follow
any op.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_dialect(dialect) for dialect in DIALECTS)])


def _dialect(dialect: Dialect) -> str:
    """A dialect: what its module says, its types and attributes, its ops."""
    operations = list(dialect.operations)
    kinds: list[type[Operation] | type[Attribute]] = [*dialect.attributes, *operations]
    module = sys.modules[kinds[-1].__module__]
    package = sys.modules[module.__package__ or ""]
    text = module.__doc__ if package.__name__.count(".") == 1 else package.__doc__
    parts = [f"## {dialect.name}", "", cleandoc(text or ""), ""]
    for kind in kinds:
        mark = "" if kind in operations else "attribute " if is_plain(kind) else "type "
        parts += [f"### {mark}`{kind.name}`", "", cleandoc(kind.__doc__ or ""), ""]
    return "\n".join(parts)


def is_plain(kind: type) -> bool:
    """Whether an attribute is no type."""
    return not kind.__name__.endswith("Type")


if __name__ == "__main__":
    sys.stdout.write(page())
