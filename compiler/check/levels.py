"""A module of any level, run for one launch by the interpreter of its level."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from ...dialects.stream import ChannelOp
from ...dialects.tg import GlobalOp
from ...dialects.tile import TileOp
from ...dialects.tw import ProgramOp
from ..frontend import WeightStore
from ..interp import functions, run_graph, run_tile
from ..weights import weight_pieces
from .checkpoint import RandomCheckpoint
from .isa import run_isa
from .launch import Array, Launch

Results = dict[str, Array]


def level_of(module: ModuleOp) -> str:
    """`tensor`, `tiled`, `streamed` (placed too), `projected` or `isa`."""
    if any(isinstance(op, ProgramOp) for op in module.ops):
        return "isa"
    if not any(isinstance(op, TileOp) for op in module.walk()):
        return "tensor"
    if not any(isinstance(op, ChannelOp) for op in module.ops):
        return "tiled"
    return "streamed" if len(functions(module)) == 1 else "projected"


def run_level(
    module: ModuleOp, launch: Launch, checkpoint: RandomCheckpoint, machine: str
) -> Results:
    """State and outputs of one launch, by the interpreter of the module's level."""
    store = WeightStore(checkpoint.read)
    level = level_of(module)
    if level == "tensor":
        return run_graph(module, store, launch.data, launch.parameters)
    if level == "isa":
        return run_isa(module, launch, store, machine)
    return run_tile(module, {**stored(module, store), **launch.data}, launch.parameters)


def stored(module: ModuleOp, store: WeightStore) -> Results:
    """Weights and tables as the tile interpreter takes them: packed bytes, dense arrays."""
    declared = {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}
    pieces: dict[str, list[Array]] = {}
    for name, piece in weight_pieces(declared.values(), store):
        pieces.setdefault(name, []).append(piece)
    found: Results = {}
    for name, parts in pieces.items():
        raw, shaped = np.concatenate(parts), declared[name]
        found[name] = raw if _is_packed(shaped) else _as_array(raw, shaped)
    return found


def _is_packed(op: GlobalOp) -> bool:
    return not hasattr(op.type, "element_type")


def _as_array(raw: Array, op: GlobalOp) -> Array:
    count = int(np.prod(op.shape))
    return raw.view(f"V{raw.size // count}").reshape(op.shape)
