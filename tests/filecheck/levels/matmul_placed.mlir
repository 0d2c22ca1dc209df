// RUN: tilewright-opt %s --to placed --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `placed`.
// Globals and rings have addresses; weights lie first in main memory.

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

// CHECK-DAG: tg.global input @x : memref<4x64xf32, #tw.hbm> at 2304
// CHECK-DAG: tg.global weight @w : !lowbit.packed<64x64, q4_0, kn 32> from "'w'" at 0
// CHECK-DAG: tg.global output @y : memref<4x64xf32, #tw.hbm> at 3328
// CHECK-DAG: stream.channel @weights from ld to [mxu] : {{[0-9]+}} slots of 576 in #tw.spm at {{[0-9]+}}
// CHECK-DAG: stream.channel @sums from mxu to [vpu] : {{[0-9]+}} slots of 512 in #tw.acc at 0
// CHECK: func.func @linear
