// RUN: tilewright-opt %s -p 'reside{machine=groq-like}' --split-input-file | filecheck %s
// What is updated before the matrix unit has surely read it, and what is cut so that its bytes are
// no box, is still moved.

// Rows of a cache are read in place, head by head; a row with a gap behind it is cut into heads.
// CHECK-LABEL: @heads
builtin.module @heads {
  tg.scalar @n : 0 to 8
  tg.global state @k : memref<2x3x8x16xf32, #tw.hbm>
  tg.global scratch @q : memref<4x96xf32, #tw.hbm>
  tg.global output @y : memref<4x48xf32, #tw.hbm>
  func.func @heads() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %n = tg.get @n
    // CHECK: %q = tile.part @q[0, 48] [4, 48] : memref<4x48xf32, strided<[96, 1], offset: ?>, #tw.spm>
    %q = tile.buffer ring "rows" : memref<4x48xf32, #tw.spm>
    tile.load @q[0, 48] [4, 48] to %q
    // CHECK: tile.reshape %q : memref<4x3x16xf32, strided<[96, 16, 1], offset: ?>, #tw.spm>
    %h = tile.reshape %q : memref<4x3x16xf32, #tw.spm>
    %o = tile.buffer ring "out" : memref<4x48xf32, #tw.spm>
    %r = tile.reshape %o : memref<4x3x16xf32, #tw.spm>
    tile.vec exp(%h) to %r
    tile.store %o to @y[0, 0] [4, 48]
    // The matrix unit's rows are [query, head], and no box of the region.
    // CHECK: tile.load @q[0, 0] [4, 48] to %a
    %a = tile.buffer ring "query" : memref<4x48xf32, #tw.spm>
    tile.load @q[0, 0] [4, 48] to %a
    %rows = tile.reshape %a : memref<12x16xf32, #tw.spm>
    // CHECK: %k = tile.part @k[1, 0, 0, 0] [1, 3, %n, 16] : memref<3x8x16xf32, strided<[128, 16, 1], offset: ?>, #tw.spm>
    %k = tile.buffer ring "kv" : memref<3x8x16xf32, #tw.spm>
    tile.load @k[1, 0, 0, 0] [1, 3, %n, 16] to %k
    scf.for %g = %c0 to %c3 step %c1 {
      // CHECK: memref.subview %k[%g, 0, 0] [1, 8, 16]
      %one = memref.subview %k[%g, 0, 0] [1, 8, 16] [1, 1, 1] : memref<3x8x16xf32, #tw.spm> to memref<8x16xf32, strided<[16, 1], offset: ?>, #tw.spm>
      %s = tile.buffer ring "sums" : memref<12x8xf32, #tw.acc>
      tile.matmul %rows, %one transposed into %s cols %n
      %t = tile.buffer ring "p" : memref<12x8xf32, #tw.spm>
      tile.vec id(%s) to %t cols %n
    }
    func.return
  }
}
// -----
// The vector unit updates @x before it has seen a product of its rows: both are moved, as ever.
// CHECK-LABEL: @update
builtin.module @update {
  tg.global weight @w : !lowbit.packed<32x32, bf16, kn 32> from "w"
  tg.global scratch @x : memref<4x32xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @update() {
    // CHECK: tile.load @x[0, 0] [4, 32] to %a
    %a = tile.buffer ring "operand" : memref<4x32xf32, #tw.spm>
    tile.load @x[0, 0] [4, 32] to %a
    // CHECK: tile.part @w
    %w = tile.buffer ring "weights" : memref<!lowbit.tile<32x32, bf16, kn>, #tw.spm>
    tile.load @w[0, 0] [32] to %w
    %s = tile.buffer ring "sums" : memref<4x32xf32, #tw.acc>
    tile.matmul %a, %w into %s
    // CHECK: tile.load @x[0, 0] [4, 32] to %b
    %b = tile.buffer ring "rows" : memref<4x32xf32, #tw.spm>
    tile.load @x[0, 0] [4, 32] to %b
    %c = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
    tile.vec exp(%b) to %c
    // CHECK: tile.store %c to @x[0, 0] [4, 32]
    tile.store %c to @x[0, 0] [4, 32]
    // CHECK: tile.part @y
    %d = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
    tile.vec id(%s) to %d
    tile.store %d to @y[0, 0] [4, 32]
    func.return
  }
}
// -----
// A product over several trips is seen behind the loop: an update in the loop may come too early.
// CHECK-LABEL: @trips
builtin.module @trips {
  tg.global weight @w : !lowbit.packed<64x32, bf16, kn 32> from "w"
  tg.global scratch @x : memref<4x32xf32, #tw.hbm>
  tg.global scratch @z : memref<4x32xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @trips() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c32 = arith.constant 32 : index
    %s = tile.buffer ring "sums" : memref<4x32xf32, #tw.acc>
    scf.for %k = %c0 to %c2 step %c1 {
      // CHECK: tile.store %c to @x[0, 0] [4, 32]
      %c = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %c
      tile.store %c to @x[0, 0] [4, 32]
      // CHECK: tile.load @x[0, 0] [4, 32] to %a
      %a = tile.buffer ring "operand" : memref<4x32xf32, #tw.spm>
      tile.load @x[0, 0] [4, 32] to %a
      %first = arith.muli %k, %c32 : index
      // CHECK: tile.part @w[0, %first] [32]
      %w = tile.buffer ring "weights" : memref<!lowbit.tile<32x32, bf16, kn>, #tw.spm>
      tile.load @w[0, %first] [32] to %w
      tile.matmul %a, %w into %s
    }
    %d = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
    tile.vec id(%s) to %d
    tile.store %d to @y[0, 0] [4, 32]
    // What is updated where it is read by the one op that writes it takes turns.
    // CHECK: %e = tile.part @z[0, 0] [4, 32]
    // CHECK: %f = tile.part @z[0, 0] [4, 32]
    // CHECK: tile.vec id(%e) add %d to %f
    %e = tile.buffer ring "residual" : memref<4x32xf32, #tw.spm>
    tile.load @z[0, 0] [4, 32] to %e
    %f = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
    tile.vec id(%e) add %d to %f
    tile.store %f to @z[0, 0] [4, 32]
    func.return
  }
}
