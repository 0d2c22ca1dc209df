"""merge and fuse on variants of a model: what each does to its kernels, and what it computes."""

import pytest
from xdsl.dialects import scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from tilewright.compiler.check import PassChecker
from tilewright.compiler.pipeline import run_passes
from tilewright.dialects.tg import BinaryOp, FusedOp, WeightOp
from tilewright.passes import PASSES
from tilewright.passes.merge import joined_name

from .models import apply, model_module


def kernels(module: ModuleOp) -> dict[str, list[str]]:
    """Kernels by the last word of their label, each with the names of its ops."""
    apply(module, "canonicalise", "merge", "fuse")
    found = [op for op in module.walk() if isinstance(op, FusedOp)]
    return {
        op.label.data.rpartition(".")[2]: [
            inner.name.removeprefix("tg.")
            for inner in op.body.block.ops
            if inner.name not in ("tg.weight", "tg.yield")
        ]
        for op in found
    }


def without_bias(module: ModuleOp, name: str) -> ModuleOp:
    """A module without the addition of one bias."""
    for op in list(module.walk()):
        if isinstance(op, BinaryOp) and isinstance(read := op.y.owner, WeightOp):
            if read.global_name == name:
                op.result.replace_all_uses_with(op.x)
                op.detach()
                op.erase()
    return module


def checked(module: ModuleOp) -> None:
    """Run the passes to kernels; each must keep what the module computes."""
    passes = [("", PASSES[name]()()) for name in ("canonicalise", "merge", "fuse")]
    run_passes(module, passes, [PassChecker("tw-small", launches=1).after_pass])


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        (["attn_q", "attn_k", "attn_v"], "attn_qkv"),
        (["ffn_gate", "ffn_up"], "ffn_gate_up"),
        (["attn_q_bias", "attn_k_bias"], "attn_qk_bias"),
        (["gate", "grate"], "gate_grate"),
        (["a_up", "b_up"], "ab_up"),
        (["w", "w_2"], "w_w_2"),
    ],
)
def test_names_join_word_by_word(names: list[str], joined: str) -> None:
    assert joined_name(names) == joined


def test_a_plain_layer() -> None:
    assert kernels(model_module()) == {
        "token_embd": ["embed"],
        "attn_qkv": ["rmsnorm", "matmul"],
        "kv_append": ["split", "rope", "rope", "kv_append"],
        "attention": ["attention"],
        "attn_output": ["matmul", "binary"],
        "ffn_gate_up": ["rmsnorm", "matmul", "split", "unary", "binary"],
        "ffn_down": ["matmul", "binary"],
        "output": ["take", "rmsnorm", "matmul", "output"],
    }


def test_biases_on_all_merge_with_the_weights() -> None:
    module = model_module(qkv_bias=True, mlp_bias=True, output_bias=True)
    found = kernels(module)
    assert found["attn_qkv"] == ["rmsnorm", "matmul", "binary"]
    assert found["ffn_gate_up"] == ["rmsnorm", "matmul", "binary", "split", "unary", "binary"]
    assert found["ffn_down"] == ["matmul", "binary", "binary"]
    assert "@attn_qkv_bias : memref<2x256xf32" in str(module)


def test_biases_on_some_keep_those_apart() -> None:
    module = without_bias(model_module(qkv_bias=True), "attn_v_bias")
    found = kernels(module.clone())
    assert found["attn_qk"] == ["rmsnorm", "matmul", "binary"]
    assert found["attn_v"] == ["rmsnorm", "matmul"]
    assert found["kv_append"] == ["split", "rope", "rope", "kv_append"]
    checked(module)


def test_formats_that_differ_are_not_merged_and_each_kernel_norms_for_itself() -> None:
    module = model_module(formats={"attn_k": "q8_0", "attn_v": "q8_0", "ffn_up": "q8_0"})
    found = kernels(module.clone())
    assert found["attn_q"] == ["rmsnorm", "matmul"]
    assert found["attn_kv"] == ["rmsnorm", "matmul"]
    assert found["ffn_gate"] == ["rmsnorm", "matmul", "unary", "binary"]
    assert found["ffn_up"] == ["rmsnorm", "matmul"]
    checked(module)


def test_norms_of_heads_go_to_their_kernel() -> None:
    found = kernels(model_module(qk_norm=True))
    assert found["kv_append"] == ["split", "rmsnorm", "rope", "rmsnorm", "rope", "kv_append"]


def test_a_bias_that_two_ops_read_is_not_merged() -> None:
    module = model_module(qkv_bias=True)
    reads = {op.global_name: op for op in module.walk() if isinstance(op, WeightOp)}
    shared = reads["attn_k_bias"].clone()
    op = reads["attn_v_bias"]
    op.result.replace_all_uses_with(shared.result)
    assert op.parent is not None
    op.parent.insert_op_before(shared, op)
    found = kernels(module)
    assert found["attn_k"] == found["attn_v"] == ["rmsnorm", "matmul", "binary"]


def share_read(module: ModuleOp, name: str, other: str) -> ModuleOp:
    """A module in which the op that reads `name` also stands for the one that reads `other`."""
    reads = {op.global_name: op for op in module.walk() if isinstance(op, WeightOp)}
    old = reads[other]
    old.result.replace_all_uses_with(reads[name].result)
    old.detach()
    old.erase()
    return module


def test_a_weight_that_two_matmuls_read_by_one_op_is_not_merged() -> None:
    module = share_read(model_module(), "attn_k", "attn_v")
    found = kernels(module.clone())
    assert found["attn_q"] == found["attn_k"] == found["attn_v"] == ["rmsnorm", "matmul"]
    checked(module)


def test_a_bias_that_two_ops_read_by_one_op_is_not_merged() -> None:
    module = share_read(model_module(qkv_bias=True), "attn_k_bias", "attn_v_bias")
    found = kernels(module.clone())
    assert found["attn_k"] == found["attn_v"] == ["rmsnorm", "matmul", "binary"]
    checked(module)


def test_layers_written_out_have_kernels_of_their_own() -> None:
    """Two layers in one block: the heads of the second wait for the attention of the first."""
    module = apply(model_module(), "canonicalise", "merge")
    loop = next(op for op in module.walk() if isinstance(op, scf.ForOp))
    body = loop.body.block
    last = body.last_op
    assert last is not None
    values: dict[SSAValue, SSAValue] = {body.args[1]: last.operands[0]}
    for op in list(body.ops)[:-1]:
        copy = op.clone(values)
        copy.location = op.location
        body.insert_op_before(copy, last)
    last.operands[0] = values[last.operands[0]]
    module.verify()
    passes = [("", PASSES["fuse"]()())]
    run_passes(module, passes, [PassChecker("tw-small", launches=1).after_pass])
    labels = [op.label.data for op in module.walk() if isinstance(op, FusedOp)]
    assert labels.count("blk.{l}.kv_append") == 2
    assert apply(module, "choose-formats", "choose-panels", "tile", machine="tw-small")
