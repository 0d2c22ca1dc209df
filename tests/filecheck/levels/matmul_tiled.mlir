// RUN: tilewright-opt %s --to tiled --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `tiled`.
// Loops over blocks of rows, panels, and blocks along K, on buffers; one engine after another.

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

// CHECK: func.func @linear
// CHECK: [[ROWS:%.*]] = tg.get @rows
// CHECK: scf.for
// CHECK: [[X:%.*]] = tile.buffer ring "operand" : memref<4x64xf32, #tw.spm>
// CHECK-NEXT: tile.load @x[{{.*}}, 0] [{{.*}}, 64] to [[X]]
// CHECK: scf.for [[N:%.*]] =
// CHECK-NEXT: [[S:%.*]] = tile.buffer ring "sums" : memref<4x32xf32, #tw.acc>
// CHECK-NEXT: scf.for [[K:%.*]] =
// CHECK-NEXT: [[W:%.*]] = tile.buffer ring "weights" : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
// CHECK-NEXT: tile.load @w{{\[}}[[N]], [[K]]] [1] to [[W]]
// CHECK: [[XK:%.*]] = memref.subview [[X]]
// CHECK-NEXT: tile.matmul [[XK]], [[W]] into [[S]] rows
// CHECK-NEXT: }
// CHECK: [[O:%.*]] = tile.buffer ring "out"
// CHECK-NEXT: tile.vec sigmoid([[S]]) mul [[S]] to [[O]] rows
// CHECK-NEXT: tile.store [[O]] to @y
