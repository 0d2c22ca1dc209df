"""The tg dialect: declarations of a module, whole tensors with value semantics, fused kernels.

First of the levels: front ends build it, the passes merge and fuse it, and `tile` turns each kernel
into loops on buffers. The declarations stay to the end.
"""

from xdsl.ir import Dialect

from .access import EmbedOp, OutputOp, TakeOp, WeightOp
from .attention import AttentionOp, CacheOp, KvAppendOp, RopeOp
from .declare import ROLES, STORED_ROLES, GetOp, GlobalOp, ScalarOp, TableOp
from .fused import FusedOp, YieldOp
from .graph import BINARY, UNARY, BinaryOp, MatmulOp, RmsNormOp, SplitOp, UnaryOp
from .types import SizesAttr, check_sizes, rows_type, with_columns

Tg = Dialect(
    "tg",
    [
        GlobalOp,
        ScalarOp,
        TableOp,
        GetOp,
        WeightOp,
        EmbedOp,
        TakeOp,
        OutputOp,
        MatmulOp,
        RmsNormOp,
        UnaryOp,
        BinaryOp,
        SplitOp,
        RopeOp,
        KvAppendOp,
        AttentionOp,
        FusedOp,
        YieldOp,
    ],
    [SizesAttr],
)

__all__ = [
    "BINARY",
    "ROLES",
    "STORED_ROLES",
    "UNARY",
    "AttentionOp",
    "BinaryOp",
    "CacheOp",
    "EmbedOp",
    "FusedOp",
    "GetOp",
    "GlobalOp",
    "KvAppendOp",
    "MatmulOp",
    "OutputOp",
    "RmsNormOp",
    "RopeOp",
    "ScalarOp",
    "SizesAttr",
    "SplitOp",
    "TableOp",
    "TakeOp",
    "Tg",
    "UnaryOp",
    "WeightOp",
    "YieldOp",
    "check_sizes",
    "rows_type",
    "with_columns",
]
