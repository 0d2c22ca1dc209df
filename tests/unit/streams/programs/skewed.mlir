// y[t] = 2 x[t], the vector unit 3 blocks behind the load queue: 3 empty slots before the loop, 3 more trips.
builtin.module attributes {tw.policy = "exact"} {
  tg.global input @x : memref<8x16xf32, #tw.hbm>
  tg.global output @y : memref<8x16xf32, #tw.hbm>
  tg.scalar @blocks : 0 to 8
  stream.channel @in from ld to [vpu] : 4 slots of 64 in #tw.spm
  stream.channel @out from vpu to [st] : 1 slots of 64 in #tw.spm
  func.func @skewed() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %blocks = tg.get @blocks
    %e0 = stream.acquire @in on ld : memref<1x16xf32, #tw.spm>
    stream.commit %e0
    %e1 = stream.acquire @in on ld : memref<1x16xf32, #tw.spm>
    stream.commit %e1
    %e2 = stream.acquire @in on ld : memref<1x16xf32, #tw.spm>
    stream.commit %e2
    %trips = arith.addi %blocks, %c3 : index
    scf.for %t = %c0 to %trips step %c1 {
      %left = arith.subi %blocks, %t : index
      %left0 = arith.maxsi %left, %c0 : index
      %n = arith.minsi %left0, %c1 : index
      %s0 = stream.acquire @in on ld : memref<1x16xf32, #tw.spm>
      %inside = arith.muli %t, %n : index
      tile.load @x[%inside, 0] [%n, 16] to %s0 on ld
      stream.commit %s0
      %behind = arith.subi %t, %c3 : index
      %b0 = arith.maxsi %behind, %c0 : index
      %b1 = arith.subi %t, %b0 : index
      %b3 = arith.subi %b1, %c3 : index
      %full = arith.addi %b3, %c1 : index
      %m = arith.maxsi %full, %c0 : index
      %s = stream.wait @in on vpu : memref<1x16xf32, #tw.spm>
      %o0 = stream.acquire @out on vpu : memref<1x16xf32, #tw.spm>
      tile.vec id(%s * 2.0) to %o0 rows %m on vpu
      stream.release %s
      stream.commit %o0
      %o = stream.wait @out on st : memref<1x16xf32, #tw.spm>
      tile.store %o to @y[%b0, 0] [%m, 16] on st
      stream.release %o
    }
    %f0 = stream.wait @in on vpu : memref<1x16xf32, #tw.spm>
    stream.release %f0
    %f1 = stream.wait @in on vpu : memref<1x16xf32, #tw.spm>
    stream.release %f1
    %f2 = stream.wait @in on vpu : memref<1x16xf32, #tw.spm>
    stream.release %f2
    func.return
  }
}
