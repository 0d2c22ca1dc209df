// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the tg dialect refuses, op by op.

// CHECK: tg.global: no role is named 'bias': weight, table, state, scratch, input, output
tg.global bias @x : memref<4xf32, #tw.hbm>
// -----
// CHECK: tg.global: a global lives in #tw.hbm or #tw.spm, not memref<4xf32, #tw.acc>
tg.global input @x : memref<4xf32, #tw.acc>
// -----
// CHECK: tg.global: the type says where it lies: memref<4xf32, #tw.hbm>
tg.global input @x : memref<4xf32, #tw.hbm> in #tw.spm
// -----
// CHECK: a packed global is `in #tw.spm`, or in main memory
tg.global weight @w : !lowbit.packed<64x100, q4_1, nk> in #tw.acc from "w"
// -----
// CHECK: tg.global: a global has static sizes, not memref<?xf32, #tw.hbm>
tg.global input @x : memref<?xf32, #tw.hbm>
// -----
// CHECK: tg.global: f32 is no tensor
tg.global input @x : f32
// -----
// CHECK: tg.global: only a weight is packed, not a global of role input
tg.global input @x : !lowbit.packed<32x16, q4_0, kn 16>
// -----
// CHECK: tg.global: a global of role state has no recipe
tg.global state @x : memref<4xf32, #tw.hbm> from "x"
// -----
// CHECK: tg.global: a table says what its bytes are: from "recipe"
tg.global table @x : memref<4xf32, #tw.hbm>
// -----
// CHECK: tg.scalar: 4 to 2 is no range
tg.scalar @m : 4 to 2
// -----
// CHECK: tg.table: a table has at least 1 word
tg.table @m : 0 x 0 to 2
// -----
// CHECK: Redefinition of symbol "m"
tg.scalar @m : 0 to 2
tg.table @m : 1 x 0 to 2
// -----
// CHECK: tg.get: no launch parameter is named @m
%m = tg.get @m
// -----
// CHECK: tg.get: @m is a tg.table: tables take an index
tg.table @m : 1 x 0 to 2
%m = tg.get @m
// -----
// CHECK: tg.weight: no global is named @w
%w = tg.weight @w : tensor<4xf32>
// -----
// CHECK: tg.weight: a parameter has static sizes, not tensor<?xf32>
%w = tg.weight @w : tensor<?xf32>
// -----
// CHECK: tg.weight: @w is no weight but input
tg.global input @w : memref<4xf32, #tw.hbm>
%w = tg.weight @w : tensor<4xf32>
// -----
// CHECK: tg.weight: @w gives [64, 32], not tensor<32x64xf32>
tg.global weight @w : !lowbit.packed<2x64x32, q4_0, kn> from "w"
%c0 = arith.constant 0 : index
%w = tg.weight @w[%c0] : tensor<32x64xf32>
// -----
// CHECK: tg.embed: each ? of a tensor is named by #tg.sizes, not tensor<?x64xf32>
%x = tg.embed @e, @t : tensor<?x64xf32>
// -----
// CHECK: tg.embed: no launch scalar is named @m
%x = tg.embed @e, @t : tensor<?x64xf32, #tg.sizes<@m>>
// -----
// CHECK: tg.embed: the result has 2 axes, not tensor<64xf32>
%x = tg.embed @e, @t : tensor<64xf32>
// -----
// CHECK: tg.embed: @t is no list of row numbers in i32: memref<4xf32, #tw.hbm>
tg.global input @t : memref<4xf32, #tw.hbm>
%x = tg.embed @e, @t : tensor<4x64xf32>
// -----
// CHECK: tg.embed: rows are taken from nk packings, not from !lowbit.packed<64x32, q4_0, kn 16>
tg.global input @t : memref<4xi32, #tw.hbm>
tg.global weight @e : !lowbit.packed<64x32, q4_0, kn 16> from "e"
%x = tg.embed @e, @t : tensor<4x64xf32>
// -----
// CHECK: tg.embed: rows of @e have 32 columns
tg.global input @t : memref<4xi32, #tw.hbm>
tg.global weight @e : !lowbit.packed<32x100, q4_0, nk> from "e"
%x = tg.embed @e, @t : tensor<4x64xf32>
// -----
// CHECK: tg.take: taken rows keep their 8 columns, not 4
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.take %x, @t : tensor<2x4xf32>
// -----
// CHECK: tg.input: @x is no input but output
tg.global output @x : memref<4x8xf32, #tw.hbm>
%x = tg.input @x : tensor<4x8xf32>
// -----
// CHECK: tg.input: tensor<4x8xf32> is not read from @x: memref<4x8xi32, #tw.hbm>
tg.global input @x : memref<4x8xi32, #tw.hbm>
%x = tg.input @x : tensor<4x8xf32>
// -----
// CHECK: tg.input: tensor<?x8xf32, #tg.sizes<@m>> is not read from @x: memref<4x16xf32, #tw.hbm>
tg.scalar @m : 0 to 4
tg.global input @x : memref<4x16xf32, #tw.hbm>
%x = tg.input @x : tensor<?x8xf32, #tg.sizes<@m>>
// -----
// CHECK: tg.output: @o is no output but input
tg.global input @o : memref<4x8xf32, #tw.hbm>
%x = tensor.empty() : tensor<4x8xf32>
tg.output %x to @o
// -----
// CHECK: tg.output: tensor<4x8xf32> does not fit @o: memref<2x8xf32, #tw.hbm>
tg.global output @o : memref<2x8xf32, #tw.hbm>
%x = tensor.empty() : tensor<4x8xf32>
tg.output %x to @o
// -----
// CHECK: tg.matmul: 8 columns of a meet 4 rows of w
%a = tensor.empty() : tensor<4x8xf32>
%w = tensor.empty() : tensor<4x8xf32>
%y = tg.matmul %a, %w : tensor<4x8xf32>
// -----
// CHECK: tg.matmul: the result is tensor<4x16xf32>, not tensor<4x8xf32>
%a = tensor.empty() : tensor<4x8xf32>
%w = tensor.empty() : tensor<8x16xf32>
%y = tg.matmul %a, %w : tensor<4x8xf32>
// -----
// CHECK: tg.rmsnorm: 2 x 8 values of gamma for 8 columns
%x = tensor.empty() : tensor<4x8xf32>
%g = tensor.empty() : tensor<8xf32>
%y = tg.rmsnorm %x, %g eps 0.1 heads 2 : tensor<4x8xf32>
// -----
// CHECK: tg.rmsnorm: eps is not negative
%x = tensor.empty() : tensor<4x8xf32>
%g = tensor.empty() : tensor<8xf32>
%y = tg.rmsnorm %x, %g eps -0.1 : tensor<4x8xf32>
// -----
// CHECK: tg.layernorm: 4 values of beta for 8 columns
%x = tensor.empty() : tensor<4x8xf32>
%g = tensor.empty() : tensor<8xf32>
%b = tensor.empty() : tensor<4xf32>
%y = tg.layernorm %x, %g, %b eps 0.1 : tensor<4x8xf32>
// -----
// CHECK: tg.layernorm: eps is not negative
%x = tensor.empty() : tensor<4x8xf32>
%g = tensor.empty() : tensor<8xf32>
%y = tg.layernorm %x, %g, %g eps -0.1 : tensor<4x8xf32>
// -----
// CHECK: tg.softmax: 8 columns are not 3 equal heads
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.softmax %x heads 3 : tensor<4x8xf32>
// -----
// CHECK: tg.softmax: positions are seen by heads, causal or full
%x = tensor.empty() : tensor<4x8xf32>
%y = "tg.softmax"(%x) {seen = "all"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
// -----
// CHECK: tg.unary: no function is named 'swish'
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.unary swish %x : tensor<4x8xf32>
// -----
// CHECK: tg.binary: no operator is named 'pow'
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.binary pow %x, %x : tensor<4x8xf32>
// -----
// CHECK: tg.binary: y is tensor<4x8xf32> or has one value for each of 8 columns, not tensor<4xf32>
%x = tensor.empty() : tensor<4x8xf32>
%b = tensor.empty() : tensor<4xf32>
%y = tg.binary add %x, %b : tensor<4x8xf32>
// -----
// CHECK: tg.split: parts of [4, 8] do not make 8 columns
%x = tensor.empty() : tensor<4x8xf32>
%a, %b = tg.split %x [4, 8]
// -----
// CHECK: tg.rope: 8 columns are not 3 equal heads
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.rope %x, @c, @s heads 3 : tensor<4x8xf32>
// -----
// CHECK: tg.rope: 3 of 4 columns do not rotate by halves
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.rope %x, @c, @s heads 2 dim 3 : tensor<4x8xf32>
// -----
// CHECK: tg.rope: @c has rows of 2, not [40, 4]
tg.global table @c : memref<40x4xf32, #tw.hbm> from "rope_cos(1.0, 8, 40)"
%x = tensor.empty() : tensor<4x8xf32>
%y = tg.rope %x, @c, @c heads 2 : tensor<4x8xf32>
// -----
// CHECK: tg.kv_append: v is tensor<4x8xf32>, not tensor<4x4xf32>
%k = tensor.empty() : tensor<4x8xf32>
%v = tensor.empty() : tensor<4x4xf32>
tg.kv_append %k, %v to @k, @v
// -----
// CHECK: tg.kv_append: @k takes 2 x 2 columns, not 8
tg.global state @k : memref<1x2x40x2xf32, #tw.hbm>
%k = tensor.empty() : tensor<4x8xf32>
tg.kv_append %k, %k to @k, @k
// -----
// CHECK: tg.kv_append: @k is no state but scratch
tg.global scratch @k : memref<1x2x40x4xf32, #tw.hbm>
%k = tensor.empty() : tensor<4x8xf32>
tg.kv_append %k, %k to @k, @k
// -----
// CHECK: tg.kv_append: @k is [layers x] sequences x KV heads x positions x head, not memref<2x40x4xf32, #tw.hbm>
tg.global state @k : memref<2x40x4xf32, #tw.hbm>
%k = tensor.empty() : tensor<4x8xf32>
tg.kv_append %k, %k to @k, @k
// -----
// CHECK: tg.attention: 4 query heads do not share 3 KV heads evenly
%q = tensor.empty() : tensor<4x8xf32>
%o = tg.attention %q cache @k, @v heads 4 kv_heads 3 scale 0.5 : tensor<4x8xf32>
// -----
// CHECK: tg.attention: @k has 2 KV heads of 4 values
tg.global state @k : memref<1x2x40x4xf32, #tw.hbm>
%q = tensor.empty() : tensor<4x8xf32>
%o = tg.attention %q cache @k, @k heads 4 kv_heads 2 scale 0.5 : tensor<4x8xf32>
// -----
// CHECK: tg.scores: 4 query heads do not share 3 KV heads evenly
%q = tensor.empty() : tensor<4x8xf32>
%s = tg.scores %q cache @k heads 4 kv_heads 3 scale 0.5 : tensor<4x80xf32>
// -----
// CHECK: tg.scores: rows differ: tensor<4x8xf32> and tensor<2x80xf32>
%q = tensor.empty() : tensor<4x8xf32>
%s = tg.scores %q cache @k heads 2 kv_heads 2 scale 0.5 : tensor<2x80xf32>
// -----
// CHECK: tg.scores: @k is no cache of 2 KV heads x 20 positions x 4 values: memref<1x2x40x4xf32, #tw.hbm>
tg.global state @k : memref<1x2x40x4xf32, #tw.hbm>
%q = tensor.empty() : tensor<4x8xf32>
%s = tg.scores %q cache @k heads 2 kv_heads 2 scale 0.5 : tensor<4x40xf32>
// -----
// CHECK: tg.mix: the result has 2 axes, not tensor<8xf32>
%p = tensor.empty() : tensor<4x80xf32>
%o = tg.mix %p cache @v heads 2 kv_heads 2 : tensor<8xf32>
// -----
// CHECK: tg.mix: @v is no state but input
tg.global input @v : memref<1x2x40x4xf32, #tw.hbm>
%p = tensor.empty() : tensor<4x80xf32>
%o = tg.mix %p cache @v heads 2 kv_heads 2 : tensor<4x8xf32>
// -----
// CHECK: tg.mix: @v is no cache of 2 KV heads x 40 positions x 8 values: memref<1x2x40x4xf32, #tw.hbm>
tg.global state @v : memref<1x2x40x4xf32, #tw.hbm>
%p = tensor.empty() : tensor<4x80xf32>
%o = tg.mix %p cache @v heads 2 kv_heads 2 : tensor<4x16xf32>
// -----
// CHECK: tg.fused: a kernel yields its results, in order and type
%q = tensor.empty() : tensor<4x8xf32>
%y = tg.fused "f" : tensor<4x4xf32> {
  tg.yield %q
}
// -----
// CHECK: tg.fused: a kernel has no arguments and ends with tg.yield
tg.fused "f" {
  %q = tensor.empty() : tensor<4x8xf32>
}
// -----
// CHECK: tg.split: only equal parts alternate, by groups of at least 1: [1, 3]
%x = "tg.input"() <{symbol = @x}> : () -> tensor<4x4xf32>
%a, %b = tg.split %x [1, 3] group 2
// -----
// CHECK: tg.embed: @x has 1 axes, wanted 2: its rows
tg.global input @x : memref<4xf32, #tw.hbm>
tg.global input @i : memref<4xi32, #tw.hbm>
%x = tg.embed @x, @i : tensor<4x64xf32>
