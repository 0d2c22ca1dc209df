"""The xDSL context that knows every dialect of the levels."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.func import Func
from xdsl.dialects.memref import MemRef
from xdsl.dialects.scf import Scf
from xdsl.dialects.tensor import Tensor
from xdsl.ir import Dialect

from .lowbit import Lowbit
from .stream import Stream
from .tg import Tg
from .tile import Tile
from .tw import Tw

DIALECTS: tuple[Dialect, ...] = (Tg, Lowbit, Tile, Stream, Tw)
"""The project's own dialects, from the first level to the last."""

UPSTREAM: tuple[Dialect, ...] = (Arith, Builtin, Func, MemRef, Scf, Tensor)
"""The dialects that the levels take from xDSL."""


def context() -> Context:
    """A context with all dialects of all levels."""
    result = Context()
    for dialect in (*UPSTREAM, *DIALECTS):
        result.load_dialect(dialect)
    return result
