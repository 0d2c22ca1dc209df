// RUN: tilewright-opt %s -p 'choose-panels{machine=tw-small}' --split-input-file | filecheck %s
// Panels get the machine's width; columns that an epilogue pairs alternate by half of it.

// Gate and up are two halves of one matmul: 16 columns of each in a panel of 32, biases likewise.
// CHECK-LABEL: builtin.module @paired
builtin.module @paired attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  // Rows of an embedding have no panels.
  // CHECK: @embd : !lowbit.packed<32x50, q8_0, nk> from
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // CHECK: @gate_up : !lowbit.packed<32x80, q4_0, kn 32> from "interleave({{.*}}gate{{.*}}, {{.*}}up{{.*}}, 16)"
  tg.global weight @gate_up : !lowbit.packed<32x80, q4_0, kn> from "concat('gate', 'up')"
  // CHECK: @bias : memref<80xf32, #tw.hbm> from "interleave(rows({{.*}}bias{{.*}}, 0, 40), rows({{.*}}bias{{.*}}, 40, 80), 16)"
  tg.global weight @bias : memref<80xf32, #tw.hbm> from "'bias'"
  func.func @paired() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    %h = tg.fused "ffn" : tensor<?x40xf32, #tg.sizes<@rows>> {
      %w = tg.weight @gate_up : tensor<32x80xf32>
      %y = tg.matmul %x, %w : tensor<?x80xf32, #tg.sizes<@rows>>
      %b = tg.weight @bias : tensor<80xf32>
      %z = tg.binary add %y, %b : tensor<?x80xf32, #tg.sizes<@rows>>
      // CHECK: tg.split %z [40, 40] group 16
      %gate, %up = tg.split %z [40, 40]
      %a = tg.unary silu %gate : tensor<?x40xf32, #tg.sizes<@rows>>
      %p = tg.binary mul %a, %up : tensor<?x40xf32, #tg.sizes<@rows>>
      tg.yield %p
    }
    func.return
  }
}

// -----
// A split outside of the matmul's kernel reads rows from memory: its columns keep their order.
// CHECK-LABEL: builtin.module @apart
builtin.module @apart attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // CHECK: @qk : !lowbit.packed<32x64, q4_0, kn 32> from "concat('q', 'k')"
  tg.global weight @qk : !lowbit.packed<32x64, q4_0, kn> from "concat('q', 'k')"
  func.func @apart() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    %y = tg.fused "qk" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %w = tg.weight @qk : tensor<32x64xf32>
      %z = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %z
    }
    // CHECK: tg.split %y [32, 32]{{$}}
    %q, %k = tg.split %y [32, 32]
    func.return
  }
}

// -----
// Rows of an embedding have no panels, and panels that are chosen stay.
// CHECK-LABEL: builtin.module @chosen
builtin.module @chosen attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  // CHECK: @embd : !lowbit.packed<32x50, q8_0, nk> from
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  // CHECK: @qk : !lowbit.packed<32x64, q4_0, kn 32> from
  tg.global weight @qk : !lowbit.packed<32x64, q4_0, kn 32> from "'qk'"
  func.func @chosen() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>>
    %h = tg.fused "qk" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %w = tg.weight @qk : tensor<32x64xf32>
      %y = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %y
    }
    func.return
  }
}
