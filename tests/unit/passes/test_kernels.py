"""Kernels that tile does not have are refused by the op that stands in the way."""

import pytest

from tilewright.backend.formats import FormatError
from tilewright.compiler.check import PassChecker
from tilewright.compiler.driver import compile_entry
from tilewright.passes.located import PassError

from .models import TO_TILE, apply, model_module, parse

HEAD = """
builtin.module @m attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global weight @g : memref<16xf32, #tw.hbm> from "'g'"
  tg.global weight @full : memref<32xf32, #tw.hbm> from "'full'"
  tg.global table @cos : memref<8x8xf32, #tw.hbm> from "rope_cos(10000.0, 16, 8)"
  tg.global table @sin : memref<8x8xf32, #tw.hbm> from "rope_sin(10000.0, 16, 8)"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @m() {
    %x = tg.embed @embd, @tokens : T loc("embd")
    %w = tg.weight @w : tensor<32x32xf32>
    %g = tg.weight @g : tensor<16xf32>
    %full = tg.weight @full : tensor<32xf32>
"""
TAIL = """
    func.return
  }
}
"""


def tile(body: str, passes: tuple[str, ...] = TO_TILE) -> None:
    text = (HEAD + body + TAIL).replace(": T", ": tensor<?x32xf32, #tg.sizes<@rows>>")
    apply(parse(text), *passes, machine="tw-small")


@pytest.mark.parametrize(
    "body",
    [
        # An elementwise op that follows no matmul, and one in front of a matmul.
        "%a = tg.unary silu %x : T\n tg.output %a to @y",
        "%a = tg.unary silu %x : T\n %b = tg.matmul %a, %w : T\n tg.output %b to @y",
        # Functions that no epilogue has, of one pass and of several.
        "%a = tg.unary exp %x : T\n %c = tg.unary rsqrt %a : T\n"
        "%b = tg.unary gelu_tanh %c : T\n tg.output %b to @y",
        "%a = tg.unary square %x : T\n %b = tg.unary neg %a : T\n tg.output %b to @y",
        # One behind a matmul, and a norm behind rope.
        "%a = tg.matmul %x, %w : T\n %b = tg.unary exp %a : T\n tg.output %b to @y",
        "%r = tg.rope %x, @cos, @sin heads 2 : T\n"
        "%a = tg.rmsnorm %r, %g eps 1.0e-05 heads 2 : T\n"
        "%b = tg.matmul %a, %w : T\n tg.output %b to @y",
        # A norm of heads straight before a matmul.
        "%a = tg.rmsnorm %x, %g eps 1.0e-05 heads 2 : T\n"
        "%b = tg.matmul %a, %w : T\n tg.output %b to @y",
        # A norm over all heads before rope.
        "%a = tg.rmsnorm %x, %full eps 1.0e-05 : T\n"
        "%r = tg.rope %a, @cos, @sin heads 2 : T\n"
        "%b = tg.matmul %r, %w : T\n tg.output %b to @y",
        # Sums of two rows, and of rows and a parameter.
        "%a = tg.binary max %x, %full : T\n %b = tg.binary sub %a, %x : T\n tg.output %b to @y",
        # A norm that a matmul and a sum read: it is made once.
        "%a = tg.rmsnorm %x, %full eps 1.0e-05 : T\n %b = tg.matmul %a, %w : T\n"
        "%c = tg.binary add %b, %a : T\n tg.output %c to @y",
        # Rows that stay as they are.
        "tg.output %x to @y",
    ],
)
@pytest.mark.parametrize("unfused", [False, True])
def test_ops_without_a_matmul_are_kernels(body: str, unfused: bool) -> None:
    """All levels agree, each op a kernel of its own or not."""
    text = (HEAD + body + TAIL).replace(": T", ": tensor<?x32xf32, #tg.sizes<@rows>>")
    module = parse(text)
    checker = PassChecker("tw-small")
    compile_entry(module, "tw-small", unfused=unfused, after_pass=[checker.after_pass])
    assert checker.passed[-1] == "select"


def test_ops_outside_of_kernels_are_named() -> None:
    with pytest.raises(PassError, match=r"^tg.embed at embd: no kernel holds it; run fuse before"):
        tile("tg.output %x to @y", ("tile",))


def test_a_parameter_without_panels_is_named() -> None:
    body = '%a = tg.matmul %x, %w : T loc("a")\n tg.output %a to @y'
    with pytest.raises(
        PassError, match=r"tg.weight at a: @w is !lowbit.packed<32x32, q4_0, kn>.*choose-panels"
    ):
        tile(body, ("canonicalise", "fuse", "tile"))


@pytest.mark.parametrize("name", ["rows", "row_start"])
def test_a_missing_launch_parameter_is_named(name: str) -> None:
    declared = {
        "rows": "  tg.scalar @rows : 0 to 4\n",
        "row_start": "  tg.table @row_start : 1 x 0 to 4\n",
    }
    text = (HEAD + "tg.output %x to @y" + TAIL).replace(
        ": T", ": tensor<?x32xf32, #tg.sizes<@rows>>"
    )
    with pytest.raises(PassError, match=f"no launch parameters? @{name}; declare"):
        apply(parse(text.replace(declared[name], "")), *TO_TILE, machine="tw-small")


def test_an_unknown_policy_is_named() -> None:
    text = (HEAD + "tg.output %x to @y" + TAIL).replace(
        ": T", ": tensor<?x32xf32, #tg.sizes<@rows>>"
    )
    with pytest.raises(PassError, match=r"tw.policy: found 'fast', wanted exact, bf16"):
        apply(parse(text.replace('"exact"', '"fast"')), "choose-formats")


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(FormatError, match=r"weights: found 'q9', wanted one of f32, "):
        apply(model_module(), "choose-formats", weights="q9")
