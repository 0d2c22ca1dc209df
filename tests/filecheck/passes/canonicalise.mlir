// RUN: tilewright-opt %s -p canonicalise | filecheck %s
// What nobody uses goes, and then the weights and tables that nothing names.

builtin.module @step attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global weight @used : !lowbit.packed<32x32, q4_0, kn> from "'used'"
  // CHECK-NOT: @unused
  tg.global weight @unused : !lowbit.packed<32x32, q4_0, kn> from "'unused'"
  // CHECK-NOT: @rope_cos
  tg.global table @rope_cos : memref<8x16xf32, #tw.hbm> from "rope_cos(10000.0, 32, 8)"
  // Inputs belong to the entry, read or not.
  // CHECK: tg.global input @index
  tg.global input @index : memref<4xi32, #tw.hbm>
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>

  // A chain of pure ops without a use goes from its end to its beginning.
  // CHECK-LABEL: func.func @chain
  func.func @chain() {
    // CHECK-NEXT: %x = tg.embed
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    %w = tg.weight @unused : tensor<32x32xf32>
    %a = tg.matmul %x, %w : tensor<?x32xf32, #tg.sizes<@rows>>
    %b = tg.unary silu %a : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.output %x to @y
    tg.output %x to @y
    func.return
  }

  // Everything here ends in an output: it stays as it is.
  // CHECK-LABEL: func.func @needed
  func.func @needed() {
    // CHECK-NEXT: %x = tg.embed
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %w = tg.weight @used
    %w = tg.weight @used : tensor<32x32xf32>
    // CHECK-NEXT: %a = tg.matmul %x, %w
    %a = tg.matmul %x, %w : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.output %a to @y
    tg.output %a to @y
    func.return
  }
}
