// RUN: tilewright-opt %s -p fuse --split-input-file | filecheck %s
// RUN: tilewright-opt %s -p 'fuse{unfused=true}' --split-input-file | filecheck %s --check-prefix ALONE
// Graph ops become kernels, each around a matmul, an attention, an embedding or the heads of a layer.

// A matmul takes the norm before it and the elementwise ops behind it, the residual too.
// CHECK-LABEL: builtin.module @linear
builtin.module @linear attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @norm : memref<32xf32, #tw.hbm> from "'norm'"
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global weight @b : memref<32xf32, #tw.hbm> from "'b'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @linear() {
    // CHECK: %x = tg.fused "embd" : tensor<?x32xf32, #tg.sizes<@rows>> {
    // CHECK-NEXT: tg.embed
    // CHECK-NEXT: tg.yield
    // CHECK-NEXT: }
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>> loc("embd")
    // CHECK-NEXT: tg.fused "ffn" {
    // CHECK-NEXT: tg.weight @norm
    // CHECK-NEXT: [[N:%.*]] = tg.rmsnorm %x
    // CHECK-NEXT: tg.weight @w
    // CHECK-NEXT: [[Y:%.*]] = tg.matmul [[N]]
    // CHECK-NEXT: tg.weight @b
    // CHECK-NEXT: [[Z:%.*]] = tg.binary add [[Y]]
    // CHECK-NEXT: [[A:%.*]] = tg.unary silu [[Z]]
    // CHECK-NEXT: [[R:%.*]] = tg.binary add %x, [[A]]
    // CHECK-NEXT: tg.output [[R]] to @y
    // CHECK-NEXT: tg.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: func.return
    %g = tg.weight @norm : tensor<32xf32>
    %n = tg.rmsnorm %x, %g eps 1.0e-05 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w = tg.weight @w : tensor<32x32xf32>
    %y = tg.matmul %n, %w : tensor<?x32xf32, #tg.sizes<@rows>> loc("ffn")
    %b = tg.weight @b : tensor<32xf32>
    %z = tg.binary add %y, %b : tensor<?x32xf32, #tg.sizes<@rows>>
    %a = tg.unary silu %z : tensor<?x32xf32, #tg.sizes<@rows>>
    %r = tg.binary add %x, %a : tensor<?x32xf32, #tg.sizes<@rows>>
    tg.output %r to @y
    func.return
  }
}

// -----
// Two matmuls of one norm, not merged: each has a norm of its own. The one computed first also has
// the ops that combine them; the other's result is a tensor that it reads.
// CHECK-LABEL: builtin.module @unmerged
builtin.module @unmerged attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @norm : memref<32xf32, #tw.hbm> from "'norm'"
  tg.global weight @gate : !lowbit.packed<32x32, q4_0, kn> from "'gate'"
  tg.global weight @up : !lowbit.packed<32x32, q8_0, kn> from "'up'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @unmerged() {
    %x = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: [[UP:%.*]] = tg.fused "up"
    // CHECK: tg.rmsnorm %x
    // CHECK: tg.weight @up
    // CHECK: tg.yield
    // CHECK: tg.fused "gate"
    // CHECK: tg.rmsnorm %x
    // CHECK: tg.weight @gate
    // CHECK: [[A:%.*]] = tg.unary silu
    // CHECK-NEXT: [[H:%.*]] = tg.binary mul [[A]], [[UP]]
    // CHECK-NEXT: tg.output [[H]] to @y
    %g = tg.weight @norm : tensor<32xf32>
    %n = tg.rmsnorm %x, %g eps 1.0e-05 : tensor<?x32xf32, #tg.sizes<@rows>>
    %w0 = tg.weight @gate : tensor<32x32xf32>
    %y = tg.matmul %n, %w0 : tensor<?x32xf32, #tg.sizes<@rows>> loc("gate")
    %w1 = tg.weight @up : tensor<32x32xf32>
    %u = tg.matmul %n, %w1 : tensor<?x32xf32, #tg.sizes<@rows>> loc("up")
    %a = tg.unary silu %y : tensor<?x32xf32, #tg.sizes<@rows>>
    %h = tg.binary mul %a, %u : tensor<?x32xf32, #tg.sizes<@rows>>
    tg.output %h to @y
    func.return
  }
}

// -----
// Split, head-wise norm, rope and append are one kernel; q leaves it, k and v go to the caches.
// CHECK-LABEL: builtin.module @heads
builtin.module @heads attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global weight @q_norm : memref<16xf32, #tw.hbm> from "'q_norm'"
  tg.global table @rope_cos : memref<8x8xf32, #tw.hbm> from "rope_cos(10000.0, 16, 8)"
  tg.global table @rope_sin : memref<8x8xf32, #tw.hbm> from "rope_sin(10000.0, 16, 8)"
  tg.global state @k_cache : memref<1x1x8x16xf32, #tw.hbm>
  tg.global state @v_cache : memref<1x1x8x16xf32, #tw.hbm>
  func.func @heads() {
    %x = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK: [[Q:%.*]] = tg.fused "append" : tensor<?x32xf32, #tg.sizes<@rows>> {
    // CHECK-NEXT: tg.split %x [32, 16, 16]
    // CHECK-NEXT: tg.weight @q_norm
    // CHECK-NEXT: tg.rmsnorm {{.*}} heads 2
    // CHECK-NEXT: [[IN:%.*]] = tg.rope
    // CHECK-NEXT: tg.rope
    // CHECK-NEXT: tg.kv_append
    // CHECK-NEXT: tg.yield [[IN]]
    // CHECK-NEXT: }
    // CHECK-NEXT: tg.fused "attention" : tensor<?x32xf32, #tg.sizes<@rows>> {
    // CHECK-NEXT: tg.attention [[Q]] cache
    %q0, %k0, %v = tg.split %x [32, 16, 16]
    %g = tg.weight @q_norm : tensor<16xf32>
    %q1 = tg.rmsnorm %q0, %g eps 1.0e-05 heads 2 : tensor<?x32xf32, #tg.sizes<@rows>>
    %q = tg.rope %q1, @rope_cos, @rope_sin heads 2 : tensor<?x32xf32, #tg.sizes<@rows>>
    %k = tg.rope %k0, @rope_cos, @rope_sin heads 1 : tensor<?x16xf32, #tg.sizes<@rows>>
    tg.kv_append %k, %v to @k_cache, @v_cache loc("append")
    %o = tg.attention %q cache @k_cache, @v_cache heads 2 kv_heads 1 scale 0.25 : tensor<?x32xf32, #tg.sizes<@rows>> loc("attention")
    %z = tg.unary relu %o : tensor<?x32xf32, #tg.sizes<@rows>>
    func.return
  }
}

// -----
// A norm that more than matmuls read is made once, by a kernel of its own; so are a softmax and an
// elementwise op that no kernel takes. Unfused, the matmul and its bias are apart too.
// CHECK-LABEL: builtin.module @rowwise
// ALONE-LABEL: builtin.module @rowwise
builtin.module @rowwise attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @in : memref<4x32xf32, #tw.hbm>
  tg.global weight @norm : memref<32xf32, #tw.hbm> from "'norm'"
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @rowwise() {
    // CHECK: %x = tg.input @in
    // ALONE: %x = tg.input @in
    %x = tg.input @in : tensor<?x32xf32, #tg.sizes<@rows>>
    %g = tg.weight @norm : tensor<32xf32>
    // CHECK-NEXT: %a = tg.fused "act"
    // CHECK-NEXT: tg.unary silu %x
    // CHECK-NEXT: tg.yield
    // CHECK: %n = tg.fused "norm"
    // CHECK-NEXT: tg.weight @norm
    // CHECK-NEXT: tg.layernorm %a
    // CHECK-NEXT: tg.yield
    // CHECK: [[M:%.*]] = tg.fused "both"
    // CHECK-NEXT: tg.weight @norm
    // CHECK-NEXT: tg.rmsnorm %n
    // CHECK-NEXT: tg.yield
    // CHECK: [[Z:%.*]] = tg.fused "linear"
    // CHECK-NEXT: tg.weight @w
    // CHECK-NEXT: [[Y:%.*]] = tg.matmul [[M]]
    // CHECK-NEXT: [[S:%.*]] = tg.binary add [[Y]], [[M]]
    // CHECK-NEXT: tg.yield [[S]]
    // CHECK: tg.fused "softmax" {
    // CHECK-NEXT: [[P:%.*]] = tg.softmax [[Z]]
    // CHECK-NEXT: tg.output [[P]] to @y
    // ALONE: [[Y:%.*]] = tg.fused "linear"
    // ALONE-NEXT: tg.weight @w
    // ALONE-NEXT: tg.matmul
    // ALONE-NEXT: tg.yield
    // ALONE: tg.fused "sum"
    // ALONE-NEXT: tg.binary add [[Y]]
    // ALONE-NEXT: tg.yield
    %a = tg.unary silu %x : tensor<?x32xf32, #tg.sizes<@rows>> loc("act")
    %n = tg.layernorm %a, %g, %g eps 1.0e-05 : tensor<?x32xf32, #tg.sizes<@rows>> loc("norm")
    %m = tg.rmsnorm %n, %g eps 1.0e-05 : tensor<?x32xf32, #tg.sizes<@rows>> loc("both")
    %w = tg.weight @w : tensor<32x32xf32>
    %y = tg.matmul %m, %w : tensor<?x32xf32, #tg.sizes<@rows>> loc("linear")
    %z = tg.binary add %y, %m : tensor<?x32xf32, #tg.sizes<@rows>> loc("sum")
    %p = tg.softmax %z : tensor<?x32xf32, #tg.sizes<@rows>> loc("softmax")
    tg.output %p to @y
    func.return
  }
}

// -----
// Kernels stay as they are; rows picked for no matmul are a kernel of their own.
// CHECK-LABEL: builtin.module @kept
builtin.module @kept attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  // CHECK: func.func @kept() {
  func.func @kept() {
    // CHECK-NEXT: %x = tg.fused "embd"
    %x = tg.fused "embd" : tensor<?x32xf32, #tg.sizes<@rows>> {
      // CHECK-NEXT: %e = tg.embed
      %e = tg.embed @embd, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
      // CHECK-NEXT: tg.yield %e
      tg.yield %e
    }
    // CHECK-NEXT: }
    // CHECK-NEXT: tg.fused "tg.take"
    // CHECK-NEXT: %a = tg.take %x
    %a = tg.take %x, @tokens : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.output %a to @y
    tg.output %a to @y
    func.return
  }
}

// -----
// Rows that are an output and something else besides are copied by a kernel of their own.
// CHECK-LABEL: builtin.module @copied
builtin.module @copied attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @x : memref<4x8xf32, #tw.hbm>
  tg.global output @y : memref<4x8xf32, #tw.hbm>
  func.func @copied() {
    // CHECK: %x = tg.input @x
    %x = tg.input @x : tensor<?x8xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.fused
    // CHECK-NEXT: [[C:%.*]] = tg.binary max %x, %x
    // CHECK-NEXT: tg.output [[C]] to @y
    tg.output %x to @y
    func.return
  }
}

// -----
// Heads that turn by other tables are another kernel.
// CHECK-LABEL: builtin.module @turned
builtin.module @turned attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @x : memref<4x8xf32, #tw.hbm>
  tg.global table @c : memref<4x4xf32, #tw.hbm> from "rope_cos(10000.0, 8, 4)"
  tg.global table @s : memref<4x4xf32, #tw.hbm> from "rope_sin(10000.0, 8, 4)"
  tg.global table @c2 : memref<4x2xf32, #tw.hbm> from "rope_cos(10000.0, 4, 4)"
  tg.global table @s2 : memref<4x2xf32, #tw.hbm> from "rope_sin(10000.0, 4, 4)"
  func.func @turned() -> (tensor<?x8xf32, #tg.sizes<@rows>>, tensor<?x8xf32, #tg.sizes<@rows>>) {
    %x = tg.input @x : tensor<?x8xf32, #tg.sizes<@rows>>
    // CHECK: %a = tg.fused
    // CHECK-NEXT: tg.rope %x, @c, @s heads 1
    %a = tg.rope %x, @c, @s heads 1 : tensor<?x8xf32, #tg.sizes<@rows>>
    // CHECK: %b = tg.fused
    // CHECK-NEXT: tg.rope %x, @c2, @s2 heads 2
    %b = tg.rope %x, @c2, @s2 heads 2 : tensor<?x8xf32, #tg.sizes<@rows>>
    func.return %a, %b : tensor<?x8xf32, #tg.sizes<@rows>>, tensor<?x8xf32, #tg.sizes<@rows>>
  }
}

// -----
// What is a kernel stays one.
// CHECK-LABEL: builtin.module @kernels
builtin.module @kernels attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global input @x : memref<4x8xf32, #tw.hbm>
  tg.global output @y : memref<4x8xf32, #tw.hbm>
  func.func @kernels() {
    // CHECK: %x = tg.input @x
    %x = tg.input @x : tensor<?x8xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %a = tg.fused "max"
    // CHECK-NEXT: tg.binary max %x, %x
    %a = tg.fused "max" : tensor<?x8xf32, #tg.sizes<@rows>> {
      %b = tg.binary max %x, %x : tensor<?x8xf32, #tg.sizes<@rows>>
      tg.yield %b
    }
    // CHECK: tg.fused "abs"
    // CHECK-NEXT: tg.unary abs %a
    tg.fused "abs" {
      %c = tg.unary abs %a : tensor<?x8xf32, #tg.sizes<@rows>>
      tg.output %c to @y
      tg.yield
    }
    func.return
  }
}
