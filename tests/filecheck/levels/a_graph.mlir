// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s -p canonicalise,merge,fuse | filecheck %s --check-prefix FUSED
// Program A at the graph level: y = silu(x @ W1) * (x @ W3), rows known at run time.

builtin.module @ffn attributes {tw.policy = "exact"} {
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @token_embd : !lowbit.packed<64x100, q8_0, nk> from "'token_embd'"
  tg.global weight @ffn_gate : !lowbit.packed<64x32, q4_0, kn> from "'ffn_gate'"
  tg.global weight @ffn_up : !lowbit.packed<64x32, q4_0, kn> from "'ffn_up'"
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 39
  func.func @ffn() {
    %x = tg.embed @token_embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>> loc("token_embd")
    %w1 = tg.weight @ffn_gate : tensor<64x32xf32>
    %g = tg.matmul %x, %w1 : tensor<?x32xf32, #tg.sizes<@rows>> loc("ffn")
    %w3 = tg.weight @ffn_up : tensor<64x32xf32>
    %u = tg.matmul %x, %w3 : tensor<?x32xf32, #tg.sizes<@rows>> loc("ffn")
    %a = tg.unary silu %g : tensor<?x32xf32, #tg.sizes<@rows>> loc("ffn")
    %h = tg.binary mul %a, %u : tensor<?x32xf32, #tg.sizes<@rows>> loc("ffn")
    tg.output %h to @y
    func.return
  }
}

// CHECK: %g = tg.matmul %x, %w1 : tensor<?x32xf32, #tg.sizes<@rows>>
// CHECK: tg.output %h to @y

// FUSED: tg.global weight @ffn_gate_up
// FUSED: tg.fused
// FUSED: tg.matmul
// FUSED-NEXT: tg.split
// FUSED: tg.output %h to @y
// FUSED-NEXT: tg.yield
