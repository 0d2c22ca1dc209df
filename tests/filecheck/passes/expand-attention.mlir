// RUN: tilewright-opt %s -p expand-attention --split-input-file | filecheck %s
// An attention becomes its scores, their softmax, and the values mixed by it.

// CHECK-LABEL: builtin.module @expanded
builtin.module @expanded attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @in : memref<4x64xf32, #tw.hbm>
  tg.global state @k : memref<2x1x1x8x32xf32, #tw.hbm>
  tg.global state @v : memref<2x1x1x8x32xf32, #tw.hbm>
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @expanded() {
    %c1 = arith.constant 1 : index
    %q = tg.input @in : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK: %scores = tg.scores %q cache @k[%c1] heads 2 kv_heads 1 scale 0.25 : tensor<?x16xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %softmax = tg.softmax %scores heads 2 causal
    // CHECK-NEXT: %o = tg.mix %softmax cache @v[%c1] heads 2 kv_heads 1 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.output %o to @y
    %o = tg.attention %q cache @k, @v[%c1] heads 2 kv_heads 1 scale 0.25 : tensor<?x64xf32, #tg.sizes<@rows>>
    tg.output %o to @y
    func.return
  }
}

// -----
// Where rows see all positions, so does the softmax; what is a kernel already stays.
// CHECK-LABEL: builtin.module @full
builtin.module @full attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @in : memref<4x32xf32, #tw.hbm>
  tg.global state @k : memref<1x1x8x32xf32, #tw.hbm>
  tg.global state @v : memref<1x1x8x32xf32, #tw.hbm>
  func.func @full() {
    %q = tg.input @in : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: tg.softmax %scores heads 1 full
    %o = tg.attention %q cache @k, @v heads 1 kv_heads 1 scale 0.25 full : tensor<?x32xf32, #tg.sizes<@rows>>
    // CHECK: tg.fused "attention"
    // CHECK-NEXT: tg.attention
    %f = tg.fused "attention" : tensor<?x32xf32, #tg.sizes<@rows>> {
      %a = tg.attention %o cache @k, @v heads 1 kv_heads 1 scale 0.25 : tensor<?x32xf32, #tg.sizes<@rows>>
      tg.yield %a
    }
    func.return
  }
}

// -----
// A graph whose attention is a kernel.
// CHECK-LABEL: builtin.module @kernels
builtin.module @kernels attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @in : memref<4x32xf32, #tw.hbm>
  tg.global state @k : memref<1x1x8x32xf32, #tw.hbm>
  tg.global state @v : memref<1x1x8x32xf32, #tw.hbm>
  func.func @kernels() {
    // CHECK: %q = tg.input @in
    // CHECK-NEXT: %f = tg.fused "attention"
    // CHECK-NEXT: tg.attention %q
    %q = tg.input @in : tensor<?x32xf32, #tg.sizes<@rows>>
    %f = tg.fused "attention" : tensor<?x32xf32, #tg.sizes<@rows>> {
      %a = tg.attention %q cache @k, @v heads 1 kv_heads 1 scale 0.25 : tensor<?x32xf32, #tg.sizes<@rows>>
      tg.yield %a
    }
    func.return
  }
}
