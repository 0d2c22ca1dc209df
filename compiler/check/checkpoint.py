"""Random weights that fit a module's declarations, the same for every level of it.

Weights are rows of a checkpoint that does not exist: the recipes say which tensors there would be
and how large, and each is drawn from a seed and its own name. So passes that merge, pack or
requantise parameters see the same model before and after.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from ...backend.errors import TilewrightError
from ...backend.formats import (
    CHANNEL_SCALE,
    ELEMENTS,
    Blocks,
    Call,
    Node,
    Source,
    find_format,
    parse_recipe,
    quantise,
)
from ...dialects.lowbit import PackedType
from ...dialects.tg import GlobalOp
from ..frontend import is_table


class CheckInputError(TilewrightError):
    """Declarations that no random input can be made for."""


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
