// RUN: tilewright-opt %s --to isa --machine tw-small | filecheck %s
// y = silu(x @ W), carried to the level `isa`.
// One op an instruction: channel ops are begin and end of operands, bounds and offsets registers.

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

// CHECK-LABEL: tw.program @ld {
// CHECK: tw.loop {{%.*}} : c2 to 2
// CHECK: tw.copy dst=@weights[0]<576xu8, [1]> begin end, src=@w[0 + {{%.*}}]<576xu8, [1]>
// CHECK-LABEL: tw.program @ld1 {
// CHECK: tw.copy dst=@operand[0]<4x64xf32, [256, 4]> begin end, src=@x{{.*}} axis0
// CHECK-LABEL: tw.program @st {
// CHECK: tw.copy dst=@y{{.*}}, src=@out[0]<4x32xf32, [128, 4]> begin end
// CHECK-LABEL: tw.program @mxu {
// CHECK: tw.sync wait @operand
// CHECK: tw.sync acquire @sums
// CHECK: tw.mm acc=@sums[0]<4x32xf32, [128, 4]>, a=@operand[0 + {{%.*}}]<4x32xf32, [256, 4]>, b=@weights[0]<32x32xq4_0 kn, [576, 32]> begin end m
// CHECK: tw.sync commit @sums
// CHECK: tw.sync release @operand
// CHECK-LABEL: tw.program @vpu {
// CHECK: tw.vec dst=@out[0]<4x32xf32, [128, 4]> begin end, a=@sums[0]<4x32xf32, [128, 4]> begin end, {{.*}} f sigmoid op mul rows
