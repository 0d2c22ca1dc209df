// RUN: tilewright-opt %s -p channels --split-input-file --verify-diagnostics | filecheck %s
// Buffers that no ring can stand for, one in each module; the first is right.

// CHECK: tile.buffer on vpu
func.func @right() {
  %t = tile.buffer : memref<4xf32, #tw.spm>
  tile.vec id(1.0) to %t on vpu
  func.return
}
// -----
// expected-error @above {{wanted a module with one function, its entry; found ld, vpu}}
func.func @ld() {
  func.return
}
func.func @vpu() {
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
tg.global output @y : memref<4xf32, #tw.hbm>
func.func @two_writers() {
  // expected-error @below {{ld and vpu write this buffer of ld, vpu, st; a buffer that crosses engines has one writer: give each writer its own}}
  %t = tile.buffer : memref<4xf32, #tw.spm>
  tile.load @x[0] [4] to %t on ld
  tile.vec exp(%t) to %t on vpu
  tile.store %t to @y[0] [4] on st
  func.return
}
// -----
tg.global output @y : memref<4xf32, #tw.hbm>
func.func @no_writer() {
  // expected-error @below {{nobody writes this buffer of vpu, st; a buffer that crosses engines has one writer}}
  %t = tile.buffer : memref<4xf32, #tw.spm>
  %u = tile.buffer : memref<4xf32, #tw.spm>
  tile.vec exp(%t) to %u on vpu
  tile.store %t to @y[0] [4] on st
  func.return
}
// -----
// The next trip would write what this one's reader may still read.
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @outside_the_loop() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %t = tile.buffer : memref<4xf32, #tw.spm>
  %u = tile.buffer : memref<4xf32, #tw.spm>
  scf.for %i = %c0 to %c2 step %c1 {
    tile.load @x[0] [4] to %t on ld
    // expected-error @below {{vpu reads a buffer that ld still touches later or in the same loop (}}
    tile.vec exp(%t) to %u on vpu
  }
  func.return
}
// -----
func.func @lost_sums() {
  // expected-error @below {{this accumulator is touched by mxu alone, so its sums are lost; let the vector unit read it, or drop it}}
  %s = tile.buffer : memref<4x4xf32, #tw.acc>
  %x = tile.buffer : memref<4x4xf32, #tw.spm>
  tile.matmul %x, %x into %s on mxu
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
tg.global output @y : memref<4xf32, #tw.hbm>
func.func @unlike() {
  %t = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
  // expected-error @below {{a slot from vpu to ['st'] does not go with ring 'rows', from ld to ['vpu']}}
  %u = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
  tile.load @x[0] [4] to %t on ld
  tile.vec exp(%t) to %u on vpu
  tile.store %u to @y[0] [4] on st
  func.return
}
// -----
// The slot that is written first is read last, so the other's wait would move up before its load.
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @crossed() {
  // expected-error @below {{ring 'rows' cannot hold this buffer: vpu must take this slot before ld has finished writing it; give it another ring}}
  %t = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
  %u = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
  %r = tile.buffer : memref<4xf32, #tw.spm>
  tile.load @x[0] [2] to %t on ld
  tile.load @x[0] [4] to %u on ld
  tile.vec exp(%u) to %r on vpu
  tile.load @x[2] [2] to %t on ld
  tile.vec exp(%t) to %r on vpu
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @around_a_loop() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // expected-error @below {{ring 'rows' cannot hold this buffer: it is held across a loop in which other slots of the same ring come and go; give it another ring}}
  %t = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
  %r = tile.buffer : memref<4xf32, #tw.spm>
  tile.load @x[0] [4] to %t on ld
  scf.for %i = %c0 to %c2 step %c1 {
    %u = tile.buffer ring "rows" : memref<4xf32, #tw.spm>
    tile.load @x[0] [4] to %u on ld
    tile.vec exp(%u) to %r on vpu
  }
  tile.vec exp(%t) to %r on vpu
  func.return
}
// -----
tg.global scratch @x : memref<4xf32, #tw.hbm>
func.func @two_queues() {
  %t = tile.buffer : memref<4xf32, #tw.spm>
  %u = tile.buffer : memref<4xf32, #tw.spm>
  %v = tile.buffer : memref<4xf32, #tw.spm>
  tile.vec id(1.0) to %t on vpu
  tile.store %t to @x[0] [4] on st
  // expected-error @+2 {{@x is stored and loaded by ld, ld1; loads of a mutable global belong on one queue: let assign-engines choose it}}
  tile.load @x[0] [4] to %u on ld
  tile.load @x[0] [4] to %v on ld1
  tile.vec id(%u * %v) to %t on vpu
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @no_engine() {
  %t = tile.buffer : memref<4xf32, #tw.spm>
  // expected-error @below {{has no engine: assign-engines comes before this pass}}
  tile.load @x[0] [4] to %t
  func.return
}
