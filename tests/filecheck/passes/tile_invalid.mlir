// RUN: tilewright-opt %s -p 'tile{machine=tw-small}' --split-input-file --verify-diagnostics | filecheck %s
// What tile finds no kernel or no region for, and what an earlier pass should have done; the first
// module is right.

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
// expected-error @unknown {{the module has no launch parameter @rows; declare it by tg.scalar}}
builtin.module attributes {tw.policy = "exact"} {
  func.func @entry() {
    func.return
  }
}
// -----
// expected-error @unknown {{the module has no launch parameters @row_start; declare them by tg.table}}
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  func.func @entry() {
    func.return
  }
}
// -----
// expected-error @unknown {{module attribute tw.policy: found 'fast', wanted exact, bf16}}
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
    // expected-error @unknown {{no kernel holds it; run fuse before tile}}
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
    // expected-error @unknown {{an output stands outside of a kernel; run fuse}}
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
    // expected-error @unknown {{wanted a loop from 0 by 1 to a constant, found [1, 2, 1]}}
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
    // expected-error @unknown {{a tensor that a loop of layers updates is read elsewhere; give the loop a tensor of its own}}
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
    // expected-error @unknown {{wanted one that a kernel makes: run fuse before tile}}
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
    // expected-error @unknown {{not by an update of the tensor it began with; end the layer with an addition to it}}
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
    // expected-error @unknown {{makes tensor<4x64xf32>; wanted rows counted by a launch parameter, #tg.sizes<@rows>}}
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
    // expected-error @unknown {{rows are counted by @others, wanted rows or logit_rows}}
    %y = tg.fused "silu" : tensor<?x64xf32, #tg.sizes<@others>> {
      %a = tg.unary silu %x : tensor<?x64xf32, #tg.sizes<@others>>
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
  tg.global weight @w : !lowbit.packed<64x64, q4_0, kn> from "'w'"
  func.func @entry() {
    %x = tg.fused "embd" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %e = tg.embed @embd, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %e
    }
    // expected-error @unknown {{wanted a packed parameter with its panels: run choose-formats and choose-panels before tile}}
    %y = tg.fused "linear" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %w = tg.weight @w : tensor<64x64xf32>
      %p = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %p
    }
    func.return
  }
}
// -----
builtin.module attributes {tw.policy = "bf16"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global state @k : memref<1x1x16x32xbf16, #tw.hbm>
  tg.global state @v : memref<1x1x16x32xbf16, #tw.hbm>
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    %y = tg.fused "attention" : tensor<?x64xf32, #tg.sizes<@rows>> {
      // expected-error @unknown {{@x holds f32; wanted bf16, as rows have that matmuls and attention alone read}}
      %a = tg.attention %x cache @k, @v heads 2 kv_heads 1 scale 0.25 : tensor<?x64xf32, #tg.sizes<@rows>>
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
  tg.global input @z : memref<4x64xbf16, #tw.hbm>
  tg.global weight @w : !lowbit.packed<64x64, q4_0, kn 32> from "'w'"
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    %z = tg.input @z : tensor<?x64xf32, #tg.sizes<@rows>>
    %y = tg.fused "linear" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %w = tg.weight @w : tensor<64x64xf32>
      %p = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      // expected-error @unknown {{@z holds bf16; wanted f32 behind a matmul}}
      %s = tg.binary add %p, %z : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.yield %s
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
  tg.global input @x : memref<4x64xbf16, #tw.hbm>
  tg.global table @cos : memref<16x16xf32, #tw.hbm> from "rope_cos(10000.0, 32, 16)"
  tg.global table @sin : memref<16x16xf32, #tw.hbm> from "rope_sin(10000.0, 32, 16)"
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    // expected-error @unknown {{@x holds bf16; head-wise kernels read f32}}
    %q = tg.fused "heads" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %a = tg.rope %x, @cos, @sin heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
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
  tg.global weight @g : memref<64xf32, #tw.hbm> from "'g'"
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    %w = tg.weight @g : tensor<64xf32>
    %g = tg.unary silu %w : tensor<64xf32>
    // expected-error @unknown {{found where a kernel reads a parameter}}
    %q = tg.fused "norm" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %a = tg.rmsnorm %x, %g eps 1.0e-05 : tensor<?x64xf32, #tg.sizes<@rows>>
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
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @entry() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>>
    tg.fused "softmax" {
      // expected-error @unknown {{columns that no row sees are not written, so it is no output}}
      %p = tg.softmax %x heads 2 causal : tensor<?x64xf32, #tg.sizes<@rows>>
      tg.output %p to @y
      tg.yield
    }
    func.return
  }
}
// -----
// Heads of 32 and of 256 values want blocks of their own; the image notes one.
// expected-error @unknown {{attention kernels with KV blocks}}
builtin.module attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 4095
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  tg.global input @z : memref<4x256xf32, #tw.hbm>
  tg.global state @k : memref<1x1x4096x32xf32, #tw.hbm>
  tg.global state @v : memref<1x1x4096x32xf32, #tw.hbm>
  tg.global state @wide_k : memref<1x1x4096x256xf32, #tw.hbm>
  tg.global state @wide_v : memref<1x1x4096x256xf32, #tw.hbm>
  func.func @entry() {
    %x = tg.input @x : tensor<?x32xf32, #tg.sizes<@rows>>
    %z = tg.input @z : tensor<?x256xf32, #tg.sizes<@rows>>
    %a = tg.fused "attention" : tensor<?x32xf32, #tg.sizes<@rows>> {
      %o = tg.attention %x cache @k, @v heads 1 kv_heads 1 scale 0.25 : tensor<?x32xf32, #tg.sizes<@rows>>
      tg.yield %o
    }
    %b = tg.fused "wide" : tensor<?x256xf32, #tg.sizes<@rows>> {
      %o = tg.attention %z cache @wide_k, @wide_v heads 1 kv_heads 1 scale 0.25 : tensor<?x256xf32, #tg.sizes<@rows>>
      tg.yield %o
    }
    func.return
  }
}
