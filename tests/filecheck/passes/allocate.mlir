// RUN: tilewright-opt %s -p 'allocate{machine=tw-small}' --split-input-file | filecheck %s
// Shared globals come first, rings are apart, private buffers share bytes when their lives allow it.

// CHECK: tg.global input @x : memref<4x8xf32, #tw.hbm> at 1216
tg.global input @x : memref<4x8xf32, #tw.hbm>
// CHECK-NEXT: tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w" at 0
tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w"
// CHECK-NEXT: tg.global state @cache : memref<5x32xf32, #tw.hbm> at 576
tg.global state @cache : memref<5x32xf32, #tw.hbm>
// CHECK-NEXT: stream.channel @a from ld1 to [vpu] : 2 slots of 128 in #tw.spm at 0
stream.channel @a from ld1 to [vpu] : 2 slots of 128 in #tw.spm
// CHECK-NEXT: stream.channel @t from st to [ld1] : tokens 1{{$}}
stream.channel @t from st to [ld1] : tokens 1
func.func @work() {
  %a0 = stream.acquire @a on ld1 : memref<4x8xf32, #tw.spm>
  tile.load @x[0, 0] [4, 8] to %a0 on ld1
  stream.commit %a0
  %a = stream.wait @a on vpu : memref<4x8xf32, #tw.spm>
  // CHECK: %long = tile.buffer on vpu at 256
  %long = tile.buffer on vpu : memref<4x8xf32, #tw.spm>
  // CHECK-NEXT: %first = tile.buffer on vpu at 384
  %first = tile.buffer on vpu : memref<4x8xf32, #tw.spm>
  tile.vec id(%a) to %long on vpu
  stream.release %a
  tile.vec exp(%long) to %first on vpu
  tile.vec id(%long * %first) to %long on vpu
  // Born when %first is done with.
  // CHECK: %second = tile.buffer on vpu at 384
  %second = tile.buffer on vpu : memref<4x8xf32, #tw.spm>
  tile.vec exp(%long) to %second on vpu
  tile.vec id(%long * %second) to %long on vpu
  func.return
}

// -----
// What lies as it must, stays there.
// CHECK: tg.global output @y : memref<4x8xf32, #tw.hbm> at 0
tg.global output @y : memref<4x8xf32, #tw.hbm> at 0
// CHECK-NEXT: stream.channel @a from vpu to [st] : 2 slots of 128 in #tw.spm at 0
stream.channel @a from vpu to [st] : 2 slots of 128 in #tw.spm at 0
func.func @placed() {
  // CHECK: %t = tile.buffer on vpu at 256 : memref<4x8xf32, #tw.spm>
  %t = tile.buffer on vpu at 256 : memref<4x8xf32, #tw.spm>
  tile.vec id(1.0) to %t on vpu
  %a = stream.acquire @a on vpu : memref<4x8xf32, #tw.spm>
  tile.vec exp(%t) to %a on vpu
  stream.commit %a
  %b = stream.wait @a on st : memref<4x8xf32, #tw.spm>
  tile.store %b to @y[0, 0] [4, 8] on st
  stream.release %b
  func.return
}
