// RUN: tilewright-opt %s --to projected --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `projected`.
// One function an engine: its own ops, and the loops and the arithmetic that they need.

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

// CHECK-NOT: func.func @linear
// CHECK-LABEL: func.func @ld()
// CHECK: stream.acquire @weights on ld
// CHECK-NEXT: tile.load @w
// CHECK-NEXT: stream.commit
// CHECK-LABEL: func.func @ld1()
// CHECK: tile.load @x
// CHECK-NOT: scf.for
// CHECK-LABEL: func.func @st()
// CHECK: tile.store
// CHECK-LABEL: func.func @mxu()
// CHECK-NOT: tile.load
// CHECK: stream.wait @operand on mxu
// CHECK: stream.acquire @sums on mxu
// CHECK: stream.wait @weights on mxu
// CHECK-NEXT: tile.matmul
// CHECK-NEXT: stream.release
// CHECK-LABEL: func.func @vpu()
// CHECK-NOT: tile.matmul
// CHECK: stream.wait @sums on vpu
// CHECK: tile.vec sigmoid
