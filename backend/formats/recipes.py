"""Recipes: which checkpoint rows make up the rows of a packed weight, as text.

    concat(rotary('blk.{l}.attn_q.weight', 9), rotary('blk.{l}.attn_k.weight', 3),
           'blk.{l}.attn_v.weight')

A recipe moves whole rows and never changes a value, so quantised checkpoints are never
requantised. `{l}` in a name is the layer. A vector is rows of one value. The functions:

    rows(r, start, stop)       rows start .. stop - 1
    rotary(r, heads)           rows [heads * d] as (heads, d/2, 2), last two axes swapped: undoes
                               the interleaving of rotary pairs in llama-arch GGUF files
    concat(r, ...)             all rows of each, one after another
    interleave(r, s, group)    group rows of r, group rows of s, and so on; what remains at the
                               end likewise
    pad(r, n)                  rows of zeros at the end, up to n rows

The scales of rows with one scale each are a vector: `channel_scale(r)`, around a whole recipe only.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .blocks import Blocks, concat, take_rows, zero_rows
from .table import Array, FormatError

CHANNEL_SCALE = re.compile(r"channel_scale\((.*)\)", re.S)
"""The recipe of a vector of scales, one for each `i8` row; within, the recipe of the rows."""

PADDING = -1
"""Source number, and row, of a padding row in a row map."""


@dataclass(frozen=True)
class Source:
    """All rows of one checkpoint tensor."""

    name: str

    def __str__(self) -> str:
        # Single quotes: the IR writes a recipe as a string, whose own quotes it would escape.
        return repr(self.name)


@dataclass(frozen=True)
class Call:
    """One of FUNCTIONS applied to rows."""

    function: str
    rows: tuple["Node", ...]
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, (*self.rows, *self.numbers)))})"


Node = Source | Call

FUNCTIONS: dict[str, tuple[int | None, int]] = {
    "rows": (1, 2),
    "rotary": (1, 1),
    "concat": (None, 0),
    "interleave": (2, 1),
    "pad": (1, 1),
}
"""Function -> how many rows arguments (None: one or more) and how many integers, in that order."""


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe; `str` gives text that parses back to an equal recipe."""

    root: Node

    def __str__(self) -> str:
        return str(self.root)

    def sources(self, layer: int) -> list[str]:
        """Names of the checkpoint tensors of one layer, each once, in order of appearance."""
        found: dict[str, None] = {}

        def walk(node: Node) -> None:
            if isinstance(node, Source):
                found[_name(node, layer)] = None
            else:
                for part in node.rows:
                    walk(part)

        walk(self.root)
        return list(found)

    def row_map(self, layer: int, source_rows: Callable[[str], int]) -> tuple[list[str], Array]:
        """Where each row comes from: source names, and int64 [N, 2] of (source number, row).

        `source_rows(name)` is the count of rows of a checkpoint tensor. A padding row is (-1, -1).
        Raises FormatError when rows do not fit a function, naming function and counts.
        """
        names = self.sources(layer)

        def build(node: Node) -> Array:
            if isinstance(node, Source):
                name = _name(node, layer)
                count = source_rows(name)
                number = np.full(count, names.index(name), np.int64)
                return np.stack([number, np.arange(count)], axis=1)
            return _apply(node, [build(part) for part in node.rows])

        return names, build(self.root)

    def blocks(self, layer: int, read: Callable[[str], Blocks]) -> Blocks:
        """The rows themselves; `read(name)` is called once for each source.

        Raises FormatError as `row_map` does, and when sources differ in format or row length.
        """
        parts = {name: read(name) for name in self.sources(layer)}
        names, where = self.row_map(layer, lambda name: parts[name].n)
        first = parts[names[0]]
        for name in names[1:]:
            if (parts[name].format, parts[name].k) != (first.format, first.k):
                raise FormatError(
                    f"recipe {self}: found {name} of {parts[name].k} x {parts[name].format} beside"
                    f" {names[0]} of {first.k} x {first.format}; wanted one format and one length"
                )
        starts = np.cumsum([0, *(parts[name].n for name in names)])
        everything = [parts[name] for name in names]
        if (where == PADDING).any():
            everything.append(zero_rows(first.format, 1, first.k))
        # A padding row has source number -1: the last start, which is the row of zeros.
        index = starts[where[:, 0]] + np.maximum(where[:, 1], 0)
        joined = concat(everything)
        if np.array_equal(index, np.arange(joined.n)):
            return joined
        return take_rows(joined, index)


def _name(source: Source, layer: int) -> str:
    return source.name.replace("{l}", str(layer))


def _apply(call: Call, parts: list[Array]) -> Array:
    """A function on row maps."""
    rows = parts[0]
    count = len(rows)

    def refuse(wanted: str) -> FormatError:
        numbers = ", ".join(map(str, call.numbers))
        return FormatError(f"recipe: {call.function}(..., {numbers}) of {count} rows: {wanted}")

    match call.function:
        case "rows":
            start, stop = call.numbers
            if not 0 <= start <= stop <= count:
                raise refuse(f"wanted 0 <= start <= stop <= {count}")
            return rows[start:stop]
        case "rotary":
            heads = call.numbers[0]
            if heads < 1 or count % (2 * heads):
                raise refuse("wanted whole heads of an even number of rows each")
            pairs = rows.reshape(heads, count // heads // 2, 2, 2)
            return pairs.swapaxes(1, 2).reshape(count, 2)
        case "concat":
            return np.concatenate(parts)
        case "interleave":
            group = call.numbers[0]
            if group < 1 or len(parts[1]) != count:
                raise refuse(f"wanted as many rows in both, found {len(parts[1])}, group >= 1")
            cuts = range(0, count, group)
            return np.concatenate([part[cut : cut + group] for cut in cuts for part in parts])
        case _:
            total = call.numbers[0]
            if total < count:
                raise refuse(f"wanted at least {count}")
            return np.concatenate([rows, np.full((total - count, 2), PADDING, np.int64)])


def parse_recipe(text: str) -> Recipe:
    """The recipe that `text` states. Raises FormatError with the column of what is wrong."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise FormatError(f"recipe {text!r}, column {column}: not an expression") from error
    return Recipe(_node(text, tree.body))


def _refuse(text: str, at: ast.expr, wanted: str) -> FormatError:
    found = ast.get_source_segment(text.strip(), at) or "?"
    return FormatError(
        f"recipe {text!r}, column {at.col_offset + 1}: found {found}, wanted {wanted}"
    )


def _node(text: str, tree: ast.expr) -> Node:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return Source(tree.value)
    if not isinstance(tree, ast.Call):
        raise _refuse(text, tree, "a tensor's name in quotes or a function of rows")
    if not isinstance(tree.func, ast.Name) or tree.func.id not in FUNCTIONS:
        raise _refuse(text, tree.func, f"one of {', '.join(FUNCTIONS)}")
    if tree.keywords:
        raise _refuse(text, tree.keywords[0].value, "no named argument")
    function = tree.func.id
    rows_wanted, numbers_wanted = FUNCTIONS[function]
    count = len(tree.args) if rows_wanted is None else rows_wanted
    if len(tree.args) != count + numbers_wanted or not count:
        rows_text = "one or more" if rows_wanted is None else str(rows_wanted)
        wanted = f"{rows_text} rows and {numbers_wanted} integers in {function}"
        raise _refuse(text, tree, wanted)
    rows = tuple(_node(text, argument) for argument in tree.args[:count])
    numbers = tuple(_number(text, argument) for argument in tree.args[count:])
    return Call(function, rows, numbers)


def _number(text: str, tree: ast.expr) -> int:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return tree.value
    raise _refuse(text, tree, "a non-negative integer")
