// RUN: tilewright-opt %s --to streamed --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `streamed`.
// Each op has its engine. What one makes and another uses goes through a ring: acquire, write,
// commit; wait, read, release. The program is still one, in the order of the tiled one.

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

// CHECK-DAG: stream.channel @operand from ld1 to [mxu] : {{[0-9]+}} slots of 1024 in #tw.spm
// CHECK-DAG: stream.channel @weights from ld to [mxu] : {{[0-9]+}} slots of 576 in #tw.spm
// CHECK-DAG: stream.channel @sums from mxu to [vpu] : {{[0-9]+}} slots of 512 in #tw.acc
// CHECK-DAG: stream.channel @out from vpu to [st] : {{[0-9]+}} slots of 512 in #tw.spm
// CHECK: func.func @linear
// CHECK: [[S0:%.*]] = stream.acquire @sums on mxu
// CHECK: [[W0:%.*]] = stream.acquire @weights on ld
// CHECK-NEXT: tile.load @w[{{.*}}] [1] to [[W0]] on ld
// CHECK-NEXT: stream.commit [[W0]]
// CHECK: [[W:%.*]] = stream.wait @weights on mxu
// CHECK-NEXT: tile.matmul {{%.*}}, [[W]] into [[S0]] rows {{%.*}} on mxu
// CHECK-NEXT: stream.release [[W]]
// CHECK-NEXT: }
// CHECK-NEXT: stream.commit [[S0]]
// CHECK: [[S:%.*]] = stream.wait @sums on vpu
// CHECK: tile.vec sigmoid([[S]]) mul [[S]] to {{%.*}} on vpu
// CHECK: stream.release [[S]]
// CHECK: tile.store {{%.*}} to @y{{.*}} on st
