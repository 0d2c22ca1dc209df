// RUN: tilewright-opt %s -p choose-formats --split-input-file | filecheck %s
// RUN: tilewright-opt %s -p 'choose-formats{weights=i8}' --split-input-file | filecheck %s --check-prefix ASKED
// RUN: tilewright-opt %s -p 'choose-formats{weights="INT8"}' --split-input-file | filecheck %s --check-prefix ASKED
// The numeric policy decides which formats change.

// bf16: dense float32 panels become bf16; packed formats, rows of the embedding and vectors stay.
// CHECK-LABEL: builtin.module @rounded
builtin.module @rounded attributes {tw.policy = "bf16"} {
  // CHECK-NEXT: tg.global weight @dense : !lowbit.packed<2x32x32, bf16, kn> from "'dense'"
  tg.global weight @dense : !lowbit.packed<2x32x32, f32, kn> from "'dense'"
  // CHECK-NEXT: tg.global weight @half : !lowbit.packed<32x32, f16, kn> from "'half'"
  tg.global weight @half : !lowbit.packed<32x32, f16, kn> from "'half'"
  // CHECK-NEXT: tg.global weight @packed : !lowbit.packed<32x32, q4_0, kn> from "'packed'"
  tg.global weight @packed : !lowbit.packed<32x32, q4_0, kn> from "'packed'"
  // CHECK-NEXT: tg.global weight @embd : !lowbit.packed<32x50, f32, nk> from "'embd'"
  tg.global weight @embd : !lowbit.packed<32x50, f32, nk> from "'embd'"
  // CHECK-NEXT: tg.global weight @norm : memref<32xf32, #tw.hbm> from "'norm'"
  tg.global weight @norm : memref<32xf32, #tw.hbm> from "'norm'"
}

// -----
// exact: what the checkpoint holds is what is multiplied.
// CHECK-LABEL: builtin.module @exact
builtin.module @exact attributes {tw.policy = "exact"} {
  // CHECK-NEXT: tg.global weight @dense : !lowbit.packed<2x32x32, f32, kn> from "'dense'"
  tg.global weight @dense : !lowbit.packed<2x32x32, f32, kn> from "'dense'"
  // CHECK-NEXT: tg.global weight @packed : !lowbit.packed<32x32, q4_0, kn> from "'packed'"
  tg.global weight @packed : !lowbit.packed<32x32, q4_0, kn> from "'packed'"
}

// -----
// A format that the user asks for takes all parameters of matmuls. One scale a column is no part of
// the panels: it becomes a parameter, and a factor behind the matmul, before the bias.
// ASKED-LABEL: builtin.module @asked
builtin.module @asked attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  // ASKED: tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // ASKED-NEXT: tg.global weight @w : !lowbit.packed<2x32x48, i8, kn> from "'w'"
  // ASKED-NEXT: tg.global weight @w_scale : memref<2x48xf32, #tw.hbm> from "channel_scale('w')"
  tg.global weight @w : !lowbit.packed<2x32x48, q4_0, kn> from "'w'"
  tg.global weight @b : memref<48xf32, #tw.hbm> from "'b'"
  func.func @asked() {
    %c1 = arith.constant 1 : index
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    %y = tg.fused "w" : tensor<?x48xf32, #tg.sizes<@rows>> {
      %w = tg.weight @w[%c1] : tensor<32x48xf32>
      // ASKED: %m = tg.matmul %x, %w
      %m = tg.matmul %x, %w : tensor<?x48xf32, #tg.sizes<@rows>>
      // ASKED-NEXT: %w_scale = tg.weight @w_scale[%c1] : tensor<48xf32>
      // ASKED-NEXT: [[S:%.*]] = tg.binary mul %m, %w_scale
      // ASKED: tg.binary add [[S]], %b
      %b = tg.weight @b : tensor<48xf32>
      %z = tg.binary add %m, %b : tensor<?x48xf32, #tg.sizes<@rows>>
      tg.yield %z
    }
    func.return
  }
}
