// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | tilewright-opt | filecheck %s
// Every op of the tile dialect prints as it is read.

tg.global input @x : memref<4x64xf32, #tw.hbm>
tg.global input @index : memref<4xi32, #tw.hbm>
tg.global weight @emb : !lowbit.packed<64x100, q4_1, nk> from "e"
tg.global weight @w : !lowbit.packed<2x64x32, q4_0, kn 32> from "w"
tg.global output @y : memref<2x4x32xf32, #tw.hbm>
tg.global state @near : memref<2x3x8x16xf32, #tw.spm>
tg.global weight @own : !lowbit.packed<2x64x32, q4_0, kn 32> in #tw.spm from "w"
tg.scalar @m : 0 to 4
%c0 = arith.constant 0 : index
%c1 = arith.constant 1 : index
%m = tg.get @m
// CHECK: %x = tile.buffer : memref<4x64xf32, #tw.spm>
%x = tile.buffer : memref<4x64xf32, #tw.spm>
// CHECK-NEXT: %w = tile.buffer ring "w" : memref<!lowbit.tile<64x32, q4_0, kn>, #tw.spm>
%w = tile.buffer ring "w" : memref<!lowbit.tile<64x32, q4_0, kn>, #tw.spm>
// CHECK-NEXT: %l = tile.buffer on vpu at 128 : memref<4x1xf32, #tw.spm>
%l = tile.buffer on vpu at 128 : memref<4x1xf32, #tw.spm>
%i = tile.buffer : memref<4x1xi32, #tw.spm>
%e = tile.buffer : memref<!lowbit.tile<4x64, q4_1, nk>, #tw.spm>
%s = tile.buffer : memref<4x32xf32, #tw.acc>
%h = tile.buffer : memref<4x32xf32, #tw.spm>
%t = tile.buffer : memref<32x4xf32, #tw.spm>
%q = tile.buffer : memref<4x32xi8, #tw.spm>
%q3 = tile.buffer : memref<2x4x8xbf16, #tw.spm>
%q3r = tile.buffer : memref<2x1x8xf32, #tw.spm>
%q3s = tile.buffer : memref<2x4x1xf32, #tw.spm>
// CHECK: tile.load @x[0, 0] [%m, 64] to %x on ld1
tile.load @x[0, 0] [%m, 64] to %x on ld1
// CHECK-NEXT: tile.load @w[%c0, 0, %c1] [1] to %w on ld
tile.load @w[%c0, 0, %c1] [1] to %w on ld
// CHECK-NEXT: tile.load @emb[%c1] [%m] to %e
tile.load @emb[%c1] [%m] to %e
// CHECK-NEXT: %k = tile.part @near[%c1, 0, 0, 0] [1, 3, %m, 16] : memref<3x8x16xf32, strided<[128, 16, 1], offset: ?>, #tw.spm>
%k = tile.part @near[%c1, 0, 0, 0] [1, 3, %m, 16] : memref<3x8x16xf32, strided<[128, 16, 1], offset: ?>, #tw.spm>
// CHECK-NEXT: %b = tile.part @own[0, 0, %c1] [1] : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
%b = tile.part @own[0, 0, %c1] [1] : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
// CHECK-NEXT: %kr = tile.reshape %k : memref<3x4x2x16xf32, strided<[128, 32, 16, 1], offset: ?>, #tw.spm>
%kr = tile.reshape %k : memref<3x4x2x16xf32, strided<[128, 32, 16, 1], offset: ?>, #tw.spm>
// CHECK-NEXT: tile.gather @emb[@index[%c0]] [%m] to %e on ld
tile.gather @emb[@index[%c0]] [%m] to %e on ld
// CHECK-NEXT: tile.gather @x[@index[0]] [4] to %x
tile.gather @x[@index[0]] [4] to %x
// CHECK-NEXT: tile.matmul %x, %w into %s rows %m cols %c1 depth %c1 on mxu
tile.matmul %x, %w into %s rows %m cols %c1 depth %c1 on mxu
%xh = memref.subview %x[0, 0] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1]>, #tw.spm>
%s4 = tile.buffer : memref<4x4xf32, #tw.acc>
// CHECK: tile.matmul %xh, %h transposed into %s4
tile.matmul %xh, %h transposed into %s4
// CHECK-NEXT: tile.vec id(1.0) to %l
tile.vec id(1.0) to %l
// CHECK-NEXT: tile.vec exp(%s * 0.125 + %l) mul %h band lo %c0 hi %m step 1 axis 0 fill -1.0e+30 to %h reduce sum to %l rows %m cols %m on vpu
tile.vec exp(%s * 0.125 + %l) mul %h band lo %c0 hi %m step 1 axis 0 fill -1.0e30 to %h reduce sum to %l rows %m cols %m on vpu
// CHECK-NEXT: tile.vec id(%s) band hi %m step 0 axis 0 fill 0.0 reduce absmax to %l
tile.vec id(%s) band hi %m step 0 axis 0 fill 0.0 reduce absmax to %l
// CHECK-NEXT: tile.vec id(%q3 + %q3r) band lo %m step 1 axis 1 fill 0.0 to %q3 reduce max to %q3s rows %m mid %m
tile.vec id(%q3 + %q3r) band lo %m step 1 axis 1 fill 0.0 to %q3 reduce max to %q3s rows %m mid %m
// CHECK-NEXT: tile.vec id(%e) to %x
tile.vec id(%e) to %x
// CHECK-NEXT: tile.select %s, %h, %l to %h rows %m cols %m on vpu
tile.select %s, %h, %l to %h rows %m cols %m on vpu
// CHECK-NEXT: tile.topk %s to %l, %i rows %m
tile.topk %s to %l, %i rows %m
// CHECK-NEXT: tile.transpose %h to %t cols %m
tile.transpose %h to %t cols %m
// CHECK-NEXT: tile.quantise %h to %q, %l on vpu
tile.quantise %h to %q, %l on vpu
// CHECK-NEXT: %r = tile.reshape %h : memref<1x128xf32, #tw.spm>
%r = tile.reshape %h : memref<1x128xf32, #tw.spm>
// CHECK-NEXT: tile.store %h to @y[%c1, 0, 0] [1, %m, 32] on st
tile.store %h to @y[%c1, 0, 0] [1, %m, 32] on st
