// RUN: tilewright-opt %s -p 'reside{machine=groq-like}' | filecheck %s
// RUN: tilewright-opt %s -p 'reside{machine=tw-small}' | filecheck %s --check-prefix FAR
// Without main memory units read and write globals where they lie.

// CHECK-LABEL: @linear
// FAR-LABEL: @linear
builtin.module @linear {
  tg.scalar @m : 0 to 4
  // CHECK: tg.global weight @w : !lowbit.packed<64x64, q4_0, kn 32> in #tw.spm from "w"
  // FAR: tg.global weight @w : !lowbit.packed<64x64, q4_0, kn 32> from "w"
  tg.global weight @w : !lowbit.packed<64x64, q4_0, kn 32> from "w"
  // CHECK-NEXT: tg.global weight @gamma : memref<64xf32, #tw.spm> from "g"
  tg.global weight @gamma : memref<64xf32, #tw.hbm> from "g"
  // CHECK-NEXT: tg.global input @i : memref<4xi32, #tw.spm>
  tg.global input @i : memref<4xi32, #tw.hbm>
  tg.global scratch @x : memref<4x64xf32, #tw.hbm>
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @linear() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c32 = arith.constant 32 : index
    %m = tg.get @m
    // CHECK: tile.gather @x[@i[0]] [%m] to %x
    %x = tile.buffer ring "rows" : memref<4x64xf32, #tw.spm>
    tile.gather @x[@i[0]] [%m] to %x
    // CHECK: %g = tile.part @gamma[0] [64] : memref<1x64xf32, strided<[1, 1], offset: ?>, #tw.spm>
    // CHECK-NOT: tile.load
    // FAR: tile.load @gamma[0] [64] to %g
    %g = tile.buffer ring "vector" : memref<1x64xf32, #tw.spm>
    tile.load @gamma[0] [64] to %g
    %a = tile.buffer ring "normed" : memref<4x64xf32, #tw.spm>
    // CHECK: tile.vec id(%x) mul %g to %a rows %m
    tile.vec id(%x) mul %g to %a rows %m
    scf.for %n = %c0 to %c2 step %c1 {
      %s = tile.buffer ring "sums" : memref<4x32xf32, #tw.acc>
      // CHECK: %w = tile.part @w[%n, 0] [2] : memref<!lowbit.tile<64x32, q4_0, kn>, #tw.spm>
      // FAR: tile.load @w[%n, 0] [2] to %w
      %w = tile.buffer ring "weights" : memref<!lowbit.tile<64x32, q4_0, kn>, #tw.spm>
      tile.load @w[%n, 0] [2] to %w
      // CHECK-NEXT: tile.matmul %a, %w into %s rows %m
      tile.matmul %a, %w into %s rows %m
      // The column is computed behind the buffer, and moves to where the part is made.
      // CHECK-NEXT: %[[column:.*]] = arith.muli %n, %c32 : index
      // CHECK-NEXT: %o = tile.part @y[0, %[[column]]] [%m, 32] : memref<4x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
      %o = tile.buffer ring "out" : memref<4x32xf32, #tw.spm>
      // CHECK-NEXT: tile.vec id(%s) to %o rows %m
      tile.vec id(%s) to %o rows %m
      %column = arith.muli %n, %c32 : index
      // CHECK-NOT: tile.store
      // FAR: tile.store %o to @y
      tile.store %o to @y[0, %column] [%m, 32]
    }
    func.return
  }
}
