"""The bytes of an image's weights and tables, made from the checkpoint one layer at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..backend.formats import pack_panels
from ..dialects.lowbit import PackedType
from ..dialects.tg import STORED_ROLES, GlobalOp
from .frontend import WeightStore

Piece = tuple[str, NDArray[np.uint8]]


def stored_globals(declared: Iterable[GlobalOp]) -> list[GlobalOp]:
    """The weights and tables among declarations."""
    return [one for one in declared if one.role.data in STORED_ROLES]


def weight_pieces(declared: Iterable[GlobalOp], store: WeightStore) -> Iterator[Piece]:
    """(global's name, bytes) in pieces of at most one layer, those of one global in their order."""
    for one in stored_globals(declared):
        for layer in range(layers_of(one)):
            if isinstance(one.type, PackedType):
                blocks = store.blocks(one, layer)
                for panel in pack_panels(one.type.packing, blocks):
                    yield one.global_name, panel.reshape(-1).view(np.uint8)
            else:
                values = np.ascontiguousarray(store.dense(one, layer))
                yield one.global_name, values.reshape(-1).view(np.uint8)


def layers_of(declared: GlobalOp) -> int:
    """How many layers a weight or table has: 1 unless its recipe names the layer."""
    assert declared.recipe is not None, "a verified weight or table has a recipe"
    return declared.shape[0] if "{l}" in declared.recipe.data else 1
