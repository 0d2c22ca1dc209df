// A chunk of rows is appended to the cache and read back in the same step, behind a token.
builtin.module attributes {tw.policy = "exact"} {
  tg.global input @x : memref<8x16xf32, #tw.hbm>
  tg.global state @cache : memref<32x16xf32, #tw.hbm>
  tg.global output @y : memref<1x16xf32, #tw.hbm>
  tg.scalar @rows : 0 to 8
  tg.scalar @len : 0 to 24
  stream.channel @in from ld to [vpu] : 1 slots of 64 in #tw.spm
  stream.channel @new from vpu to [st] : 1 slots of 64 in #tw.spm
  stream.channel @appended from st to [ld1] : tokens 1
  stream.channel @old from ld1 to [vpu] : 2 slots of 64 in #tw.spm
  stream.channel @out from vpu to [st] : 1 slots of 64 in #tw.spm
  func.func @chunk() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %rows = tg.get @rows
    %len = tg.get @len
    scf.for %i = %c0 to %rows step %c1 {
      %in0 = stream.acquire @in on ld : memref<1x16xf32, #tw.spm>
      tile.load @x[%i, 0] [1, 16] to %in0 on ld
      stream.commit %in0
      %in = stream.wait @in on vpu : memref<1x16xf32, #tw.spm>
      %new0 = stream.acquire @new on vpu : memref<1x16xf32, #tw.spm>
      tile.vec id(%in * 2.0) to %new0 on vpu
      stream.release %in
      stream.commit %new0
      %new = stream.wait @new on st : memref<1x16xf32, #tw.spm>
      %at = arith.addi %len, %i : index
      tile.store %new to @cache[%at, 0] [1, 16] on st
      stream.release %new
    }
    stream.signal @appended on st
    stream.await @appended on ld1
    %sum = tile.buffer on vpu : memref<1x16xf32, #tw.spm>
    tile.vec id(0.0) to %sum on vpu
    %all = arith.addi %len, %rows : index
    scf.for %t = %c0 to %all step %c1 {
      %old0 = stream.acquire @old on ld1 : memref<1x16xf32, #tw.spm>
      tile.load @cache[%t, 0] [1, 16] to %old0 on ld1
      stream.commit %old0
      %old = stream.wait @old on vpu : memref<1x16xf32, #tw.spm>
      tile.vec id(%sum) add %old to %sum on vpu
      stream.release %old
    }
    %out0 = stream.acquire @out on vpu : memref<1x16xf32, #tw.spm>
    tile.vec id(%sum) to %out0 on vpu
    stream.commit %out0
    %out = stream.wait @out on st : memref<1x16xf32, #tw.spm>
    tile.store %out to @y[0, 0] [1, 16] on st
    stream.release %out
    func.return
  }
}
