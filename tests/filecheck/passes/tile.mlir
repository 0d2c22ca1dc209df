// RUN: tilewright-opt %s -p 'tile{machine=tw-small kv-block=4}' --split-input-file | filecheck %s
// RUN: tilewright-opt %s -p 'tile{machine=tw-1 kv-block=4}' --split-input-file | filecheck %s --check-prefix FEW
// Kernels become loops over tiles of buffers; whole tensors become regions of hbm, or buffers where
// they are few rows.

// A matmul with norm, bias and activation: rows stay, K and panels are loops, the narrow last panel
// stands behind the loop of full ones. Four rows stay with the vector unit between the two kernels,
// with the sum of their squares; all panels share a slot of sums and one epilogue.
// CHECK-LABEL: builtin.module @linear
builtin.module @linear attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global weight @norm : memref<64xf32, #tw.hbm> from "'norm'"
  tg.global weight @w : !lowbit.packed<64x80, q4_0, kn 32> from "'w'"
  tg.global weight @b : memref<80xf32, #tw.hbm> from "'b'"
  tg.global output @y : memref<4x80xf32, #tw.hbm>
  // CHECK-NOT: tg.global scratch
  func.func @linear() {
    // CHECK: %embd_out = tile.buffer : memref<4x64xf32, #tw.spm>
    // CHECK-NEXT: %squares = tile.buffer : memref<4x1xf32, #tw.spm>
    // CHECK-NEXT: %picked = tile.buffer ring "picked" : memref<!lowbit.tile<4x64, q8_0, nk>, #tw.spm>
    // CHECK-NEXT: tile.gather @embd[@tokens[0]] [%rows] to %picked
    // CHECK-NEXT: tile.vec id(%picked) to %embd_out reduce sumsq to %squares rows
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // CHECK: tile.vec rsqrt(%squares * 0.015625 + 1.0e-05) to %scale
    // CHECK-NEXT: tile.vec id(%embd_out * %scale) mul %gamma to %a
    // CHECK-NEXT: %sums = tile.buffer ring "sums" : memref<4x80xf32, #tw.acc>
    // CHECK-NEXT: scf.for %panel = %c0 to %c2
    // CHECK: [[SUMS:%[0-9]+]] = memref.subview %sums[0, {{.*}}] [4, 32]
    // CHECK-NEXT: scf.for %k =
    // CHECK-NEXT: %w = tile.buffer ring "weights" : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
    // CHECK-NEXT: tile.load @w[%panel, %k] [1] to %w
    // CHECK: tile.matmul {{.*}}, %w into [[SUMS]] rows
    // The last panel has 80 - 2 * 32 columns.
    // CHECK: [[LAST:%[0-9]+]] = memref.subview %sums[0, 64] [4, 16]
    // CHECK: tile.matmul %a, %w_1 into [[LAST]] rows
    // CHECK: tile.load @b[0] [80] to %b
    // CHECK-NEXT: tile.vec id(%sums) add %b to %v
    // CHECK-NEXT: tile.vec sigmoid(%v) mul %v to %out rows
    // CHECK-NEXT: tile.store %out to @y[0, 0] [{{.*}}, 80]
    tg.fused "linear" {
      %g = tg.weight @norm : tensor<64xf32>
      %n = tg.rmsnorm %x, %g eps 1.0e-05 : tensor<?x64xf32, #tg.sizes<@rows>>
      %w = tg.weight @w : tensor<64x80xf32>
      %y = tg.matmul %n, %w : tensor<?x80xf32, #tg.sizes<@rows>>
      %b = tg.weight @b : tensor<80xf32>
      %z = tg.binary add %y, %b : tensor<?x80xf32, #tg.sizes<@rows>>
      %a = tg.unary silu %z : tensor<?x80xf32, #tg.sizes<@rows>>
      tg.output %a to @y
      tg.yield
    }
    func.return
  }
}

// -----
// A layer of a chunk too long for the chip: rope and append, attention over KV blocks of the asked
// size, and a residual updated where it stands, so that the loop over layers carries nothing.
// CHECK-LABEL: builtin.module @layer
// CHECK-SAME: tw.kv_block = 4 : i64
builtin.module @layer attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 2048
  tg.scalar @logit_rows : 0 to 2048
  tg.table @row_start : 2 x 0 to 2048
  tg.table @q_len : 2 x 0 to 1024
  tg.table @kv_len : 2 x 0 to 15
  tg.global input @tokens : memref<2048xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global table @rope_cos : memref<16x16xf32, #tw.hbm> from "rope_cos(10000.0, 32, 16)"
  tg.global table @rope_sin : memref<16x16xf32, #tw.hbm> from "rope_sin(10000.0, 32, 16)"
  tg.global state @k_cache : memref<3x2x1x16x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<3x2x1x16x32xf32, #tw.hbm>
  tg.global weight @qkv : !lowbit.packed<3x64x128, q4_0, kn 32> from "'qkv'"
  tg.global weight @o : !lowbit.packed<3x64x64, q4_0, kn 32> from "'o'"
  // CHECK: tg.global scratch @embd_out : memref<2048x64xf32, #tw.hbm>
  // CHECK: tg.global scratch @qkv_out : memref<2048x128xf32, #tw.hbm>
  func.func @layer() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %x0 = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // CHECK: tile.store %{{.*}} to @embd_out
    // CHECK: scf.for %l = %c0 to %c3 step %c1 {
    %r = scf.for %l = %c0 to %c3 step %c1 iter_args(%x = %x0) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      // CHECK: tile.load @qkv[%l, %n{{.*}}, %k{{.*}}] [1]
      %p = tg.fused "qkv" : tensor<?x128xf32, #tg.sizes<@rows>> {
        %w = tg.weight @qkv[%l] : tensor<64x128xf32>
        %y = tg.matmul %x, %w : tensor<?x128xf32, #tg.sizes<@rows>>
        tg.yield %y
      }
      // A loop over sequences; the angles are those of the rows' positions.
      // CHECK: scf.for %b = %c0 to %c2
      // CHECK: %kv_len = tg.get @kv_len[%b]
      // CHECK: [[LEN:%[0-9]+]] = arith.addi %kv_len
      // CHECK: tile.load @rope_cos[[[LEN]], 0]
      // CHECK: tile.store {{.*}} to @k_cache[%l, %b, 0, [[LEN]], 0] [1, 1, 1, {{.*}}, 32]
      // CHECK: tile.store {{.*}} to @v_cache[%l, %b, 0, [[LEN]], 0]
      %q = tg.fused "heads" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %q0, %k0, %v = tg.split %p [64, 32, 32]
        %q1 = tg.rope %q0, @rope_cos, @rope_sin heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
        %k = tg.rope %k0, @rope_cos, @rope_sin heads 1 : tensor<?x32xf32, #tg.sizes<@rows>>
        tg.kv_append %k, %v to @k_cache, @v_cache[%l]
        tg.yield %q1
      }
      // CHECK: tile.load @heads_out[
      // CHECK: [[VALID:%[0-9]+]] = arith.minsi %c4
      // CHECK: %keys = tile.buffer ring "kv" : memref<1x4x32xf32, #tw.spm>
      // CHECK-NEXT: tile.load @k_cache[%l, %{{.*}}] [1, 1, 1, [[VALID]], 32] to %keys
      // CHECK: [[KEYS:%[0-9]+]] = memref.subview %keys
      // CHECK-NEXT: tile.matmul %{{.*}}, [[KEYS]] transposed into %scores
      // CHECK: tile.vec id(%{{.*}} * 0.25) band hi %{{.*}} step 1 axis 0 fill -1.0e+30 reduce max to %low
      // CHECK: tile.vec exp(%{{.*}} * 0.25 + %new) band hi %{{.*}} step 1 axis 0 fill 0.0 to %{{.*}} reduce sum to %added
      // CHECK: tile.load @v_cache[
      // CHECK: tile.matmul %p, %{{.*}} into %pv
      // CHECK: tile.vec id(%o * %total) to %{{.*}}
      // CHECK: tile.store %{{.*}} to @attention_out
      %o = tg.fused "attention" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.attention %q cache @k_cache, @v_cache[%l] heads 2 kv_heads 1 scale 0.25 : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %a
      }
      // CHECK: %r = tile.buffer ring "residual"
      // CHECK-NEXT: tile.load @embd_out
      // CHECK: tile.store {{.*}} to @embd_out
      %z = tg.fused "o" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %w = tg.weight @o[%l] : tensor<64x64xf32>
        %y = tg.matmul %o, %w : tensor<?x64xf32, #tg.sizes<@rows>>
        %s = tg.binary add %x, %y : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %s
      }
      scf.yield %z : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    func.return
  }
}

// -----
// The same layer with one new row a sequence: everything stays on chip. Only what went before is
// loaded; the own key and value stand behind it in the block, and go to the cache afterwards.
// CHECK-LABEL: builtin.module @step
builtin.module @step attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 2
  tg.scalar @logit_rows : 0 to 2
  tg.table @row_start : 2 x 0 to 2
  tg.table @q_len : 2 x 0 to 1
  tg.table @kv_len : 2 x 0 to 15
  tg.global input @tokens : memref<2xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global table @rope_cos : memref<16x16xf32, #tw.hbm> from "rope_cos(10000.0, 32, 16)"
  tg.global table @rope_sin : memref<16x16xf32, #tw.hbm> from "rope_sin(10000.0, 32, 16)"
  tg.global state @k_cache : memref<3x2x1x16x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<3x2x1x16x32xf32, #tw.hbm>
  tg.global weight @qkv : !lowbit.packed<3x64x128, q4_0, kn 32> from "'qkv'"
  tg.global weight @o : !lowbit.packed<3x64x64, q4_0, kn 32> from "'o'"
  // CHECK-NOT: tg.global scratch
  func.func @step() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %x0 = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    %r = scf.for %l = %c0 to %c3 step %c1 iter_args(%x = %x0) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      // CHECK: tile.vec id(%embd_out) to %a
      // The vector unit reads the product where the matrix unit leaves it.
      // CHECK: %sums = tile.buffer ring "sums" : memref<2x128xf32, #tw.acc>
      %p = tg.fused "qkv" : tensor<?x128xf32, #tg.sizes<@rows>> {
        %w = tg.weight @qkv[%l] : tensor<64x128xf32>
        %y = tg.matmul %x, %w : tensor<?x128xf32, #tg.sizes<@rows>>
        tg.yield %y
      }
      // A row's own position picks its angles; a resting sequence has none.
      // CHECK: scf.for %b = %c0 to %c2
      // CHECK: scf.for %i = %c0 to %q_len
      // CHECK: tile.load @rope_cos[%kv_len, 0] [1, 16]
      // Queries and keys are turned together, in three passes, into one slot.
      // CHECK: %fresh = tile.buffer ring "fresh" : memref<2x96xf32, #tw.spm>
      // CHECK-NEXT: [[QUERIES:%[0-9]+]] = memref.subview %fresh[0, 0] [2, 64]
      // CHECK-NEXT: [[KEYS:%[0-9]+]] = memref.subview %fresh[0, 64] [2, 32]
      // CHECK: tile.vec id(%{{[0-9]+}} * %{{[0-9]+}}) to %turned rows
      // CHECK: tile.vec id(%{{[0-9]+}} * %{{[0-9]+}}) sub %{{[0-9]+}} to %{{[0-9]+}} rows
      // CHECK-NEXT: tile.vec id(%{{[0-9]+}} * %{{[0-9]+}} + %{{[0-9]+}}) to %{{[0-9]+}} rows
      // CHECK-NEXT: %fresh_1 = tile.buffer ring "fresh" : memref<2x32xf32, #tw.spm>
      // CHECK-NOT: tile.store
      %q = tg.fused "heads" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %q0, %k0, %v = tg.split %p [64, 32, 32]
        %q1 = tg.rope %q0, @rope_cos, @rope_sin heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
        %k = tg.rope %k0, @rope_cos, @rope_sin heads 1 : tensor<?x32xf32, #tg.sizes<@rows>>
        tg.kv_append %k, %v to @k_cache, @v_cache[%l]
        tg.yield %q1
      }
      // CHECK: %attention_out = tile.buffer ring "handed" : memref<2x64xf32, #tw.spm>
      // CHECK: [[VALID:%[0-9]+]] = arith.minsi %c4
      // CHECK: [[BEFORE:%[0-9]+]] = arith.minsi %c4
      // CHECK-NEXT: [[OWN:%[0-9]+]] = arith.subi [[VALID]], [[BEFORE]]
      // CHECK: tile.load @k_cache[%l, %{{.*}}] [1, 1, 1, [[BEFORE]], 32] to %keys
      // CHECK: tile.matmul %{{.*}} transposed into %scores rows %{{.*}} cols [[BEFORE]]
      // CHECK-NEXT: scf.for %own = %c0 to [[OWN]]
      // CHECK-NEXT: [[KEY:%[0-9]+]] = memref.subview [[KEYS]][
      // CHECK-NEXT: [[SCORE:%[0-9]+]] = memref.subview %scores[0, [[BEFORE]]] [2, 1]
      // CHECK-NEXT: tile.matmul %{{.*}}, [[KEY]] transposed into [[SCORE]]
      // CHECK: reduce max to %low rows %{{.*}} cols [[VALID]]
      // CHECK: tile.load @v_cache[%l, %{{.*}}] [1, 1, 1, [[BEFORE]], 32] to %values
      // CHECK: tile.matmul %p, %{{.*}} into %pv rows %{{.*}} depth [[BEFORE]]
      // CHECK-NEXT: scf.for %own_1 = %c0 to [[OWN]]
      // CHECK-NEXT: [[P:%[0-9]+]] = memref.subview %p[0, [[BEFORE]]] [2, 1]
      // CHECK-NEXT: [[VALUE:%[0-9]+]] = memref.subview %fresh_1[
      // CHECK-NEXT: tile.matmul [[P]], [[VALUE]] into %pv
      // CHECK: tile.store {{.*}} to @k_cache[%l, %{{.*}}, 0, %kv_len_{{.*}}, 0] [1, 1, 1, 1, 32]
      // CHECK: tile.store {{.*}} to @v_cache[%l, 
      %o = tg.fused "attention" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.attention %q cache @k_cache, @v_cache[%l] heads 2 kv_heads 1 scale 0.25 : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %a
      }
      // CHECK: tile.matmul %attention_out, %w_1 into %sums_1
      // CHECK: tile.vec id(%sums_1) add %{{.*}} to
      %z = tg.fused "o" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %w = tg.weight @o[%l] : tensor<64x64xf32>
        %y = tg.matmul %o, %w : tensor<?x64xf32, #tg.sizes<@rows>>
        %s = tg.binary add %x, %y : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %s
      }
      scf.yield %z : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    func.return
  }
}

// -----
// All positions in one KV block: nothing runs along, and the scores' maximum is made as its negative.
// CHECK-LABEL: builtin.module @one_block
// CHECK-SAME: tw.kv_block = 4 : i64
builtin.module @one_block attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 1
  tg.scalar @logit_rows : 0 to 1
  tg.table @row_start : 1 x 0 to 1
  tg.table @q_len : 1 x 0 to 1
  tg.table @kv_len : 1 x 0 to 3
  tg.global input @q : memref<1x64xf32, #tw.hbm>
  tg.global state @k_cache : memref<1x1x4x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<1x1x4x32xf32, #tw.hbm>
  tg.global output @y : memref<1x64xf32, #tw.hbm>
  func.func @one_block() {
    %q = tg.input @q : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK: scf.for %t =
    // CHECK: tile.matmul {{.*}} transposed into %scores
    // CHECK: tile.vec neg(%{{.*}} * 0.25) min 1.0e+30 band hi %{{.*}} step 1 axis 0 fill 1.0e+30 reduce min to %new
    // CHECK: tile.vec exp(%{{.*}} * 0.25 + %new) band hi %{{.*}} step 1 axis 0 fill 0.0 to %{{.*}} reduce sum to %total
    // CHECK-NEXT: tile.vec reciprocal(%total * 1.0 + 1.0e-30) to %total
    // CHECK: tile.matmul %p, {{.*}} into %pv
    // CHECK: tile.vec id(%{{.*}} * %total) to
    // CHECK: tile.store %{{.*}} to @y[
    tg.fused "attention" {
      %a = tg.attention %q cache @k_cache, @v_cache heads 2 kv_heads 1 scale 0.25 : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.output %a to @y
      tg.yield
    }
    func.return
  }
}

// -----
// A gated pair of matmuls on a fast machine, one row: a pass of the epilogue takes two panels, the
// result is handed in three slots, and the next product takes in the first before the second is
// there. The tiles of its narrow last panel have a ring of their own.
// FEW-LABEL: builtin.module @gated
builtin.module @gated attributes {tw.policy = "bf16"} {
  tg.scalar @rows : 0 to 1
  tg.scalar @logit_rows : 0 to 1
  tg.table @row_start : 1 x 0 to 1
  tg.table @q_len : 1 x 0 to 1
  tg.table @kv_len : 1 x 0 to 3
  tg.global input @tokens : memref<1xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<576x50, bf16, nk> from "'embd'"
  tg.global weight @pair : !lowbit.packed<576x3072, bf16, kn 512> from "'pair'"
  tg.global weight @down : !lowbit.packed<1536x576, bf16, kn 512> from "'down'"
  tg.global output @y : memref<1x576xf32, #tw.hbm>
  func.func @gated() {
    %x = tg.fused "embd" : tensor<?x576xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x576xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // FEW: %pair_out = tile.buffer ring "handed" : memref<1x512xbf16, #tw.spm>
    // FEW-NEXT: %sums = tile.buffer ring "sums" : memref<1x1024xf32, #tw.acc>
    // FEW-NEXT: scf.for %panel = %c0 to %c2
    // FEW: tile.load @pair[%panel, 0] [576] to %w
    // FEW: [[BOTH:%[0-9]+]] = tile.reshape %sums : memref<1x2x512xf32, #tw.acc>
    // FEW-NEXT: [[GATE:%[0-9]+]] = memref.subview [[BOTH]][0, 0, 0] [1, 2, 256]
    // FEW-NEXT: [[UP:%[0-9]+]] = memref.subview [[BOTH]][0, 0, 256] [1, 2, 256]
    // FEW: tile.vec sigmoid([[GATE]]) mul [[GATE]] to %v rows
    // FEW-NEXT: tile.vec id(%v) mul [[UP]] to
    // FEW-NEXT: %pair_out_1 = tile.buffer ring "handed" : memref<1x512xbf16, #tw.spm>
    // FEW: %pair_out_2 = tile.buffer ring "handed" : memref<1x512xbf16, #tw.spm>
    %h = tg.fused "pair" : tensor<?x1536xf32, #tg.sizes<@rows>> {
      %w = tg.weight @pair : tensor<576x3072xf32>
      %p = tg.matmul %x, %w : tensor<?x3072xf32, #tg.sizes<@rows>>
      %g, %u = tg.split %p [1536, 1536] group 256
      %a = tg.unary silu %g : tensor<?x1536xf32, #tg.sizes<@rows>>
      %m = tg.binary mul %a, %u : tensor<?x1536xf32, #tg.sizes<@rows>>
      tg.yield %m
    }
    // FEW: %w_3 = tile.buffer ring "weights" : memref<!lowbit.tile<512x512, bf16, kn>, #tw.spm>
    // FEW-NEXT: tile.load @down[0, 0] [512] to %w_3
    // FEW-NEXT: tile.matmul %pair_out, %w_3 into %sums_3
    // FEW: tile.load @down[0, 512] [512] to %w_4
    // FEW-NEXT: tile.matmul %pair_out_1, %w_4 into %sums_3
    // FEW: tile.load @down[0, 1024] [512] to %w_5
    // FEW-NEXT: tile.matmul %pair_out_2, %w_5 into %sums_3
    // FEW: %w_6 = tile.buffer ring "narrow_weights" : memref<!lowbit.tile<512x64, bf16, kn>, #tw.spm>
    // FEW-NEXT: tile.load @down[1, 0] [512] to %w_6
    tg.fused "down" {
      %w = tg.weight @down : tensor<1536x576xf32>
      %z = tg.matmul %h, %w : tensor<?x576xf32, #tg.sizes<@rows>>
      tg.output %z to @y
      tg.yield
    }
    func.return
  }
}

// -----
// No kernels, nothing to do.
// CHECK-LABEL: builtin.module @empty
builtin.module @empty attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  // CHECK: func.func @empty() {
  // CHECK-NEXT: func.return
  func.func @empty() {
    func.return
  }
}

// -----
// Kernels of one op: rows come, the vector unit works on them, rows go. An input is read where it is.
// CHECK-LABEL: builtin.module @rowwise
builtin.module @rowwise attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @in : memref<4x64xf32, #tw.hbm>
  tg.global weight @g : memref<64xf32, #tw.hbm> from "'g'"
  tg.global weight @b : memref<64xf32, #tw.hbm> from "'b'"
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @rowwise() {
    // CHECK: tile.load @g[0] [64] to %gamma
    // CHECK-NEXT: tile.load @b[0] [64] to %beta
    // CHECK: tile.load @in[
    // CHECK: tile.vec id(%x) reduce sum to %mean
    // CHECK-NEXT: tile.vec id(%mean * -0.015625) to %mean
    // CHECK-NEXT: tile.vec id(%x) add %mean to %centred reduce sumsq to %scale
    // CHECK-NEXT: tile.vec rsqrt(%scale * 0.015625 + 1.0e-05) to %scale
    // CHECK-NEXT: tile.vec id(%centred * %scale) mul %gamma to %centred
    // CHECK-NEXT: tile.vec id(%centred) add %beta to %out
    // CHECK-NEXT: tile.store %out to @norm_out[
    %x = tg.input @in : tensor<?x64xf32, #tg.sizes<@rows>>
    %n = tg.fused "norm" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %g = tg.weight @g : tensor<64xf32>
      %b = tg.weight @b : tensor<64xf32>
      %l = tg.layernorm %x, %g, %b eps 1.0e-05 : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %l
    }
    // CHECK: tile.vec id(%{{.*}}) reduce max to %top
    // CHECK-NEXT: tile.vec neg(%top) to %top
    // CHECK-NEXT: tile.vec exp(%{{.*}} + %top) to %chance reduce sum to %total
    // CHECK-NEXT: tile.vec reciprocal(%total) to %total
    // CHECK-NEXT: tile.vec id(%chance * %total) to %
    // CHECK-NEXT: tile.store %{{.*}} to @softmax_out[
    %p = tg.fused "softmax" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %s = tg.softmax %n heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %s
    }
    // CHECK: tile.load @softmax_out[
    // CHECK: tile.load @in[{{.*}} to %y
    // CHECK-NEXT: tile.vec id(%{{.*}}) sub %y to %
    // CHECK-NEXT: tile.store %{{.*}} to @y[
    tg.fused "sum" {
      %d = tg.binary sub %p, %x : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.output %d to @y
      tg.yield
    }
    func.return
  }
}

// -----
// Attention in steps: keys and values by blocks of 4 positions, one head after another.
// CHECK-LABEL: builtin.module @steps
builtin.module @steps attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @in : memref<4x64xf32, #tw.hbm>
  tg.global state @k : memref<1x1x8x32xf32, #tw.hbm>
  tg.global state @v : memref<1x1x8x32xf32, #tw.hbm>
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @steps() {
    %q = tg.input @in : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK: tile.load @in[{{.*}} to %query
    // CHECK: tile.load @k[
    // CHECK: tile.matmul %query, %keys transposed into %scores
    // CHECK-NEXT: %out = tile.buffer
    // CHECK-NEXT: tile.vec id(%scores * 0.25) to %out
    // CHECK: tile.store %out to @scores_out[
    %s = tg.fused "scores" : tensor<?x16xf32, #tg.sizes<@rows>> {
      %a = tg.scores %q cache @k heads 2 kv_heads 1 scale 0.25 : tensor<?x16xf32, #tg.sizes<@rows>>
      tg.yield %a
    }
    // CHECK: tile.load @scores_out[
    // CHECK: tile.vec id({{.*}}) band hi %{{.*}} step 1 axis 0 fill -1.0e+30 reduce max to %top
    // CHECK: tile.vec exp({{.*}}) band hi %{{.*}} step 1 axis 0 fill 0.0 to %chance reduce sum to %total
    // CHECK: tile.store {{.*}} to @softmax_out[
    %p = tg.fused "softmax" : tensor<?x16xf32, #tg.sizes<@rows>> {
      %a = tg.softmax %s heads 2 causal : tensor<?x16xf32, #tg.sizes<@rows>>
      tg.yield %a
    }
    // CHECK: tile.load @softmax_out[
    // CHECK: tile.load @v[
    // CHECK: tile.matmul %{{.*}}, %values into %mixed
    // CHECK: tile.store %{{.*}} to @y[
    tg.fused "mix" {
      %a = tg.mix %p cache @v heads 2 kv_heads 1 : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.output %a to @y
      tg.yield
    }
    func.return
  }
}
