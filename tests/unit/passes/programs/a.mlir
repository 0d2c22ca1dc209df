// Program A: y = silu(x @ W1) * (x @ W3), 4-bit weights, gate and up interleaved by 16, m of at most 4 rows.
builtin.module @a attributes {tw.policy = "exact"} {
  tg.scalar @m : 0 to 4
  tg.global weight @ffn_gate_up : !lowbit.packed<64x64, q4_1, kn 32> from "interleave('ffn_gate', 'ffn_up', 16)"
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @a() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %m = tg.get @m
    %x = tile.buffer : memref<4x64xf32, #tw.spm>
    tile.load @x[0, 0] [%m, 64] to %x loc("x")
    scf.for %n = %c0 to %c2 step %c1 {
      %s = tile.buffer : memref<4x32xf32, #tw.acc>
      scf.for %k = %c0 to %c2 step %c1 {
        %w = tile.buffer ring "w" : memref<!lowbit.tile<32x32, q4_1, kn>, #tw.spm>
        tile.load @ffn_gate_up[%n, %k] [1] to %w loc("ffn_gate_up")
        %kx = arith.muli %k, %c32 : index
        %xk = memref.subview %x[0, %kx] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
        tile.matmul %xk, %w into %s rows %m loc("ffn_gate_up")
      }
      %g = memref.subview %s[0, 0] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1]>, #tw.acc>
      %u = memref.subview %s[0, 16] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1], offset: 16>, #tw.acc>
      %t = tile.buffer : memref<4x16xf32, #tw.spm>
      %h = tile.buffer : memref<4x16xf32, #tw.spm>
      tile.vec sigmoid(%g) mul %u to %t rows %m loc("ffn_gate_up")
      tile.vec id(%t * %g) to %h rows %m loc("ffn_gate_up")
      %ny = arith.muli %n, %c16 : index
      tile.store %h to @y[0, %ny] [%m, 16] loc("ffn_gate_up")
    }
    func.return
  }
}
