// RUN: tilewright-opt %s -p 'select{machine=tw-small}' --split-input-file | filecheck %s
// Offsets fold into views and registers, channel ops into operands or syncs, buffers into regions.

tg.scalar @m : 0 to 4
tg.table @at : 3 x 0 to 100
tg.global weight @w : !lowbit.packed<2x64x64, q4_1, kn 32> from "w" at 0
tg.global output @y : memref<4x64xf32, #tw.hbm> at 8192
stream.channel @weights from ld to [mxu] : 2 slots of 640 in #tw.spm at 0
stream.channel @x from vpu to [mxu] : 2 slots of 1024 in #tw.spm at 2048
stream.channel @s from mxu to [vpu] : 2 slots of 512 in #tw.acc at 0
// CHECK: tw.region @t on vpu : 512 in #tw.spm at 4096

// CHECK-LABEL: tw.program @ld
func.func @ld() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // A layer is 2560 bytes, a panel 1280, a block 640: what a loop does not change stays outside.
  // CHECK: tw.loop [[L:%.*]] : c0 to 2
  scf.for %l = %c0 to %c2 step %c1 {
    // CHECK-NEXT: [[A:%.*]] = tw.alu mul [[L]], 2560 : r0
    // CHECK-NEXT: tw.loop [[K:%.*]] : c1 to 2
    scf.for %k = %c0 to %c2 step %c1 {
      %w = stream.acquire @weights on ld : memref<!lowbit.tile<32x32, q4_1, kn>, #tw.spm>
      // CHECK-NEXT: [[B:%.*]] = tw.alu mul [[K]], 640 : r1
      // CHECK-NEXT: [[C:%.*]] = tw.alu add [[A]], [[B]] : r1
      // CHECK-NEXT: tw.copy dst=@weights[0]<640xu8, [1]> begin end, src=@w[1280 + [[C]]]<640xu8, [1]>
      tile.load @w[%l, 1, %k] [1] to %w on ld
      stream.commit %w
    }
  }
  func.return
}

// CHECK-LABEL: tw.program @mxu
func.func @mxu() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %m = tg.get @m
  %at = tg.get @at[%c2]
  %n = arith.ceildivui %at, %c8 : index
  // At a loop's edge a sync stands for the channel op.
  // CHECK: tw.sync wait @x
  %x = stream.wait @x on mxu : memref<4x64xf32, #tw.spm>
  %s = stream.acquire @s on mxu : memref<4x32xf32, #tw.acc>
  // CHECK: tw.sync acquire @s
  // CHECK-NEXT: [[AT:%.*]] = tw.ldp 3 : r0
  // CHECK-NEXT: [[UP:%.*]] = tw.alu add [[AT]], 7 : r0
  // CHECK-NEXT: [[N:%.*]] = tw.alu shr [[UP]], 3 : r0
  // CHECK-NEXT: [[M:%.*]] = tw.ldp 0 : r1
  // CHECK-NEXT: tw.loop %{{.*}} : c0 to [[N]]
  scf.for %k = %c0 to %n step %c1 {
    %w = stream.wait @weights on mxu : memref<!lowbit.tile<32x32, q4_1, kn>, #tw.spm>
    %xk = memref.subview %x[0, 32] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1], offset: 32>, #tw.spm>
    // CHECK-NEXT: tw.mm acc=@s[0]<4x32xf32, [128, 4]>, a=@x[128]<4x32xf32, [256, 4]>, b=@weights[0]<32x32xq4_1 kn, [640, 32]> begin end m [[M]]
    tile.matmul %xk, %w into %s rows %m on mxu
    stream.release %w
  }
  // CHECK: tw.sync commit @s
  // CHECK-NEXT: tw.sync release @x
  stream.commit %s
  stream.release %x
  func.return
}

// A scale a row repeats along the columns: stride 0.
// CHECK-LABEL: tw.program @vpu
func.func @vpu() {
  %t = tile.buffer on vpu at 4096 : memref<4x32xf32, #tw.spm>
  %r = memref.subview %t[0, 3] [4, 1] [1, 1] : memref<4x32xf32, #tw.spm> to memref<4x1xf32, strided<[32, 1], offset: 3>, #tw.spm>
  %s = stream.wait @s on vpu : memref<4x32xf32, #tw.acc>
  // CHECK-NEXT: tw.vec dst=@t[0]<4x32xf32, [128, 4]>, a=@s[0]<4x32xf32, [128, 4]> begin end, b=@t[12]<4x32xf32, [128, 0]>, c=-1.0 f exp
  tile.vec exp(%s * %r + -1.0) to %t on vpu
  stream.release %s
  func.return
}

// -----
// A program of instructions stays.
// CHECK-LABEL: tw.program @st
// CHECK-NEXT: tw.sync wait @s
// CHECK-NEXT: tw.sync release @s
stream.channel @s from vpu to [st] : 2 slots of 512 in #tw.spm at 0
tw.program @st {
  tw.sync wait @s
  tw.sync release @s
}
