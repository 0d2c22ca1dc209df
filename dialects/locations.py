"""Locations: the part of the model an op stems from, `loc("blk.{l}.ffn_down")`, kept through
all passes.

An op that was read from a file has its place there, too: beside a name, which is all that is
printed, or in place of one.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
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
from xdsl.utils.hints import isa

SOURCES = "tw.sources"
"""The module's table of names that passes made: `{"blk.{l}.attn_qkv" = ["blk.{l}.attn_q", ..]}`."""


def named(name: str) -> NameLoc:
    """The location of a part of the model; `{l}` stands for the layer."""
    return NameLoc(StringAttr(name), UnknownLoc())


def placed(location: LocationAttr, place: FileLineColLoc) -> LocationAttr:
    """A location that also says where in a file an op stands, unless it does already."""
    if isinstance(location, NameLoc):
        return NameLoc(location.desc, place)
    return place if isinstance(location, UnknownLoc) else location


def model_name(op: Operation) -> str:
    """The part of the model an op stems from, or ""."""
    return op.location.desc.data if isinstance(op.location, NameLoc) else ""


def file_location(op: Operation) -> FileLineColLoc | None:
    """The place in a file that an op stems from, if it is known."""
    place = op.location.location if isinstance(op.location, NameLoc) else op.location
    return place if isinstance(place, FileLineColLoc) else None


def location_name(op: Operation) -> str:
    """The part of the model an op stems from, or its place in a file, or ""."""
    return model_name(op) or _place_text(op)


def _place_text(op: Operation) -> str:
    place = file_location(op)
    if place is None:
        return ""
    return f"{place.filename.data}:{place.line.data}:{place.column.data}"


def whereabouts(op: Operation) -> str:
    """`tile.matmul at blk.{l}.ffn_down (06-tile.mlir:211:5)`: what is known of name and place."""
    name, place = model_name(op), _place_text(op)
    if not name or not place:
        return f"{op.name} at {name or place}" if name or place else op.name
    return f"{op.name} at {name} ({place})"


def derive(module: ModuleOp, name: str, sources: Sequence[str]) -> None:
    """Note in the module that `name` stands for the work of the graph's ops at `sources`."""
    noted = module.attributes.get(SOURCES, DictionaryAttr({}))
    assert isinstance(noted, DictionaryAttr)
    known = sources_of(module)
    found = [graph for source in sources for graph in known.get(source, [source])]
    every = ArrayAttr([StringAttr(graph) for graph in dict.fromkeys(found)])
    module.attributes[SOURCES] = DictionaryAttr({**noted.data, name: every})


def sources_of(module: ModuleOp) -> dict[str, list[str]]:
    """Name of a location that a pass made -> the names in the graph that it stands for."""
    noted = module.attributes.get(SOURCES)
    if not isinstance(noted, DictionaryAttr):
        return {}
    return {
        name: [one.data for one in names]
        for name, names in noted.data.items()
        if isa(names, ArrayAttr[StringAttr])
    }


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
