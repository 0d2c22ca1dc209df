builtin.module attributes {tw.policy = "exact"} {
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  tg.global weight @ffn_gate_up : !lowbit.packed<64x64, q4_0, kn 32> from "'ffn_gate_up'"
  tg.scalar @m : 1 to 4
  func.func @ffn() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %m = tg.get @m
    %x = tile.buffer : memref<4x64xf32, #tw.spm>
    tile.load @x[0, 0] [%m, 64] to %x
    scf.for %n = %c0 to %c2 step %c1 {
      %s = tile.buffer : memref<4x32xf32, #tw.acc>
      scf.for %k = %c0 to %c2 step %c1 {
        %w = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
        tile.load @ffn_gate_up[%n, %k] [1] to %w
        %kx = arith.muli %k, %c32 : index
        %xk = memref.subview %x[0, %kx] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
        tile.matmul %xk, %w into %s rows %m
      }
      %g = memref.subview %s[0, 0] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1]>, #tw.acc>
      %u = memref.subview %s[0, 16] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1], offset: 16>, #tw.acc>
      %h = tile.buffer : memref<4x16xf32, #tw.spm>
      tile.vec sigmoid(%g) to %h rows %m
      tile.vec id(%h) mul %g to %h rows %m
      tile.vec id(%h) mul %u to %h rows %m
      %ny = arith.muli %n, %c16 : index
      tile.store %h to @y[0, %ny] [%m, 16]
    }
    func.return
  }
}
