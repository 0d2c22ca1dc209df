// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | tilewright-opt | filecheck %s
// Every op of the tg dialect prints as it is read.

// CHECK: builtin.module @decode attributes {tw.policy = "exact"} {
builtin.module @decode attributes {tw.policy = "exact"} {
  // CHECK-NEXT: tg.global input @tokens : memref<4xi32, #tw.hbm> at 64
  tg.global input @tokens : memref<4xi32, #tw.hbm> at 64
  // CHECK-NEXT: tg.global output @logits : memref<4x100xf32, #tw.hbm>
  tg.global output @logits : memref<4x100xf32, #tw.hbm>
  // CHECK-NEXT: tg.global weight @emb : !lowbit.packed<64x100, q4_1, nk> from "token_embd"
  tg.global weight @emb : !lowbit.packed<64x100, q4_1, nk> from "token_embd"
  // CHECK-NEXT: tg.global weight @near : !lowbit.packed<64x100, q4_1, nk> in #tw.spm from "token_embd" at 128
  tg.global weight @near : !lowbit.packed<64x100, q4_1, nk> in #tw.spm from "token_embd" at 128
  // CHECK-NEXT: tg.global output @beside : memref<4x100xf32, #tw.spm>
  tg.global output @beside : memref<4x100xf32, #tw.spm>
  // CHECK-NEXT: tg.global weight @gu : tensor<2x64x64xf32> from "interleave('blk.{l}.a', 'blk.{l}.b', 16)"
  tg.global weight @gu : tensor<2x64x64xf32> from "interleave('blk.{l}.a', 'blk.{l}.b', 16)"
  tg.global weight @gamma : memref<2x64xf32, #tw.hbm> from "blk.{l}.norm"
  tg.global weight @qk_gamma : memref<16xf32, #tw.hbm> from "qk_norm"
  // CHECK: tg.global table @cos : memref<40x4xf32, #tw.hbm> from "rope_cos(10000.0, 8, 40)"
  tg.global table @cos : memref<40x4xf32, #tw.hbm> from "rope_cos(10000.0, 8, 40)"
  tg.global table @sin : memref<40x4xf32, #tw.hbm> from "rope_sin(10000.0, 8, 40)"
  // CHECK: tg.global state @k_cache : memref<2x1x2x40x32xf32, #tw.hbm>
  tg.global state @k_cache : memref<2x1x2x40x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<2x1x2x40x32xf32, #tw.hbm>
  tg.global input @rows_in : memref<4x64xbf16, #tw.hbm>
  // CHECK: tg.global scratch @h : memref<4x64xf32, #tw.hbm>
  tg.global scratch @h : memref<4x64xf32, #tw.hbm>
  // CHECK-NEXT: tg.scalar @rows : 0 to 4
  tg.scalar @rows : 0 to 4
  // CHECK-NEXT: tg.table @q_len : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  func.func @decode() {
    %c0 = arith.constant 0 : index
    // CHECK: %m = tg.get @rows
    %m = tg.get @rows
    // CHECK-NEXT: %n = tg.get @q_len[%c0]
    %n = tg.get @q_len[%c0]
    // CHECK-NEXT: %x = tg.embed @emb, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    %x = tg.embed @emb, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %g = tg.weight @gamma[%c0] : tensor<64xf32>
    %g = tg.weight @gamma[%c0] : tensor<64xf32>
    // CHECK-NEXT: %a = tg.rmsnorm %x, %g eps 1.0e-05 : tensor<?x64xf32, #tg.sizes<@rows>>
    %a = tg.rmsnorm %x, %g eps 0.00001 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %qg = tg.weight @qk_gamma : tensor<16xf32>
    %qg = tg.weight @qk_gamma : tensor<16xf32>
    // CHECK-NEXT: %q = tg.rmsnorm %a, %qg eps 0.0 heads 4 : tensor<?x64xf32, #tg.sizes<@rows>>
    %q = tg.rmsnorm %a, %qg eps 0.0 heads 4 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %r = tg.rope %q, @cos, @sin heads 2 dim 8 : tensor<?x64xf32, #tg.sizes<@rows>>
    %r = tg.rope %q, @cos, @sin heads 2 dim 8 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.kv_append %r, %a to @k_cache, @v_cache[%c0]
    tg.kv_append %r, %a to @k_cache, @v_cache[%c0]
    // CHECK-NEXT: %o = tg.attention %q cache @k_cache, @v_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 : tensor<?x64xf32, #tg.sizes<@rows>>
    %o = tg.attention %q cache @k_cache, @v_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %of = tg.attention %q cache @k_cache, @v_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 full : tensor<?x64xf32, #tg.sizes<@rows>>
    %of = tg.attention %q cache @k_cache, @v_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 full : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %sc = tg.scores %q cache @k_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 : tensor<?x80xf32, #tg.sizes<@rows>>
    %sc = tg.scores %q cache @k_cache[%c0] heads 2 kv_heads 2 scale 0.17677669 : tensor<?x80xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %pc = tg.softmax %sc heads 2 causal : tensor<?x80xf32, #tg.sizes<@rows>>
    %pc = tg.softmax %sc heads 2 causal : tensor<?x80xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %pf = tg.softmax %sc heads 2 full : tensor<?x80xf32, #tg.sizes<@rows>>
    %pf = tg.softmax %sc heads 2 full : tensor<?x80xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %ph = tg.softmax %sc heads 4 : tensor<?x80xf32, #tg.sizes<@rows>>
    %ph = tg.softmax %sc heads 4 : tensor<?x80xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %pa = tg.softmax %sc : tensor<?x80xf32, #tg.sizes<@rows>>
    %pa = tg.softmax %sc : tensor<?x80xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %mi = tg.mix %pc cache @v_cache[%c0] heads 2 kv_heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
    %mi = tg.mix %pc cache @v_cache[%c0] heads 2 kv_heads 2 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %ri = tg.input @rows_in : tensor<?x64xf32, #tg.sizes<@rows>>
    %ri = tg.input @rows_in : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %ln = tg.layernorm %ri, %g, %g eps 1.0e-05 : tensor<?x64xf32, #tg.sizes<@rows>>
    %ln = tg.layernorm %ri, %g, %g eps 0.00001 : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: %f = tg.fused "blk.{l}.ffn" : tensor<?x64xf32, #tg.sizes<@rows>> {
    %f = tg.fused "blk.{l}.ffn" : tensor<?x64xf32, #tg.sizes<@rows>> {
      %w = tg.weight @gu[%c0] : tensor<64x64xf32>
      // CHECK: %gu = tg.matmul %o, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      %gu = tg.matmul %o, %w : tensor<?x64xf32, #tg.sizes<@rows>>
      // CHECK-NEXT: %ga, %up = tg.split %gu [32, 32]
      %ga, %up = tg.split %gu [32, 32]
      // CHECK-NEXT: %s = tg.unary silu %ga : tensor<?x32xf32, #tg.sizes<@rows>>
      %s = tg.unary silu %ga : tensor<?x32xf32, #tg.sizes<@rows>>
      // CHECK-NEXT: %h = tg.binary mul %s, %up : tensor<?x32xf32, #tg.sizes<@rows>>
      %h = tg.binary mul %s, %up : tensor<?x32xf32, #tg.sizes<@rows>>
      // CHECK-NEXT: %b = tg.binary add %gu, %g : tensor<?x64xf32, #tg.sizes<@rows>> attributes {note = "bias"}
      %b = tg.binary add %gu, %g : tensor<?x64xf32, #tg.sizes<@rows>> attributes {note = "bias"}
      // CHECK-NEXT: tg.yield %b
      tg.yield %b
    }
    // CHECK: %t = tg.take %f, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    %t = tg.take %f, @tokens : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK: %i = tg.take %f, @tokens inside : tensor<?x64xf32, #tg.sizes<@rows>>
    %i = tg.take %f, @tokens inside : tensor<?x64xf32, #tg.sizes<@rows>>
    // CHECK-NEXT: tg.fused "head" {
    tg.fused "head" {
      %w = tg.weight @gu[%c0] : tensor<64x64xf32>
      // CHECK: tg.yield
      tg.yield
    }
    %z = tensor.empty() : tensor<4x100xf32>
    // CHECK: tg.output %z to @logits
    tg.output %z to @logits
    func.return
  }
}
