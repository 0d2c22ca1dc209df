// tilewright dump
// after: merge
// machine: tw-1
//
// RUN: tilewright-opt %s --stop-after fuse | filecheck %s --check-prefix ON
// RUN: tilewright-opt %s --to graph | filecheck %s --check-prefix STILL
// RUN: tilewright-opt %s -p choose-panels --print-ir-before-all 2>&1 | filecheck %s --check-prefix FOR
// RUN: not tilewright-opt %s --stop-after canonicalise 2>&1 | filecheck %s --check-prefix BACK
// A dumped file says where it stands and for which machine: passes go on from there.

// ON:      // tilewright dump
// ON-NEXT: // after: fuse
// ON-NEXT: // machine: tw-1
// ON-NEXT: builtin.module @step
// ON:      tg.fused
// ON:      loc("logits")

// STILL:     // after: merge
// STILL-NOT: tg.fused

// FOR: // IR before choose-panels{machine="tw-1"}
// FOR: // after: choose-panels

// BACK: error: the module stands behind merge, and canonicalise comes before it: there is no way back

builtin.module @step attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @step() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>> loc("token_embd")
    %w = tg.weight @w : tensor<32x32xf32> loc("logits")
    %a = tg.matmul %x, %w : tensor<?x32xf32, #tg.sizes<@rows>> loc("logits")
    tg.output %a to @y loc("logits")
    func.return
  }
}
