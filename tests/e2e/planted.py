"""Bugs planted in passes: a pass that afterwards changes its module's text.

monkeypatch.setitem(PASSES, "fuse", spoilt("fuse", "eps 1.0e-05", "eps 1.0e-01"))
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO

from models import Tiny
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from tilewright.passes import PASSES

TINY = Tiny("qwen3", width=40, heads=2, kv_heads=1, head_dim=16, ffn=40, vocab=33)
"""A model whose sizes are no multiples of a panel, with norms of heads, that compiles fast."""


def spoilt(name: str, pattern: str, new: str, count: int = 0) -> Callable[[], type[ModulePass]]:
    """A factory of the pass `name` with a bug: afterwards `new` stands for the pattern, at the
    first `count` matches (0: at all). Applying it raises AssertionError where nothing matches."""
    sound = PASSES[name]()

    class Spoilt(sound):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        def apply(self, ctx: Context, op: ModuleOp) -> None:
            sound.apply(self, ctx, op)
            out = StringIO()
            Printer(out, print_debuginfo=True).print_op(op)
            text, found = re.subn(pattern, new, out.getvalue(), count=count)
            assert found, f"after {name} nothing matches {pattern}"
            wrong = Parser(ctx, text).parse_module()
            op.detach_region(op.body)
            op.add_region(wrong.detach_region(wrong.body))

    return lambda: Spoilt
