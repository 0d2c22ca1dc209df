// RUN: tilewright-opt %s --to fused --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `fused`.
// The product, its activation and its output are one kernel.

builtin.module @linear attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global weight @w : !lowbit.packed<64x64, q4_0, kn> from "'w'"
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @linear() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    %w = tg.weight @w : tensor<64x64xf32>
    %p = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>> loc("linear")
    %a = tg.unary silu %p : tensor<?x64xf32, #tg.sizes<@rows>> loc("linear")
    tg.output %a to @y
    func.return
  }
}

// CHECK: [[X:%.*]] = tg.input @x
// CHECK-NEXT: tg.fused "linear" {
// CHECK-NEXT: [[W:%.*]] = tg.weight @w
// CHECK-NEXT: [[P:%.*]] = tg.matmul [[X]], [[W]]
// CHECK-NEXT: [[A:%.*]] = tg.unary silu [[P]]
// CHECK-NEXT: tg.output [[A]] to @y
// CHECK-NEXT: tg.yield
// CHECK-NEXT: }
// CHECK-NEXT: func.return
