"""Random weights and launches that fit a module's declarations, the same for every level of it.

Weights are rows of a checkpoint that does not exist: the recipes say which tensors there would be
and how large, and each is drawn from a seed and its own name. So passes that merge, pack or
requantise parameters see the same model before and after.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from ..backend.errors import TilewrightError
from ..backend.formats import CHANNEL_SCALE, ELEMENTS, Blocks, find_format, parse_recipe, quantise
from ..backend.formats.recipes import Call, Node, Source
from ..dialects.lowbit import PackedType
from ..dialects.shaped import is_memref, memref_of
from ..dialects.tg import EmbedOp, GlobalOp, ScalarOp, TableOp
from ..dialects.tile import GatherOp
from .frontend.tables import is_table

Array = NDArray[Any]
MOST_ROWS = 8
"""Rows of a launch at most, so that a check takes seconds."""


class CheckInputError(TilewrightError):
    """Declarations that no random input can be made for."""


@dataclass(frozen=True)
class Launch:
    """Launch parameters, and arrays of inputs and state by name."""

    parameters: Mapping[str, int | tuple[int, ...]]
    data: Mapping[str, Array]


class RandomCheckpoint:
    """Tensors that the recipes of a module name, drawn from a seed.

    Args:
        module: declares the weights; sizes of tensors come from single-source recipes first, those
            of merged ones are shared out evenly.
        seed: of all values.
    """

    def __init__(self, module: ModuleOp, seed: int = 0) -> None:
        self.seed = seed
        self._formats: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, int]] = {}
        self._layers: dict[str, int] = {}
        weights = [op for op in module.ops if isinstance(op, GlobalOp) and _has_rows(op)]
        for op in sorted(weights, key=lambda op: len(sources_of(op))):
            layers = op.shape[0] if "{l}" in _recipe(op) else 1
            n, k = _rows(op)
            found: dict[str, int] = {name: rows for name, (rows, _) in self._shapes.items()}
            _share(parse_recipe(_recipe(op)).root, n, found)
            for name in sources_of(op):
                self._shapes[name] = (found[name], k)
                self._layers[name] = layers
        self.learn_formats(module)

    def learn_formats(self, module: ModuleOp) -> bool:
        """Draw tensors in the formats that a module packs them in; says whether any changed."""
        before = dict(self._formats)
        for op in module.ops:
            if isinstance(op, GlobalOp) and isinstance(op.type, PackedType):
                for name in sources_of(op):
                    self._formats[name] = op.type.format.data
        return before != self._formats

    def read(self, name: str) -> Blocks:
        """A tensor's rows. Raises CheckInputError for a name that no recipe has."""
        for template, layers in self._layers.items():
            for layer in range(layers):
                if template.replace("{l}", str(layer)) == name:
                    return self._draw(name, *self._shapes[template], self._formats.get(template))
        raise CheckInputError(f"no recipe of the module names the tensor {name!r}")

    def _draw(self, name: str, n: int, k: int, format: str | None) -> Blocks:
        random = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        if k == 1:
            values = 1 + 0.1 * random.standard_normal((n, 1), np.float32)
            return Blocks("f32", 1, values.astype(np.float32))
        values = random.standard_normal((n, k), np.float32) / np.float32(np.sqrt(k))
        name = "f32" if format is None else format
        dense = find_format(name).dense
        if dense in ("f32", "f16", "bf16"):
            return Blocks(name, k, values.astype(ELEMENTS[dense]))
        return quantise(name, values)


def _recipe(op: GlobalOp) -> str:
    assert op.recipe is not None, "a verified weight or table has a recipe"
    return op.recipe.data


def _has_rows(op: GlobalOp) -> bool:
    """Whether it is rows of a checkpoint: neither a computed table, nor the scales of rows."""
    if op.role.data not in ("weight", "table") or is_table(_recipe(op)):
        return False
    return CHANNEL_SCALE.fullmatch(_recipe(op)) is None


def sources_of(op: GlobalOp) -> list[str]:
    """Names of the checkpoint tensors whose rows it is, `{l}` left in."""
    if not _has_rows(op):
        return []
    found: dict[str, None] = {}

    def walk(node: Node) -> None:
        if isinstance(node, Source):
            found[node.name] = None
        else:
            for part in node.rows:
                walk(part)

    walk(parse_recipe(_recipe(op)).root)
    return list(found)


def _rows(op: GlobalOp) -> tuple[int, int]:
    """N and K of one layer's rows; a vector is N rows of 1."""
    if isinstance(op.type, PackedType):
        return op.type.n, op.type.k
    shape = op.shape[1:] if "{l}" in _recipe(op) else op.shape
    if len(shape) == 1:
        return shape[0], 1
    if len(shape) != 2:
        raise CheckInputError(f"@{op.global_name} : {op.type}: want a vector or a matrix a layer")
    return shape[1], shape[0]


def _share(node: Node, n: int, known: dict[str, int]) -> None:
    """Give every tensor of a recipe of `n` rows its count of rows; known ones keep theirs."""
    if isinstance(node, Source):
        known[node.name] = max(known.get(node.name, 0), n)
        return
    match node.function:
        case "rows":
            _share(node.rows[0], max(n, node.numbers[1]), known)
        case "rotary" | "pad":
            inner = _size(node.rows[0], known)
            _share(node.rows[0], n if inner is None else inner, known)
        case _:
            sizes = [_size(part, known) for part in node.rows]
            missing = [i for i, size in enumerate(sizes) if size is None]
            left = n - sum(size for size in sizes if size is not None)
            for number, i in enumerate(missing):
                sizes[i] = left // len(missing) + (number < left % len(missing))
            for part, size in zip(node.rows, sizes, strict=True):
                assert size is not None, "shared out"
                _share(part, size, known)


def _size(node: Node, known: Mapping[str, int]) -> int | None:
    """Rows that a recipe gives if its tensors are known."""
    if isinstance(node, Source):
        return known.get(node.name)
    sizes = [_size(part, known) for part in node.rows]
    if any(size is None for size in sizes):
        return None
    match node:
        case Call("rows", _, (start, stop)):
            return stop - start
        case Call("pad", _, (total,)):
            return total
        case _:
            return sum(size for size in sizes if size is not None)


def random_launch(module: ModuleOp, seed: int = 0, most_rows: int = MOST_ROWS) -> Launch:
    """Launch parameters and inputs that fit a module, drawn from a seed.

    The parameters of a ragged step are consistent: rows of the sequences follow each other, and
    cached and new positions fit the context. Others are drawn from the low end of their ranges.
    State starts at random values.
    """
    random = np.random.default_rng([seed, 1])
    scalars = {op.scalar_name: op for op in module.ops if isinstance(op, ScalarOp)}
    tables = {op.table_name: op for op in module.ops if isinstance(op, TableOp)}
    parameters: dict[str, int | tuple[int, ...]] = {}
    for name, op in scalars.items():
        parameters[name] = _between(random, op.lo.data, op.hi.data)
    for name, op in tables.items():
        words = [_between(random, op.lo.data, op.hi.data) for _ in range(op.count.data)]
        parameters[name] = tuple(words)
    if {"row_start", "q_len", "kv_len"} <= tables.keys() and "rows" in scalars:
        parameters |= _ragged(
            random, min(most_rows, scalars["rows"].hi.data), tables["q_len"], tables["kv_len"]
        )
        if "logit_rows" in scalars:
            rows, most = parameters["rows"], scalars["logit_rows"].hi.data
            assert isinstance(rows, int), "rows is one number"
            parameters["logit_rows"] = int(random.integers(min(1, rows), min(rows, most) + 1))
    data = {
        op.global_name: _values(random, module, op, parameters)
        for op in module.ops
        if isinstance(op, GlobalOp) and op.role.data in ("input", "state")
    }
    return Launch(parameters, data)


def _between(random: np.random.Generator, low: int, high: int) -> int:
    return int(random.integers(low, min(high, low + MOST_ROWS) + 1))


def _ragged(
    random: np.random.Generator, most_rows: int, q_len: TableOp, kv_len: TableOp
) -> dict[str, int | tuple[int, ...]]:
    """Sequences of some new and some cached positions; at least one new row in all."""
    context = kv_len.hi.data + 1
    left = min(most_rows, MOST_ROWS)
    starts: list[int] = []
    new: list[int] = []
    cached: list[int] = []
    at = 0
    for sequence in range(q_len.count.data):
        most = min(q_len.hi.data, left)
        length = int(random.integers(1 if sequence == 0 else 0, most + 1)) if most else 0
        starts.append(at)
        new.append(length)
        cached.append(int(random.integers(0, max(context - length, 0) + 1)) if length else 0)
        cached[-1] = min(cached[-1], kv_len.hi.data)
        at += length
        left -= length
    return {"rows": at, "row_start": tuple(starts), "q_len": tuple(new), "kv_len": tuple(cached)}


def _values(
    random: np.random.Generator,
    module: ModuleOp,
    op: GlobalOp,
    parameters: Mapping[str, int | Sequence[int]],
) -> Array:
    """An input or state. Row numbers stay inside what they index."""
    if not is_memref(op.type):
        raise CheckInputError(f"@{op.global_name} : {op.type}: inputs and state are memrefs")
    name = str(memref_of(op.type).element_type)
    if name not in ELEMENTS:
        raise CheckInputError(f"@{op.global_name}: no random values of {name}")
    dtype = ELEMENTS[name]
    if dtype.kind in "iu":
        rows = parameters.get("rows", 1)
        limit = rows if op.global_name == "logit_index" and isinstance(rows, int) else 0
        limit = limit or _indexed_rows(module, op.global_name)
        return random.integers(0, max(limit, 1), op.shape).astype(dtype)
    return random.standard_normal(op.shape, np.float32).astype(dtype)


def _indexed_rows(module: ModuleOp, index: str) -> int:
    """Rows of the smallest global that `index` picks rows of; 2 if nothing does."""
    declared = {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}
    limits: list[int] = []
    for op in module.walk():
        if isinstance(op, EmbedOp | GatherOp) and op.index_name == index:
            picked = declared[op.global_name]
            limits.append(picked.type.n if isinstance(picked.type, PackedType) else picked.shape[0])
    return min(limits, default=2)
