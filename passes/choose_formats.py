"""choose-formats: the format of every packed parameter -> what the policy and the user ask for.

Without a wish parameters keep the checkpoint's format under `exact`; under `bf16` a dense float32
one is stored as bf16, which the matrix unit multiplies in one phase instead of three. A format with
one scale a column (`i8`) multiplies its codes alone: the scales become a parameter of their own, a
factor in the epilogue.

    %y = tg.matmul %n, %w   ->   %c = tg.matmul %n, %w     %y = tg.binary mul %c, %w_scale
"""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import MemRefType, ModuleOp, TensorType, f32
from xdsl.passes import ModulePass

from ..backend.formats import FORMATS, format_name
from ..dialects.lowbit import PackedType
from ..dialects.spaces import HBM
from ..dialects.tg import BinaryOp, GlobalOp, MatmulOp, WeightOp
from .located import PassError, located
from .policy import policy_of
from .symbols import globals_of


@dataclass(frozen=True)
class ChooseFormatsPass(ModulePass):
    """Fix the format of every packed parameter."""

    name = "choose-formats"

    weights: str | None = None
    """Format that all parameters of matmuls are stored in (`i8`, `int4-g128`, ...); by default the
    checkpoint's."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        wanted = None if self.weights is None else format_name(self.weights)
        policy = policy_of(op)
        known = globals_of(op)
        for declared in known.values():
            type_ = declared.type
            if not isinstance(type_, PackedType):
                continue
            if type_.order.data != "kn":
                _check_rows(declared, type_)
                continue
            stored = type_.format.data
            chosen = wanted or policy.weights.get(stored, stored)
            declared.type = PackedType(type_.get_shape(), chosen, "kn", type_.panel.data)
        for matmul in [o for o in op.walk() if isinstance(o, MatmulOp)]:
            weight = matmul.w.owner
            if isinstance(weight, WeightOp):
                type_ = known[weight.global_name].type
                if isinstance(type_, PackedType) and FORMATS[type_.format.data].channel_scale:
                    _scale_columns(known, matmul, weight, type_)


def _check_rows(declared: GlobalOp, type_: PackedType) -> None:
    """Rows that are gathered bring their scales along."""
    if FORMATS[type_.format.data].channel_scale:
        raise PassError(
            f"{located(declared)}: @{declared.global_name} is {type_}: rows of "
            f"{type_.format.data} that are gathered bring no scale along; use a format with "
            "blocks, such as q8_0, or a float",
            declared,
        )


def _scale_columns(
    known: dict[str, GlobalOp], matmul: MatmulOp, weight: WeightOp, type_: PackedType
) -> None:
    """Multiply a matmul's columns by the scales of its codes."""
    codes = known[weight.global_name]
    name = f"{codes.global_name}_scale"
    if name not in known:
        assert codes.recipe is not None, "a verified weight has a recipe"
        shape = (*type_.get_shape()[:-2], type_.n)
        scales = MemRefType(f32, shape, memory_space=HBM)
        declared = GlobalOp("weight", name, scales, f"channel_scale({codes.recipe.data})")
        declared.location = codes.location
        assert codes.parent is not None
        codes.parent.insert_op_after(declared, codes)
        known[name] = declared
    scale = WeightOp(name, TensorType(f32, (type_.n,)), weight.layer)
    scale.result.name_hint = name
    product = BinaryOp("mul", matmul.result, scale.result)
    for new in (scale, product):
        new.location = matmul.location
    assert matmul.parent is not None
    matmul.parent.insert_ops_after([scale, product], matmul)
    matmul.result.replace_uses_with_if(product.result, lambda use: use.operation is not product)
