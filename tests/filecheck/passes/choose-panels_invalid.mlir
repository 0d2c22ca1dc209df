// RUN: tilewright-opt %s -p 'choose-panels{machine=tw-small}' --split-input-file --verify-diagnostics | filecheck %s
// Splits whose parts cannot alternate in the panels of their matmul; the first module has none.

// CHECK: tg.global weight @w : !lowbit.packed<64x96, q4_0, kn 32> from "'w'"
builtin.module attributes {tw.policy = "exact"} {
  tg.global weight @w : !lowbit.packed<64x96, q4_0, kn> from "'w'"
  func.func @right() {
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global weight @w : !lowbit.packed<64x96, q4_0, kn> from "'w'"
  func.func @entry() {
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    %y = tg.fused "linear" : tensor<?x32xf32, #tg.sizes<@rows>> {
      %w = tg.weight @w : tensor<64x96xf32>
      %p = tg.matmul %x, %w : tensor<?x96xf32, #tg.sizes<@rows>>
      // expected-error @below {{parts of [64, 32] columns in a matmul's kernel; wanted two equal ones}}
      %a, %b = tg.split %p [64, 32]
      tg.yield %b
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global weight @w : !lowbit.packed<64x96, q4_0, kn> from "'w'"
  func.func @entry() {
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    %y = tg.fused "linear" : tensor<?x48xf32, #tg.sizes<@rows>> {
      %w = tg.weight @w : tensor<64x96xf32>
      %p = tg.matmul %x, %w : tensor<?x96xf32, #tg.sizes<@rows>>
      %s = tg.unary silu %p : tensor<?x96xf32, #tg.sizes<@rows>>
      // expected-error @below {{found a split of something else, wanted one of a matmul, with or without bias}}
      %a, %b = tg.split %s [48, 48]
      tg.yield %b
    }
    func.return
  }
}
