"""Regions of the tensors between kernels: residuals in place, loops that keep theirs.

On a machine that can keep nothing on chip, so that all regions are stored and loaded.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from xdsl.dialects.builtin import ModuleOp

from tilewright.passes.located import PassError

from .models import PREFILL, TO_TILE, apply, model_module, parse, smallest_machine

HEAD = """
builtin.module @m attributes {tw.policy = "POLICY"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global input @rows_in : memref<4x32xf32, #tw.hbm>
  tg.global input @narrow : memref<4x32xbf16, #tw.hbm>
  tg.global input @index : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global state @k : memref<1x1x8x16xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @m() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %x = tg.embed @embd, @tokens : T loc("embd")
    %w = tg.weight @w : tensor<32x32xf32>
"""
TAIL = """
    func.return
  }
}
"""


def tiled(body: str, policy: str = "exact") -> str:
    text = (HEAD + body + TAIL).replace("POLICY", policy)
    text = text.replace(": T", ": tensor<?x32xf32, #tg.sizes<@rows>>")
    text = text.replace("-> T", "-> (tensor<?x32xf32, #tg.sizes<@rows>>)")
    return in_memory(parse(text))


def in_memory(module: ModuleOp) -> str:
    """The tiled program, its tensors between kernels all in main memory."""
    with TemporaryDirectory() as folder:
        machine = smallest_machine(module, Path(folder))
        return str(apply(module, *TO_TILE, machine=machine))


def test_a_residual_is_updated_in_place() -> None:
    text = tiled("""
    %a = tg.matmul %x, %w : T loc("a")
    %z = tg.binary add %x, %a : T
    %b = tg.matmul %z, %w : T loc("b")
    tg.output %b to @y
    """)
    assert "@a_out" not in text
    assert text.count("to @embd_out") == 2


def test_a_tensor_that_is_read_later_is_not_overwritten() -> None:
    text = tiled("""
    %a = tg.matmul %x, %w : T loc("a")
    %z = tg.binary add %x, %a : T
    %b = tg.matmul %z, %w : T loc("b")
    %u = tg.binary add %b, %x : T
    tg.output %u to @y
    """)
    assert "tg.global scratch @a_out" in text
    assert text.count("to @embd_out") == 1


def test_rows_in_another_order_are_not_written_over_those_they_are_picked_from() -> None:
    text = tiled("""
    %p = tg.take %x, @index : T
    %a = tg.matmul %p, %w : T loc("a")
    %z = tg.binary add %x, %a : T
    %b = tg.matmul %z, %w : T loc("b")
    tg.output %b to @y
    """)
    assert "tg.global scratch @a_out" in text
    assert text.count("to @embd_out") == 1


def test_a_loop_keeps_its_region() -> None:
    text = in_memory(model_module(PREFILL))
    # The embedding writes it, and the two residuals of a layer.
    assert text.count("to @token_embd_out") == 3
    assert "iter_args" not in text


def test_a_loop_whose_next_tensor_is_no_update_is_refused() -> None:
    with pytest.raises(PassError) as caught:
        tiled("""
    %r = scf.for %l = %c0 to %c2 step %c1 iter_args(%t = %x) -> T {
      %v = tg.weight @w : tensor<32x32xf32>
      %a = tg.matmul %t, %v : T loc("a")
      scf.yield %a : T
    } loc("layers")
    %b = tg.matmul %r, %w : T loc("b")
    tg.output %b to @y
    """)
    assert str(caught.value) == (
        "scf.for at layers: the loop's next tensor is made by `tg.fused at a`, not by an update of "
        "the tensor it began with; end the layer with an addition to it"
    )


def test_a_loop_tensor_that_is_read_elsewhere_is_refused() -> None:
    with pytest.raises(PassError, match=r"scf.for at layers: a tensor that a loop"):
        tiled("""
    %r = scf.for %l = %c0 to %c2 step %c1 iter_args(%t = %x) -> T {
      %v = tg.weight @w : tensor<32x32xf32>
      %a = tg.matmul %t, %v : T loc("a")
      %n = tg.binary add %t, %a : T
      scf.yield %n : T
    } loc("layers")
    %b = tg.matmul %r, %w : T loc("b")
    %z = tg.binary add %b, %x : T
    tg.output %z to @y
    """)


def test_an_input_is_not_overwritten() -> None:
    text = tiled("""
    %i = tg.input @rows_in : T
    %a = tg.matmul %i, %w : T loc("a")
    %z = tg.binary add %i, %a : T
    %b = tg.matmul %z, %w : T loc("b")
    tg.output %b to @y
    """)
    stores = [line for line in text.splitlines() if "tile.store" in line]
    assert stores
    assert not any("@rows_in" in line for line in stores)


def test_a_loop_that_would_update_an_input_is_refused() -> None:
    with pytest.raises(PassError, match=r"scf.for at layers: it begins with .* `tg.input at in`"):
        tiled("""
    %i = tg.input @rows_in : T loc("in")
    %r = scf.for %l = %c0 to %c2 step %c1 iter_args(%t = %i) -> T {
      %v = tg.weight @w : tensor<32x32xf32>
      %a = tg.matmul %t, %v : T loc("a")
      %n = tg.binary add %t, %a : T
      scf.yield %n : T
    } loc("layers")
    %b = tg.matmul %r, %w : T loc("b")
    tg.output %b to @y
    """)


def test_a_residual_of_another_type_is_refused() -> None:
    with pytest.raises(PassError, match=r"tg.binary at sum: @narrow holds bf16; wanted f32"):
        tiled("""
    %i = tg.input @narrow : T
    %a = tg.matmul %i, %w : T loc("a")
    %z = tg.binary add %i, %a : T loc("sum")
    tg.output %z to @y
    """)


def test_queries_of_another_type_are_refused() -> None:
    """Under bf16 the matrix unit would multiply float32 in more phases, and to other bits."""
    with pytest.raises(PassError, match=r"tg.attention at o: @rows_in holds f32; wanted bf16"):
        tiled(
            """
    %i = tg.input @rows_in : T
    %o = tg.attention %i cache @k, @k heads 2 kv_heads 1 scale 0.25 : T loc("o")
    tg.output %o to @y
    """,
            "bf16",
        )


def test_an_output_of_hidden_columns_is_refused() -> None:
    with pytest.raises(PassError, match=r"tg.softmax at p: columns that no row sees are not"):
        tiled("""
    %i = tg.input @rows_in : T
    %p = tg.softmax %i heads 2 causal : T loc("p")
    tg.output %p to @y
    """)


def test_rows_that_only_matmuls_read_have_the_operand_type() -> None:
    body = """
    %a = tg.matmul %x, %w : T loc("a")
    %s = tg.unary silu %a : T
    %b = tg.matmul %s, %w : T loc("b")
    tg.output %b to @y
    """
    assert "tg.global scratch @a_out : memref<4x32xbf16, #tw.hbm>" in tiled(body, "bf16")
    assert "tg.global scratch @a_out : memref<4x32xf32, #tw.hbm>" in tiled(body, "exact")


def test_static_rows_are_refused() -> None:
    with pytest.raises(PassError, match=r"tg.fused at embd: .* wanted rows counted by a launch"):
        apply(
            parse(
                (HEAD + "tg.output %x to @y" + TAIL)
                .replace("POLICY", "exact")
                .replace(": T", ": tensor<4x32xf32>")
            ),
            *TO_TILE,
            machine="tw-small",
        )
