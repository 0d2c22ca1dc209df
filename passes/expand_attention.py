"""expand-attention: one attention -> its scores, their softmax, and the values mixed by it.

    %o = tg.attention %q cache @k, @v heads H ..   ->   %s = tg.scores %q cache @k heads H ..
                                                        %p = tg.softmax %s heads H causal
                                                        %o = tg.mix %p cache @v heads H ..

The scores of all positions go through main memory, twice: an attention kernel is judged by that.
"""

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from ..dialects.locations import derive, location_name, model_name, named
from ..dialects.shaped import tensor_of
from ..dialects.tg import (
    AttentionOp,
    FusedOp,
    MixOp,
    ScoresOp,
    SoftmaxOp,
    with_columns,
)
from .symbols import globals_of


class ExpandAttentionPass(ModulePass):
    """Attention in three ops, outside of kernels."""

    name = "expand-attention"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known = globals_of(op)
        for attention in [o for o in op.walk() if isinstance(o, AttentionOp)]:
            if not isinstance(attention.parent_op(), FusedOp):
                _expand(op, attention, known[attention.k_cache_name].shape[-2])


def _expand(module: ModuleOp, op: AttentionOp, positions: int) -> None:
    heads, kv_heads = op.heads.data, op.kv_heads.data
    wide = with_columns(tensor_of(op.q), heads * positions)
    scores = ScoresOp(op.q, op.k_cache, op.layer, heads, kv_heads, op.scale.value.data, wide)
    softmax = SoftmaxOp(scores.result, heads, op.seen)
    mixed = MixOp(softmax.result, op.v_cache, op.layer, heads, kv_heads, op.result.type)
    steps: tuple[tuple[Operation, str], ...] = (
        (scores, "scores"),
        (softmax, "softmax"),
        (mixed, "mix"),
    )
    name = model_name(op)
    for step, suffix in steps:
        step.location = named(f"{name}_{suffix}") if name else op.location
        step.results[0].name_hint = suffix
        if name:
            derive(module, location_name(step), [name])
    block = op.parent
    assert block is not None
    block.insert_ops_before([step for step, _ in steps], op)
    mixed.result.name_hint = op.result.name_hint
    op.result.replace_all_uses_with(mixed.result)
    op.detach()
    op.erase()
