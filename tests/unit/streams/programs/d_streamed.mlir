builtin.module attributes {tw.policy = "exact"} {
  tg.global input @lens : memref<1x4xi32, #tw.hbm>
  tg.global input @x : memref<4x6x8xf32, #tw.hbm>
  tg.global output @y : memref<4x8xf32, #tw.hbm>
  tg.scalar @rows : 0 to 4
  stream.channel @table from ld to [vpu] : 1 slots of 16 in #tw.spm
  stream.channel @len from vpu to [ld, vpu] : scalars 2 max 6
  stream.channel @xs from ld to [vpu] : 2 slots of 32 in #tw.spm
  stream.channel @ys from vpu to [st] : 1 slots of 32 in #tw.spm
  func.func @ragged_sum() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %rows = tg.get @rows
    %table0 = stream.acquire @table on ld : memref<1x4xi32, #tw.spm>
    tile.load @lens[0, 0] [1, 4] to %table0 on ld
    stream.commit %table0
    %table = stream.wait @table on vpu : memref<1x4xi32, #tw.spm>
    scf.for %b = %c0 to %rows step %c1 {
      stream.send %table[0, %b] to @len on vpu
      %len = stream.recv @len
      %y0 = stream.acquire @ys on vpu : memref<1x8xf32, #tw.spm>
      tile.vec id(0.0) to %y0 on vpu
      scf.for %t = %c0 to %len step %c1 {
        %x0 = stream.acquire @xs on ld : memref<1x8xf32, #tw.spm>
        tile.load @x[%b, %t, 0] [1, 1, 8] to %x0 on ld
        stream.commit %x0
        %x = stream.wait @xs on vpu : memref<1x8xf32, #tw.spm>
        tile.vec id(%y0) add %x to %y0 on vpu
        stream.release %x
      }
      stream.commit %y0
      %y = stream.wait @ys on st : memref<1x8xf32, #tw.spm>
      tile.store %y to @y[%b, 0] [1, 8] on st
      stream.release %y
    }
    stream.release %table
    func.return
  }
}
