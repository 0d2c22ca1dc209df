// RUN: tilewright-opt %s -p 'size-rings{machine=tw-small weight-ring-bytes=4096}' --split-input-file | filecheck %s
// RUN: tilewright-opt %s -p 'size-rings{machine=tw-small}' --split-input-file | filecheck %s --check-prefix SHARED
// Rings get their high-water mark, then twice that, then the ring of weights what it may hold.

// Two slots of @pair are held at once; weights prefetch 4096 bytes and 2 slots; 5 products of 16
// cycles are made during a fill of 72.
builtin.module {
  tg.scalar @n : 0 to 20
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w"
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  // CHECK: stream.channel @pair from ld1 to [mxu, vpu] : 4 slots of 512
  stream.channel @pair from ld1 to [mxu, vpu] : 1 slots of 512 in #tw.spm
  // CHECK-NEXT: stream.channel @weights from ld to [mxu] : 10 slots of 576
  stream.channel @weights from ld to [mxu] : 1 slots of 576 in #tw.spm
  // CHECK-NEXT: stream.channel @s from mxu to [vpu] : 7 slots of 512
  stream.channel @s from mxu to [vpu] : 1 slots of 512 in #tw.acc
  func.func @work() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = tg.get @n
    scf.for %i = %c0 to %n step %c1 {
      %a0 = stream.acquire @pair on ld1 : memref<4x32xf32, #tw.spm>
      tile.load @x[0, 0] [4, 32] to %a0 on ld1
      stream.commit %a0
      %b0 = stream.acquire @pair on ld1 : memref<4x32xf32, #tw.spm>
      tile.load @x[0, 0] [4, 32] to %b0 on ld1
      stream.commit %b0
      %w0 = stream.acquire @weights on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      tile.load @w[0, 0] [1] to %w0 on ld
      stream.commit %w0
      %a1 = stream.wait @pair on mxu : memref<4x32xf32, #tw.spm>
      %w1 = stream.wait @weights on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      %s0 = stream.acquire @s on mxu : memref<4x32xf32, #tw.acc>
      tile.matmul %a1, %w1 into %s0 on mxu
      stream.commit %s0
      stream.release %w1
      stream.release %a1
      %b1 = stream.wait @pair on mxu : memref<4x32xf32, #tw.spm>
      stream.release %b1
      %a2 = stream.wait @pair on vpu : memref<4x32xf32, #tw.spm>
      %b2 = stream.wait @pair on vpu : memref<4x32xf32, #tw.spm>
      %s1 = stream.wait @s on vpu : memref<4x32xf32, #tw.acc>
      %t = tile.buffer on vpu : memref<4x32xf32, #tw.spm>
      tile.vec id(%a2 + %s1) add %b2 to %t on vpu
      stream.release %s1
      stream.release %a2
      stream.release %b2
    }
    func.return
  }
}

// -----
// The scratchpad has room for one slot and no more: the ring stays as it is.
builtin.module {
  tg.global input @x : memref<200x256xf32, #tw.hbm>
  // CHECK: stream.channel @big from ld1 to [vpu] : 1 slots of 204800
  stream.channel @big from ld1 to [vpu] : 1 slots of 204800 in #tw.spm
  func.func @full() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    scf.for %i = %c0 to %c2 step %c1 {
      %a0 = stream.acquire @big on ld1 : memref<200x256xf32, #tw.spm>
      tile.load @x[0, 0] [200, 256] to %a0 on ld1
      stream.commit %a0
      %a1 = stream.wait @big on vpu : memref<200x256xf32, #tw.spm>
      %t = tile.buffer on vpu : memref<200x1xf32, #tw.spm>
      tile.vec id(%a1) reduce sum to %t on vpu
      stream.release %a1
    }
    func.return
  }
}

// -----
// No ring gets more slots than one launch fills: one row in all, or a block of 4 of at most 11 rows.
builtin.module {
  tg.scalar @rows : 1 to 11
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w"
  // CHECK: stream.channel @once from ld to [vpu] : 1 slots of 576
  stream.channel @once from ld to [vpu] : 1 slots of 576 in #tw.spm
  // CHECK-NEXT: stream.channel @weights from ld to [vpu] : 3 slots of 576
  stream.channel @weights from ld to [vpu] : 1 slots of 576 in #tw.spm
  func.func @short() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %rows = tg.get @rows
    %w0 = stream.acquire @once on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
    tile.load @w[0, 0] [1] to %w0 on ld
    stream.commit %w0
    %w1 = stream.wait @once on vpu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
    stream.release %w1
    %up = arith.addi %rows, %c3 : index
    %count = arith.shrui %up, %c2 : index
    scf.for %i = %c0 to %count step %c1 {
      %b0 = stream.acquire @weights on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      tile.load @w[0, 0] [1] to %b0 on ld
      stream.commit %b0
      %b1 = stream.wait @weights on vpu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      stream.release %b1
    }
    func.return
  }
}

// -----
// What is left is shared by what a launch loads: 400 tiles, 100 narrow ones, 50 blocks of keys.
builtin.module {
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w"
  tg.global state @k : memref<64x32xf32, #tw.hbm>
  // SHARED: stream.channel @weights from ld to [vpu] : 95 slots of 576
  stream.channel @weights from ld to [vpu] : 1 slots of 576 in #tw.spm
  // SHARED-NEXT: stream.channel @narrow from ld to [vpu] : 47 slots of 576
  stream.channel @narrow from ld to [vpu] : 1 slots of 576 in #tw.spm
  // SHARED-NEXT: stream.channel @kv from ld1 to [vpu] : 22 slots of 8192
  stream.channel @kv from ld1 to [vpu] : 1 slots of 8192 in #tw.spm
  func.func @shared() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c50 = arith.constant 50 : index
    scf.for %i = %c0 to %c50 step %c1 {
      %k0 = stream.acquire @kv on ld1 : memref<64x32xf32, #tw.spm>
      tile.load @k[0, 0] [64, 32] to %k0 on ld1
      stream.commit %k0
      %k1 = stream.wait @kv on vpu : memref<64x32xf32, #tw.spm>
      stream.release %k1
      %n0 = stream.acquire @narrow on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      tile.load @w[0, 0] [1] to %n0 on ld
      stream.commit %n0
      %n1 = stream.wait @narrow on vpu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      stream.release %n1
      %m0 = stream.acquire @narrow on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      tile.load @w[0, 0] [1] to %m0 on ld
      stream.commit %m0
      %m1 = stream.wait @narrow on vpu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      stream.release %m1
      scf.for %j = %c0 to %c4 step %c1 {
        %b0 = stream.acquire @weights on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
        tile.load @w[0, 0] [1] to %b0 on ld
        stream.commit %b0
        %b1 = stream.wait @weights on vpu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
        stream.release %b1
      }
    }
    func.return
  }
}
