"""The tw dialect, the isa level: one op an instruction, one program an engine.

After the projected level; `encode` makes the words of it, one by one. Declarations (globals, launch
parameters, channels) stay as they were; the buffers of an engine become regions. The attributes of
memory spaces and engines belong to this dialect too.
"""

from xdsl.ir import Dialect

from ..spaces import AccAttr, EngineAttr, HbmAttr, SpmAttr
from .instruction import (
    INSTRUCTION_OPS,
    CopyOp,
    FillOp,
    GatherOp,
    InstructionOp,
    MmOp,
    ScatterOp,
    VecOp,
    VquantOp,
    VselOp,
    VtopkOp,
    VtrOp,
)
from .program import LoopOp, ProgramOp, RegionOp
from .registers import check_program
from .scalar import (
    AluOp,
    LdpOp,
    LiOp,
    PopOp,
    SyncOp,
)
from .symbols import check_instruction, check_pop, check_sync
from .types import ConstantAttr, Place, PlaceAttr, RegType, register_type

Tw = Dialect(
    "tw",
    [
        ProgramOp,
        RegionOp,
        LoopOp,
        LiOp,
        AluOp,
        LdpOp,
        PopOp,
        SyncOp,
        *INSTRUCTION_OPS.values(),
    ],
    [HbmAttr, SpmAttr, AccAttr, EngineAttr, RegType, PlaceAttr, ConstantAttr],
)

__all__ = [
    "INSTRUCTION_OPS",
    "AluOp",
    "ConstantAttr",
    "CopyOp",
    "FillOp",
    "GatherOp",
    "InstructionOp",
    "LdpOp",
    "LiOp",
    "LoopOp",
    "MmOp",
    "Place",
    "PlaceAttr",
    "PopOp",
    "ProgramOp",
    "RegType",
    "RegionOp",
    "ScatterOp",
    "SyncOp",
    "Tw",
    "VecOp",
    "VquantOp",
    "VselOp",
    "VtopkOp",
    "VtrOp",
    "check_instruction",
    "check_pop",
    "check_program",
    "check_sync",
    "register_type",
]
