// RUN: tilewright-opt %s -p choose-formats --split-input-file | filecheck %s
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
