"""choose-formats: the formats of operands, from the numeric policy of the module.

Packed parameters keep the checkpoint's format under `exact`. Under `bf16` a dense float32
parameter is stored as bf16, which the matrix unit multiplies in one phase instead of three.
"""

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ..dialects.lowbit import PackedType
from .policy import policy_of
from .symbols import globals_of


class ChooseFormatsPass(ModulePass):
    """Fix the format of every packed parameter."""

    name = "choose-formats"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        policy = policy_of(op)
        for declared in globals_of(op).values():
            type_ = declared.type
            if not isinstance(type_, PackedType) or type_.order.data != "kn":
                continue
            chosen = policy.weights.get(type_.format.data, type_.format.data)
            if chosen != type_.format.data:
                declared.type = PackedType(
                    type_.get_shape(), chosen, type_.order.data, type_.panel.data
                )
