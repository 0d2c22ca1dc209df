"""Locations: the part of the model an op stems from, `loc("blk.{l}.ffn_down")`, kept through
all passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    FileLineColLoc,
    LocationAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriterListener,
    PatternRewriteWalker,
    RewritePattern,
)


def named(name: str) -> NameLoc:
    """The location of a part of the model; `{l}` stands for the layer."""
    return NameLoc(StringAttr(name), UnknownLoc())


def location_name(op: Operation) -> str:
    """The part of the model an op stems from, or its place in a file, or ""."""
    location = op.location
    if isinstance(location, NameLoc):
        return location.desc.data
    if isinstance(location, FileLineColLoc):
        return f"{location.filename.data}:{location.line.data}:{location.column.data}"
    return ""


def locate(op: Operation, location: LocationAttr) -> None:
    """Give `location` to an op and what it contains, where they have none."""
    for inner in op.walk():
        if isinstance(inner.location, UnknownLoc):
            inner.location = location


def keep_location(op: Operation, new_results: Sequence[SSAValue | None]) -> None:
    """Give the location of a replaced op to the ops that replace it, where they have none."""
    for value in new_results:
        if value is not None and isinstance(value.owner, Operation):
            locate(value.owner, op.location)


def rewrite(module: ModuleOp, *patterns: RewritePattern, recursive: bool = True) -> bool:
    """Apply patterns until none matches (or in one sweep), keeping locations; whether any
    matched.
    """
    listener = PatternRewriterListener(operation_replacement_handler=[keep_location])
    applier = GreedyRewritePatternApplier(list(patterns), dce_enabled=False)
    walker = PatternRewriteWalker(applier, apply_recursively=recursive, listener=listener)
    return walker.rewrite_module(module)
