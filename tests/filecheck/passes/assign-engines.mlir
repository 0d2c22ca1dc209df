// RUN: tilewright-opt %s -p 'assign-engines{machine=tw-1}' | filecheck %s
// RUN: tilewright-opt %s -p 'assign-engines{machine=tw-small}' | filecheck %s --check-prefix TWO
// Loads go to the queue of their global's role; a machine with fewer queues takes its last one.

tg.scalar @m : 0 to 4
tg.global weight @w : !lowbit.packed<32x32, q4_0, kn 32> from "w"
tg.global weight @gamma : memref<32xf32, #tw.hbm> from "g"
tg.global table @cos : memref<4x32xf32, #tw.hbm> from "rope_cos(10000.0, 64, 4)"
tg.global state @cache : memref<4x32xf32, #tw.hbm>
tg.global scratch @x : memref<4x32xf32, #tw.hbm>
tg.global input @rows : memref<4xi32, #tw.hbm>

// CHECK-LABEL: func.func @work
// TWO-LABEL: func.func @work
func.func @work() {
  %m = tg.get @m
  %a = tile.buffer : memref<4x32xf32, #tw.spm>
  %g = tile.buffer : memref<32xf32, #tw.spm>
  %w = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
  %s = tile.buffer : memref<4x32xf32, #tw.acc>
  // CHECK: tile.load @w[0, 0] [1] to %w on ld{{$}}
  tile.load @w[0, 0] [1] to %w
  // CHECK-NEXT: tile.load @x[0, 0] [%m, 32] to %a on ld1
  tile.load @x[0, 0] [%m, 32] to %a
  // CHECK-NEXT: tile.load @cache[0, 0] [%m, 32] to %a on ld2
  // TWO: tile.load @cache[0, 0] [%m, 32] to %a on ld1
  tile.load @cache[0, 0] [%m, 32] to %a
  // CHECK-NEXT: tile.load @gamma[0] [32] to %g on ld3
  // TWO-NEXT: tile.load @gamma[0] [32] to %g on ld1
  tile.load @gamma[0] [32] to %g
  // CHECK-NEXT: tile.load @cos[0, 0] [%m, 32] to %a on ld3
  tile.load @cos[0, 0] [%m, 32] to %a
  // CHECK-NEXT: tile.gather @x[@rows[0]] [%m] to %a on ld1
  tile.gather @x[@rows[0]] [%m] to %a
  // CHECK-NEXT: tile.matmul %a, %w into %s rows %m on mxu
  tile.matmul %a, %w into %s rows %m
  // CHECK-NEXT: tile.vec id(%s) to %a rows %m on vpu
  tile.vec id(%s) to %a rows %m
  // CHECK-NEXT: tile.store %a to @x[0, 0] [%m, 32] on st
  tile.store %a to @x[0, 0] [%m, 32]
  func.return
}

// What has its engine keeps it.
// CHECK-LABEL: func.func @assigned
// TWO-LABEL: func.func @assigned
func.func @assigned() {
  // CHECK: tile.load @w[0, 0] [1] to %w on ld{{$}}
  // TWO: tile.load @w[0, 0] [1] to %w on ld{{$}}
  %w = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
  tile.load @w[0, 0] [1] to %w on ld
  func.return
}
