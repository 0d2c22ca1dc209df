builtin.module attributes {tw.policy = "exact"} {
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  tg.global weight @ffn_gate_up : !lowbit.packed<64x64, q4_0, kn 32> from "'ffn_gate_up'"
  tg.scalar @m : 1 to 4
  stream.channel @a from ld to [mxu] : 1 slots of 1024 in #tw.spm
  stream.channel @w from ld to [mxu] : 4 slots of 576 in #tw.spm
  stream.channel @s from mxu to [vpu] : 2 slots of 512 in #tw.acc
  stream.channel @h from vpu to [st] : 2 slots of 256 in #tw.spm
  func.func @ffn() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %m = tg.get @m
    %x0 = stream.acquire @a on ld : memref<4x64xf32, #tw.spm>
    tile.load @x[0, 0] [%m, 64] to %x0 on ld
    stream.commit %x0
    %x = stream.wait @a on mxu : memref<4x64xf32, #tw.spm>
    scf.for %n = %c0 to %c2 step %c1 {
      %s0 = stream.acquire @s on mxu : memref<4x32xf32, #tw.acc>
      scf.for %k = %c0 to %c2 step %c1 {
        %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
        tile.load @ffn_gate_up[%n, %k] [1] to %w0 on ld
        stream.commit %w0
        %w = stream.wait @w on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
        %kx = arith.muli %k, %c32 : index
        %xk = memref.subview %x[0, %kx] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
        tile.matmul %xk, %w into %s0 rows %m on mxu
        stream.release %w
      }
      stream.commit %s0
      %s = stream.wait @s on vpu : memref<4x32xf32, #tw.acc>
      %g = memref.subview %s[0, 0] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1]>, #tw.acc>
      %u = memref.subview %s[0, 16] [4, 16] [1, 1] : memref<4x32xf32, #tw.acc> to memref<4x16xf32, strided<[32, 1], offset: 16>, #tw.acc>
      %h0 = stream.acquire @h on vpu : memref<4x16xf32, #tw.spm>
      tile.vec sigmoid(%g) to %h0 rows %m on vpu
      tile.vec id(%h0) mul %g to %h0 rows %m on vpu
      tile.vec id(%h0) mul %u to %h0 rows %m on vpu
      stream.release %s
      stream.commit %h0
      %h = stream.wait @h on st : memref<4x16xf32, #tw.spm>
      %ny = arith.muli %n, %c16 : index
      tile.store %h to @y[0, %ny] [%m, 16] on st
      stream.release %h
    }
    stream.release %x
    func.return
  }
}
