// RUN: tilewright-opt %s -p merge --print-debuginfo --split-input-file | filecheck %s
// Matmuls of one left operand become one matmul, whose result is split.

// q, k and v: the new parameter is the old ones side by side, and is named by their words.
// CHECK-LABEL: builtin.module @qkv
builtin.module @qkv attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // CHECK: tg.global weight @attn_qkv : !lowbit.packed<2x32x64, q4_0, kn> from "concat(rotary('b.{l}.q', 2), 'b.{l}.k', 'b.{l}.v')" loc("b.attn_qkv"
  // CHECK-NOT: @attn_q :
  tg.global weight @attn_q : !lowbit.packed<2x32x32, q4_0, kn> from "rotary('b.{l}.q', 2)" loc("b.attn_q")
  tg.global weight @attn_k : !lowbit.packed<2x32x16, q4_0, kn> from "'b.{l}.k'" loc("b.attn_k")
  tg.global weight @attn_v : !lowbit.packed<2x32x16, q4_0, kn> from "'b.{l}.v'" loc("b.attn_v")
  func.func @qkv() {
    %c0 = arith.constant 0 : index
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: %attn_qkv = tg.weight @attn_qkv[%c0] : tensor<32x64xf32>
    // CHECK-NEXT: %0 = tg.matmul %x, %attn_qkv : tensor<?x64xf32, #tg.sizes<@rows>> loc("b.attn_qkv"
    // CHECK-NEXT: %q, %k, %v = tg.split %0 [32, 16, 16]
    %wq = tg.weight @attn_q[%c0] : tensor<32x32xf32> loc("b.attn_q")
    %q = tg.matmul %x, %wq : tensor<?x32xf32, #tg.sizes<@rows>> loc("b.attn_q")
    %wk = tg.weight @attn_k[%c0] : tensor<32x16xf32> loc("b.attn_k")
    %k = tg.matmul %x, %wk : tensor<?x16xf32, #tg.sizes<@rows>> loc("b.attn_k")
    %wv = tg.weight @attn_v[%c0] : tensor<32x16xf32> loc("b.attn_v")
    %v = tg.matmul %x, %wv : tensor<?x16xf32, #tg.sizes<@rows>> loc("b.attn_v")
    // CHECK-NEXT: tg.binary add %k, %v
    %y = tg.binary add %k, %v : tensor<?x16xf32, #tg.sizes<@rows>>
    %z = tg.unary relu %q : tensor<?x32xf32, #tg.sizes<@rows>>
    func.return
  }
}

// -----
// A bias on each: the biases merge as the weights do, and are added before the split.
// CHECK-LABEL: builtin.module @biases
builtin.module @biases attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @attn_q : !lowbit.packed<32x32, q4_0, kn> from "'q'"
  tg.global weight @attn_k : !lowbit.packed<32x16, q4_0, kn> from "'k'"
  // CHECK: tg.global weight @attn_qk_bias : memref<48xf32, #tw.hbm> from "concat('q_bias', 'k_bias')"
  tg.global weight @attn_q_bias : memref<32xf32, #tw.hbm> from "'q_bias'"
  tg.global weight @attn_k_bias : memref<16xf32, #tw.hbm> from "'k_bias'"
  func.func @biases() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: [[Y:%.*]] = tg.matmul %x, %attn_qk
    // CHECK-NEXT: %attn_qk_bias = tg.weight @attn_qk_bias : tensor<48xf32>
    // CHECK-NEXT: [[Z:%.*]] = tg.binary add [[Y]], %attn_qk_bias
    // CHECK-NEXT: tg.split [[Z]] [32, 16]
    %wq = tg.weight @attn_q : tensor<32x32xf32>
    %q0 = tg.matmul %x, %wq : tensor<?x32xf32, #tg.sizes<@rows>>
    %bq = tg.weight @attn_q_bias : tensor<32xf32>
    %q = tg.binary add %q0, %bq : tensor<?x32xf32, #tg.sizes<@rows>>
    %wk = tg.weight @attn_k : tensor<32x16xf32>
    %k0 = tg.matmul %x, %wk : tensor<?x16xf32, #tg.sizes<@rows>>
    %bk = tg.weight @attn_k_bias : tensor<16xf32>
    %k = tg.binary add %k0, %bk : tensor<?x16xf32, #tg.sizes<@rows>>
    func.return
  }
}

// -----
// Left alone: formats differ (@q, @k), operands differ (@q, @r), another op reads @twice too.
// CHECK-LABEL: builtin.module @apart
builtin.module @apart attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // CHECK: tg.global weight @q
  tg.global weight @q : !lowbit.packed<32x32, q4_0, kn> from "'q'"
  // CHECK-NEXT: tg.global weight @k
  tg.global weight @k : !lowbit.packed<32x32, q8_0, kn> from "'k'"
  // CHECK-NEXT: tg.global weight @r
  tg.global weight @r : !lowbit.packed<32x32, q4_0, kn> from "'r'"
  // CHECK-NEXT: tg.global weight @twice
  tg.global weight @twice : !lowbit.packed<32x32, q4_0, kn> from "'twice'"
  // CHECK-NOT: tg.split
  func.func @apart() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    %w0 = tg.weight @q : tensor<32x32xf32>
    %q = tg.matmul %x, %w0 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w1 = tg.weight @k : tensor<32x32xf32>
    %k = tg.matmul %x, %w1 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w2 = tg.weight @r : tensor<32x32xf32>
    %r = tg.matmul %q, %w2 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w3 = tg.weight @twice : tensor<32x32xf32>
    %s = tg.matmul %x, %w3 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w4 = tg.weight @twice : tensor<32x32xf32>
    %t = tg.matmul %x, %w4 : tensor<?x32xf32, #tg.sizes<@rows>>
    func.return
  }
}
