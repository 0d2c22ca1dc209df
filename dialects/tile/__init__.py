"""The tile dialect: the sequential tile program, plain code on buffers of static size.

Before it: fused kernels on tensors. After it: the `stream` dialect turns what crosses engines into
channels. Only tile.load, tile.store, tile.gather and, where the scratchpad holds globals, tile.part
name them; all else works on spm and acc.
"""

from xdsl.ir import Dialect

from ..shaped import FLOATS, element_bytes, nbytes
from .base import (
    TileOp,
    align_box,
    element_of,
    is_contiguous,
    shape_of,
    strides_of,
)
from .gather import GatherOp
from .matrix import MatmulOp
from .memory import BoxOp, BufferOp, LoadOp, StoreOp
from .part import PartOp, box_shape, boxes_of, globals_read, globals_written, parts_of
from .shuffle import QuantiseOp, SelectOp, TopkOp, TransposeOp
from .vector import FUNCTIONS, OPERATORS, REDUCTIONS, Band, VecOp
from .views import ReshapeOp, check_part, offset_of, reshape, reshaped_strides, root, subview

Tile = Dialect(
    "tile",
    [
        BufferOp,
        LoadOp,
        StoreOp,
        PartOp,
        GatherOp,
        MatmulOp,
        VecOp,
        SelectOp,
        TopkOp,
        TransposeOp,
        QuantiseOp,
        ReshapeOp,
    ],
    [],
)

__all__ = [
    "FLOATS",
    "FUNCTIONS",
    "OPERATORS",
    "REDUCTIONS",
    "Band",
    "BoxOp",
    "BufferOp",
    "GatherOp",
    "LoadOp",
    "MatmulOp",
    "PartOp",
    "QuantiseOp",
    "ReshapeOp",
    "SelectOp",
    "StoreOp",
    "Tile",
    "TileOp",
    "TopkOp",
    "TransposeOp",
    "VecOp",
    "align_box",
    "box_shape",
    "boxes_of",
    "check_part",
    "element_bytes",
    "element_of",
    "globals_read",
    "globals_written",
    "is_contiguous",
    "nbytes",
    "offset_of",
    "parts_of",
    "reshape",
    "reshaped_strides",
    "root",
    "shape_of",
    "strides_of",
    "subview",
]
