"""The bytes behind a module's recipes: blocks, matrices, vectors and tables, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import MemRefType, TensorType

from ...backend.errors import TilewrightError
from ...backend.formats import (
    CHANNEL_SCALE,
    ELEMENTS,
    Blocks,
    dequantise,
    find_format,
    parse_recipe,
    quantise,
    take_rows,
)
from ...dialects.lowbit import PackedType
from ...dialects.tg import GlobalOp
from .checkpoint import Checkpoint
from .tables import is_table, table_values


class WeightError(TilewrightError):
    """Rows that do not make the parameter that the module declares."""


class WeightStore:
    """Reads parameters by the recipes of `tg.global`; holds no more than the one asked for."""

    def __init__(self, read: Callable[[str], Blocks]) -> None:
        self._read = read

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> WeightStore:
        """The weights of a checkpoint."""
        return cls(checkpoint.read)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> WeightStore:
        """Given arrays by the recipe's tensor names: [N, K] rows, or vectors [N]. Their element
        type is their format: float32, float16 or bfloat16."""

        def read(name: str) -> Blocks:
            if name not in arrays:
                raise WeightError(f"there is no array {name!r}")
            values = arrays[name].reshape(arrays[name].shape[0], -1)
            names = {dtype: element for element, dtype in ELEMENTS.items()}
            return Blocks(names[values.dtype], values.shape[1], values)

        return cls(read)

    def blocks(self, declared: GlobalOp, layer: int = 0) -> Blocks:
        """Rows (output features) of one layer of a packed weight, in its declared format."""
        assert isinstance(declared.type, PackedType), "only packed weights have blocks"
        wanted = declared.type
        rows = self._rows(declared, layer, wanted.format.data)
        if (rows.n, rows.k) != (wanted.n, wanted.k):
            raise WeightError(
                f"@{declared.global_name}: the recipe {_recipe(declared)} gives {rows.n} rows of "
                f"{rows.k}, {wanted} wants {wanted.n} of {wanted.k}"
            )
        return rows

    def dense(self, declared: GlobalOp, layer: int = 0) -> NDArray[Any]:
        """One layer of a weight or table that is not packed, in its element type and shape
        without the layer axis. A memref of two axes holds the rows as they are; a tensor is
        [K, N], their transpose."""
        transposed = isinstance(declared.type, TensorType)
        assert transposed or isinstance(declared.type, MemRefType), "packed weights have blocks"
        name = str(cast(Any, declared).type.element_type)
        scaled = CHANNEL_SCALE.fullmatch(_recipe(declared))
        if scaled is not None:
            scales = self._recipe_rows(scaled[1], layer, "i8").channel_scale
            assert scales is not None, "rows of i8 have a scale each"
            return _shaped(declared, scales.astype(ELEMENTS[name]), declared.shape[-1:])
        if is_table(_recipe(declared)):
            values = table_values(_recipe(declared)).astype(ELEMENTS[name])
            return _shaped(declared, values, declared.shape)
        rows = dequantise(self._rows(declared, layer, "f32")).astype(ELEMENTS[name])
        layered = "{l}" in _recipe(declared)
        shape = declared.shape[1:] if layered else declared.shape
        if len(shape) < 2:
            return _shaped(declared, rows[:, 0], shape)
        return _shaped(declared, rows.T if transposed else rows, shape)

    def values(self, declared: GlobalOp, layer: int = 0, codes: bool = True) -> NDArray[np.float32]:
        """What `tg.weight` is: float32 [K, N] of a matrix, [N] of a vector, a memref as it is.

        Where columns have a scale each, a matrix is its codes, and the scales are a vector; without
        `codes`, it is what they make together.
        """
        if isinstance(declared.type, PackedType):
            blocks = self.blocks(declared, layer)
            if blocks.spec.channel_scale and codes:
                return blocks.codes[:, : blocks.k].T.astype(np.float32)
            return dequantise(blocks).T
        return self.dense(declared, layer).astype(np.float32)

    def picked(self, declared: GlobalOp, rows: NDArray[Any]) -> NDArray[np.float32]:
        """What `tg.embed` picks: float32 [len(rows), K]; rows outside the table are zeros."""
        inside = (rows >= 0) & (rows < self._count(declared))
        index = np.where(inside, rows, 0)
        if isinstance(declared.type, PackedType):
            found = dequantise(take_rows(self.blocks(declared), index))
        else:
            table = self.dense(declared).astype(np.float32)
            found = (table.T if isinstance(declared.type, TensorType) else table)[index]
        return np.where(inside[:, None], found, np.float32(0))

    def _count(self, declared: GlobalOp) -> int:
        return declared.shape[0 if isinstance(declared.type, MemRefType) else -1]

    def _rows(self, declared: GlobalOp, layer: int, format: str) -> Blocks:
        return self._recipe_rows(_recipe(declared), layer, format)

    def _recipe_rows(self, recipe: str, layer: int, format: str) -> Blocks:
        return parse_recipe(recipe).blocks(layer, lambda name: convert(self._read(name), format))


def convert(blocks: Blocks, format: str) -> Blocks:
    """The same rows in another format: exact to f32, rounded or quantised to others."""
    if blocks.format == format:
        return blocks
    values = dequantise(blocks)
    dense = find_format(format).dense
    if dense in ("f32", "f16", "bf16"):
        return Blocks(format, blocks.k, values.astype(ELEMENTS[dense]))
    return quantise(format, values)


def _recipe(declared: GlobalOp) -> str:
    assert declared.recipe is not None, "a verified weight or table has a recipe"
    return declared.recipe.data


def _shaped(declared: GlobalOp, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if values.shape != shape:
        raise WeightError(
            f"@{declared.global_name}: the recipe {_recipe(declared)} gives {list(values.shape)}, "
            f"the type wants {list(shape)}"
        )
    return values
