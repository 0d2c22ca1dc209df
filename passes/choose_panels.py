"""choose-panels: `kn` -> `kn Np` on every parameter; columns that an epilogue pairs alternate.

Np is the machine's: arrays x columns, if two accumulator pages fit. A kernel that splits its
matmul in two and combines the halves (gate and up) needs both in one panel: its columns alternate
by half a panel.
"""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntAttr, ModuleOp, StringAttr
from xdsl.passes import ModulePass

from ..backend.formats import CHANNEL_SCALE, Call, parse_recipe
from ..backend.machine import load_machine
from ..dialects.lowbit import PackedType
from ..dialects.tg import BinaryOp, FusedOp, GlobalOp, MatmulOp, SplitOp, WeightOp
from .located import PassError, located
from .symbols import globals_of


@dataclass(frozen=True)
class ChoosePanelsPass(ModulePass):
    """Fix the width of panels, and with it the order of columns."""

    name = "choose-panels"

    machine: str = "tw-small"
    """Name of a machine, or the path of its description."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        width = load_machine(self.machine).panel_width
        known = globals_of(op)
        for declared in known.values():
            type_ = declared.type
            if isinstance(type_, PackedType) and type_.order.data == "kn":
                declared.type = PackedType(type_.get_shape(), type_.format.data, "kn", width)
        for kernel in [o for o in op.walk() if isinstance(o, FusedOp)]:
            for split in [o for o in kernel.body.block.ops if isinstance(o, SplitOp)]:
                if any(isinstance(o, MatmulOp) for o in kernel.body.block.ops):
                    _alternate(known, split, width // 2)


def _alternate(known: dict[str, GlobalOp], split: SplitOp, group: int) -> None:
    """Interleave the rows of the parameters behind a split of a matmul into two equal parts."""
    if len(split.columns) != 2 or len(set(split.columns)) != 1:
        raise PassError(
            f"{located(split)}: parts of {list(split.columns)} columns in a matmul's kernel; "
            "wanted two equal ones",
            split,
        )
    split.group = IntAttr(group)
    value = split.x
    while True:
        owner = value.owner
        if isinstance(owner, BinaryOp) and isinstance(owner.y.owner, WeightOp):
            _interleave(known[owner.y.owner.global_name], split.columns[0], group)
            value = owner.x
        elif isinstance(owner, MatmulOp) and isinstance(owner.w.owner, WeightOp):
            _interleave(known[owner.w.owner.global_name], split.columns[0], group)
            return
        else:
            raise PassError(
                f"{located(split)}: found a split of something else, wanted one of a matmul, with "
                "or without bias",
                split,
            )


def _interleave(declared: GlobalOp, half: int, group: int) -> None:
    """Rewrite a recipe so that its first and second half alternate by `group` rows."""
    assert declared.recipe is not None, "a verified weight has a recipe"
    text = declared.recipe.data
    scales = CHANNEL_SCALE.fullmatch(text)
    alternating = _alternating(scales[1] if scales else text, half, group)
    declared.recipe = StringAttr(f"channel_scale({alternating})" if scales else alternating)


def _alternating(recipe: str, half: int, group: int) -> str:
    match parse_recipe(recipe).root:
        case Call("concat", (first, second)):
            pass
        case whole:
            first = Call("rows", (whole,), (0, half))
            second = Call("rows", (whole,), (half, 2 * half))
    return str(Call("interleave", (first, second), (group,)))
