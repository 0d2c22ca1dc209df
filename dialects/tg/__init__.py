"""The tg dialect: declarations of a module, whole tensors with value semantics, fused kernels.

First of the levels: front ends build it, the passes merge and fuse it, and `tile` turns each kernel
into loops on buffers. The declarations stay to the end.
"""

from xdsl.ir import Dialect

from .access import EmbedOp, InputOp, OutputOp, TakeOp, WeightOp
from .attention import AttentionOp, CacheOp, KvAppendOp, RopeOp
from .declare import ROLES, STORED_ROLES, GetOp, GlobalOp, ScalarOp, TableOp
from .fused import FusedOp, YieldOp
from .graph import (
    BINARY,
    UNARY,
    BinaryOp,
    LayerNormOp,
    MatmulOp,
    RmsNormOp,
    SplitOp,
    UnaryOp,
)
from .scores import MixOp, OneCacheOp, ScoresOp
from .softmax import SEEN, SoftmaxOp
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
        InputOp,
        OutputOp,
        MatmulOp,
        RmsNormOp,
        LayerNormOp,
        SoftmaxOp,
        UnaryOp,
        BinaryOp,
        SplitOp,
        RopeOp,
        KvAppendOp,
        AttentionOp,
        ScoresOp,
        MixOp,
        FusedOp,
        YieldOp,
    ],
    [SizesAttr],
)

__all__ = [
    "BINARY",
    "ROLES",
    "SEEN",
    "STORED_ROLES",
    "UNARY",
    "AttentionOp",
    "BinaryOp",
    "CacheOp",
    "EmbedOp",
    "FusedOp",
    "GetOp",
    "GlobalOp",
    "InputOp",
    "KvAppendOp",
    "LayerNormOp",
    "MatmulOp",
    "MixOp",
    "OneCacheOp",
    "OutputOp",
    "RmsNormOp",
    "RopeOp",
    "ScalarOp",
    "ScoresOp",
    "SizesAttr",
    "SoftmaxOp",
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
