"""What each level means when run: tensors, tiles in order or by engine, races between engines.

`tensor` runs graph, fused and packed modules, `tile` tiled, streamed, placed and projected ones;
`races` looks for accesses that nothing orders. The isa level is run by the emulator in `runtime`.
"""

from .races import find_races, watch_races
from .tensor import run_graph
from .tile import run_tile, start, where
from .tile_channels import Ring
from .tile_machine import InterpretError, TileMachine, functions
from .tile_memory import Place

__all__ = [
    "InterpretError",
    "Place",
    "Ring",
    "TileMachine",
    "find_races",
    "functions",
    "run_graph",
    "run_tile",
    "start",
    "watch_races",
    "where",
]
