// RUN: tilewright-opt %s -p 'tile{machine=tw-small}' --split-input-file --verify-diagnostics | filecheck %s
// Modules and loops that tile finds no regions for, and what an earlier pass should have done; the
// first module is right. What no kernel exists for is in tile_kernels_invalid.mlir.

builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      // CHECK: tile.gather @embd
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    func.return
  }
}
// -----
// expected-error @below {{the module has no launch parameter @rows; declare it by tg.scalar}}
builtin.module attributes {tw.policy = "exact"} {
  func.func @entry() {
    func.return
  }
}
// -----
// expected-error @below {{the module has no launch parameters @row_start; declare them by tg.table}}
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  func.func @entry() {
    func.return
  }
}
// -----
// expected-error @below {{module attribute tw.policy: found 'fast', wanted exact, bf16}}
builtin.module attributes {tw.policy = "fast"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    // expected-error @below {{no kernel holds it; run fuse before tile}}
    %x = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @entry() {
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // expected-error @below {{an output stands outside of a kernel; run fuse}}
    tg.output %x to @y
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // expected-error @below {{wanted a loop from 0 by 1 to a constant, found [1, 2, 1]}}
    %z = scf.for %l = %c1 to %c2 step %c1 iter_args(%r = %x) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      %h = tg.fused "layer" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.unary silu %r : tensor<?x64xf32, #tg.sizes<@rows>>
        %s = tg.binary add %r, %a : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %s
      }
      scf.yield %h : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // expected-error @below {{a tensor that a loop of layers updates is read elsewhere; give the loop a tensor of its own}}
    %z = scf.for %l = %c0 to %c2 step %c1 iter_args(%r = %x) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      %h = tg.fused "layer" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.unary silu %r : tensor<?x64xf32, #tg.sizes<@rows>>
        %s = tg.binary add %r, %a : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %s
      }
      scf.yield %h : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    %y = tg.fused "again" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %a = tg.unary silu %x : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %a
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %x = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    // expected-error @below {{wanted one that a kernel makes: run fuse before tile}}
    %z = scf.for %l = %c0 to %c2 step %c1 iter_args(%r = %x) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      %h = tg.fused "layer" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.unary silu %r : tensor<?x64xf32, #tg.sizes<@rows>>
        %s = tg.binary add %r, %a : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %s
      }
      scf.yield %h : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  func.func @entry() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // expected-error @below {{not by an update of the tensor it began with; end the layer with an addition to it}}
    %z = scf.for %l = %c0 to %c2 step %c1 iter_args(%r = %x) -> (tensor<?x64xf32, #tg.sizes<@rows>>) {
      %h = tg.fused "layer" : tensor<?x64xf32, #tg.sizes<@rows>> {
        %a = tg.unary silu %r : tensor<?x64xf32, #tg.sizes<@rows>>
        tg.yield %a
      }
      scf.yield %h : tensor<?x64xf32, #tg.sizes<@rows>>
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  func.func @entry() {
    %x = tg.input @x : tensor<4x64xf32>
    // expected-error @below {{makes tensor<4x64xf32>; wanted rows counted by a launch parameter, #tg.sizes<@rows>}}
    %y = tg.fused "silu" : tensor<4x64xf32> {
      %a = tg.unary silu %x : tensor<4x64xf32>
      tg.yield %a
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.scalar @others : 0 to 4
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@others>>
    // expected-error @below {{rows are counted by @others, wanted rows or logit_rows}}
    %y = tg.fused "silu" : tensor<?x64xf32, #tg.sizes<@others>> {
      %a = tg.unary silu %x : tensor<?x64xf32, #tg.sizes<@others>>
      tg.yield %a
    }
    func.return
  }
}
