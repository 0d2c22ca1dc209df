// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | filecheck %s --check-prefix GENERIC
// Every op of the tw dialect prints as it is read.

tg.global input @x : memref<4x64xf32, #tw.hbm> at 0
tg.global input @index : memref<4xi32, #tw.hbm> at 1024
tg.global output @y : memref<4x64xf32, #tw.hbm> at 2048
tg.global weight @w : !lowbit.packed<2x64x32, q4_0, kn 32> from "w" at 4096
stream.channel @a from ld to [mxu] : 2 slots of 1024 in #tw.spm at 0
stream.channel @b from ld to [mxu] : 2 slots of 1152 in #tw.spm at 2048
stream.channel @s from mxu to [vpu] : 2 slots of 512 in #tw.acc at 0
stream.channel @h from vpu to [st] : 2 slots of 1024 in #tw.spm at 5120
stream.channel @n from vpu to [ld] : scalars 2 max 6 at 9216
// CHECK: tw.region @local on vpu : 4096 in #tw.spm at 10240
tw.region @local on vpu : 4096 in #tw.spm at 10240
// CHECK-NEXT: tw.program @ld {
tw.program @ld {
  // CHECK-NEXT: %m = tw.ldp 0 : r0
  %m = tw.ldp 0 : r0
  // CHECK-NEXT: %k = tw.ldp %m + 1 : r1
  %k = tw.ldp %m + 1 : r1
  // CHECK-NEXT: %p = tw.pop @n[0] : r2
  %p = tw.pop @n[0] : r2
  // CHECK-NEXT: %i = tw.li -7 : r3
  %i = tw.li -7 : r3
  // CHECK-NEXT: %j = tw.alu max %i, 0 : r3
  %j = tw.alu max %i, 0 : r3
  // CHECK-NEXT: tw.copy dst=@a[0]<4x64xf32, [256, 4]> begin end, src=@x[0]<4x64xf32, [256, 4]> axis0 %m
  tw.copy dst=@a[0]<4x64xf32, [256, 4]> begin end, src=@x[0]<4x64xf32, [256, 4]> axis0 %m
  // CHECK-NEXT: tw.gather dst=@a[0]<4x64xf32, [256, 4]> begin end, src=@x[0]<4x64xf32, [256, 4]>, index=@index[0]<4xi32, [4]> rows %m
  tw.gather dst=@a[0]<4x64xf32, [256, 4]> begin end, src=@x[0]<4x64xf32, [256, 4]>, index=@index[0]<4xi32, [4]> rows %m
  // CHECK-NEXT: tw.scatter dst=@y[0]<4x64xf32, [256, 4]>, src=@x[0]<4x64xf32, [256, 4]>, index=@index[0]<4xi32, [4]>
  tw.scatter dst=@y[0]<4x64xf32, [256, 4]>, src=@x[0]<4x64xf32, [256, 4]>, index=@index[0]<4xi32, [4]>
  // CHECK-NEXT: tw.fill dst=@y[0]<4x64xf32, [256, 4]>, value=0.5 axis1 %m
  tw.fill dst=@y[0]<4x64xf32, [256, 4]>, value=0.5 axis1 %m
  // CHECK-NEXT: tw.loop %n : c0 to %p {
  tw.loop %n : c0 to %p {
    // CHECK-NEXT: %o = tw.alu mul %n, %m : r4
    %o = tw.alu mul %n, %m : r4
    // CHECK-NEXT: tw.copy dst=@b[0]<1152xu8, [1]> begin end, src=@w[16 + %o]<1152xu8, [1]>
    tw.copy dst=@b[0]<1152xu8, [1]> begin end, src=@w[16 + %o]<1152xu8, [1]>
  }
}
tw.program @mxu {
  // CHECK: tw.sync wait @a
  tw.sync wait @a
  // CHECK-NEXT: tw.loop %n : c0 to 2 {
  tw.loop %n : c0 to 2 {
    // CHECK-NEXT: tw.mm acc=@s[0]<4x32xf32, [128, 4]> begin end, a=@a(1)[0]<4x64xf32, [256, 4]>, b=@b[0]<64x32xq4_0 kn, [576, 32]> begin end m %n transposed
    tw.mm acc=@s[0]<4x32xf32, [128, 4]> begin end, a=@a(1)[0]<4x64xf32, [256, 4]>, b=@b[0]<64x32xq4_0 kn, [576, 32]> begin end m %n transposed
  }
  // CHECK: tw.sync release @a n 2
  tw.sync release @a n 2
}
tw.program @vpu {
  %m = tw.li 4 : r0
  // CHECK: tw.vec dst=@h[0]<4x32xf32, [128, 4]> begin end, red=@local[0]<4x1xf32, [4, 4]>, a=@s[0]<4x32xf32, [128, 4]> begin end, b=0.125 f exp rop max step axis axis0 rows %m lo %m fill -1.0e+30
  tw.vec dst=@h[0]<4x32xf32, [128, 4]> begin end, red=@local[0]<4x1xf32, [4, 4]>, a=@s[0]<4x32xf32, [128, 4]> begin end, b=0.125 f exp rop max step axis axis0 rows %m lo %m fill -1.0e30
  // CHECK-NEXT: tw.vsel dst=@local[64]<4x8xf32, [32, 4]>, mask=@local[256]<4x8xf32, [32, 4]>, a=@local[384]<4x8xf32, [32, 4]>, b=0.0 cols %m
  tw.vsel dst=@local[64]<4x8xf32, [32, 4]>, mask=@local[256]<4x8xf32, [32, 4]>, a=@local[384]<4x8xf32, [32, 4]>, b=0.0 cols %m
  // CHECK-NEXT: tw.vquant codes=@local[64]<4x8xi8, [8, 1]>, scales=@local[128]<4x1xf32, [4, 4]>, a=@local[384]<4x8xf32, [32, 4]>
  tw.vquant codes=@local[64]<4x8xi8, [8, 1]>, scales=@local[128]<4x1xf32, [4, 4]>, a=@local[384]<4x8xf32, [32, 4]>
  // CHECK-NEXT: tw.vtopk values=@local[64]<4x1xf32, [4, 4]>, indices=@local[128]<4x1xi32, [4, 4]>, a=@local[384]<4x8xf32, [32, 4]>
  tw.vtopk values=@local[64]<4x1xf32, [4, 4]>, indices=@local[128]<4x1xi32, [4, 4]>, a=@local[384]<4x8xf32, [32, 4]>
  // CHECK-NEXT: tw.vtr dst=@local[64]<8x4xf32, [16, 4]>, a=@local[384]<4x8xf32, [32, 4]>
  tw.vtr dst=@local[64]<8x4xf32, [16, 4]>, a=@local[384]<4x8xf32, [32, 4]>
}

// GENERIC: producer = #tw.engine<mxu>, consumers = [#tw.engine<vpu>]
// GENERIC: "tw.ldp"() <{word = #builtin.int<0>}> : () -> !tw.reg<r0>
// GENERIC: #tw.place<"dst", "a", "f32"
// GENERIC: #tw.constant<"value"
