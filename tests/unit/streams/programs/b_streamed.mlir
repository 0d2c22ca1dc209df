builtin.module attributes {tw.policy = "exact"} {
  tg.global input @qkv : memref<3x8x32xf32, #tw.hbm>
  tg.global output @y : memref<3x4x32xf32, #tw.hbm>
  tg.global state @k_cache : memref<2x40x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<2x40x32xf32, #tw.hbm>
  tg.scalar @ctx : 0 to 37
  tg.scalar @steps : 0 to 3
  stream.channel @in from ld to [vpu] : 1 slots of 1024 in #tw.spm
  stream.channel @q from vpu to [mxu] : 1 slots of 512 in #tw.spm
  stream.channel @new from vpu to [mxu, st] : 1 slots of 512 in #tw.spm
  stream.channel @old from ld to [mxu] : 4 slots of 2048 in #tw.spm
  stream.channel @s from mxu to [vpu] : 2 slots of 128 in #tw.acc
  stream.channel @p from vpu to [mxu] : 1 slots of 128 in #tw.spm
  stream.channel @o from mxu to [vpu] : 2 slots of 512 in #tw.acc
  stream.channel @out from vpu to [st] : 1 slots of 512 in #tw.spm
  stream.channel @appended from st to [ld] : tokens 1 primed 1
  func.func @attend() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c8 = arith.constant 8 : index
    %ctx0 = tg.get @ctx
    %steps = tg.get @steps
    scf.for %step = %c0 to %steps step %c1 {
      %ctx = arith.addi %ctx0, %step : index
      %in0 = stream.acquire @in on ld : memref<8x32xf32, #tw.spm>
      tile.load @qkv[%step, 0, 0] [1, 8, 32] to %in0 on ld
      stream.commit %in0
      // VPU: split q from the current k and v
      %in = stream.wait @in on vpu : memref<8x32xf32, #tw.spm>
      %inq = memref.subview %in[0, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<4x32xf32, strided<[32, 1]>, #tw.spm>
      %inkv = memref.subview %in[4, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.spm>
      %q0 = stream.acquire @q on vpu : memref<4x32xf32, #tw.spm>
      tile.vec id(%inq) to %q0 on vpu
      stream.commit %q0
      %new0 = stream.acquire @new on vpu : memref<4x32xf32, #tw.spm>
      tile.vec id(%inkv) to %new0 on vpu
      stream.commit %new0
      %max = tile.buffer on vpu : memref<4x1xf32, #tw.spm>
      %sum = tile.buffer on vpu : memref<4x1xf32, #tw.spm>
      %out = tile.buffer on vpu : memref<4x32xf32, #tw.spm>
      scf.for %h = %c0 to %c2 step %c1 {
        %r = arith.muli %h, %c2 : index
        %rv = arith.addi %h, %c2 : index
        %vh = memref.subview %inkv[%rv, 0] [1, 32] [1, 1] : memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %oh = memref.subview %out[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        tile.vec id(%vh) to %oh on vpu
      }
      stream.release %in
      // MXU: the current position's score; q stays held until the last block
      %q = stream.wait @q on mxu : memref<4x32xf32, #tw.spm>
      %new = stream.wait @new on mxu : memref<4x32xf32, #tw.spm>
      %n0 = stream.acquire @s on mxu : memref<4x1xf32, #tw.acc>
      scf.for %h = %c0 to %c2 step %c1 {
        %r = arith.muli %h, %c2 : index
        %qh = memref.subview %q[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %kh = memref.subview %new[%h, 0] [1, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %nh = memref.subview %n0[%r, 0] [2, 1] [1, 1] : memref<4x1xf32, #tw.acc> to memref<2x1xf32, strided<[1, 1], offset: ?>, #tw.acc>
        tile.matmul %qh, %kh transposed into %nh on mxu
      }
      stream.commit %n0
      stream.release %new
      %n1 = stream.wait @s on vpu : memref<4x1xf32, #tw.acc>
      tile.vec id(%n1) to %max on vpu
      tile.vec id(1.0) to %sum on vpu
      stream.release %n1
      // older positions from hbm, once the previous step's append is visible
      stream.await @appended on ld
      %blocks = arith.ceildivui %ctx, %c8 : index
      scf.for %t = %c0 to %blocks step %c1 {
        %t0 = arith.muli %t, %c8 : index
        %left = arith.subi %ctx, %t0 : index
        %n = arith.minui %left, %c8 : index
        %k0 = stream.acquire @old on ld : memref<2x8x32xf32, #tw.spm>
        tile.load @k_cache[0, %t0, 0] [2, %n, 32] to %k0 on ld
        stream.commit %k0
        %v0 = stream.acquire @old on ld : memref<2x8x32xf32, #tw.spm>
        tile.load @v_cache[0, %t0, 0] [2, %n, 32] to %v0 on ld
        stream.commit %v0
        %s0 = stream.acquire @s on mxu : memref<4x8xf32, #tw.acc>
        %k = stream.wait @old on mxu : memref<2x8x32xf32, #tw.spm>
        scf.for %h = %c0 to %c2 step %c1 {
          %r = arith.muli %h, %c2 : index
          %qh = memref.subview %q[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %kh = memref.subview %k[%h, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %sh = memref.subview %s0[%r, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.acc> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.acc>
          tile.matmul %qh, %kh transposed into %sh cols %n on mxu
        }
        stream.release %k
        stream.commit %s0
        %s = stream.wait @s on vpu : memref<4x8xf32, #tw.acc>
        %m1 = tile.buffer on vpu : memref<4x1xf32, #tw.spm>
        %a = tile.buffer on vpu : memref<4x1xf32, #tw.spm>
        tile.vec id(%s) reduce max to %m1 cols %n on vpu
        tile.vec id(%m1) max %max to %m1 on vpu
        tile.vec id(%max) sub %m1 to %a on vpu
        tile.vec exp(%a) to %a on vpu
        tile.vec id(%m1) to %max on vpu
        %p0 = stream.acquire @p on vpu : memref<4x8xf32, #tw.spm>
        tile.vec id(%s) sub %m1 to %p0 cols %n on vpu
        tile.vec exp(%p0) to %p0 cols %n on vpu
        stream.release %s
        tile.vec id(%p0) reduce sum to %m1 cols %n on vpu
        stream.commit %p0
        tile.vec id(%sum) mul %a to %sum on vpu
        tile.vec id(%sum) add %m1 to %sum on vpu
        %p = stream.wait @p on mxu : memref<4x8xf32, #tw.spm>
        %v = stream.wait @old on mxu : memref<2x8x32xf32, #tw.spm>
        %o0 = stream.acquire @o on mxu : memref<4x32xf32, #tw.acc>
        scf.for %h = %c0 to %c2 step %c1 {
          %r = arith.muli %h, %c2 : index
          %ph = memref.subview %p[%r, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.spm>
          %vh = memref.subview %v[%h, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %oh = memref.subview %o0[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.acc> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
          tile.matmul %ph, %vh into %oh depth %n on mxu
        }
        stream.release %p
        stream.release %v
        stream.commit %o0
        %o = stream.wait @o on vpu : memref<4x32xf32, #tw.acc>
        tile.vec id(%out) mul %a to %out on vpu
        tile.vec id(%out) add %o to %out on vpu
        stream.release %o
      }
      stream.release %q
      %y0 = stream.acquire @out on vpu : memref<4x32xf32, #tw.spm>
      tile.vec reciprocal(%sum) to %sum on vpu
      tile.vec id(%out) mul %sum to %y0 on vpu
      stream.commit %y0
      // ST: append the current k and v for the next step
      %kv = stream.wait @new on st : memref<4x32xf32, #tw.spm>
      %kn = memref.subview %kv[0, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1]>, #tw.spm>
      %vn = memref.subview %kv[2, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: 64>, #tw.spm>
      tile.store %kn to @k_cache[0, %ctx, 0] [2, 1, 32] on st
      tile.store %vn to @v_cache[0, %ctx, 0] [2, 1, 32] on st
      stream.release %kv
      stream.signal @appended on st
      %y = stream.wait @out on st : memref<4x32xf32, #tw.spm>
      tile.store %y to @y[%step, 0, 0] [1, 4, 32] on st
      stream.release %y
    }
    func.return
  }
}
