builtin.module attributes {tw.policy = "exact"} {
  tg.global input @x : memref<3x64xf32, #tw.hbm>
  tg.global output @y : memref<3x64xf32, #tw.hbm>
  tg.global weight @qkv : !lowbit.packed<2x64x256, q4_0, kn 32> from "'blk.{l}.qkv'"
  tg.global weight @attn_out : !lowbit.packed<2x128x64, q4_0, kn 32> from "'blk.{l}.attn_out'"
  tg.global weight @ffn_gate_up : !lowbit.packed<2x64x64, q4_0, kn 32> from "'blk.{l}.ffn_gate_up'"
  tg.global weight @ffn_down : !lowbit.packed<2x32x64, q4_0, kn 32> from "'blk.{l}.ffn_down'"
  tg.global state @k_cache : memref<2x2x40x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<2x2x40x32xf32, #tw.hbm>
  tg.scalar @ctx : 0 to 37
  tg.scalar @steps : 0 to 3
  stream.channel @in from ld to [vpu] : 1 slots of 256 in #tw.spm
  stream.channel @a from vpu to [mxu] : 2 slots of 512 in #tw.spm
  stream.channel @w from ld to [mxu] : 8 slots of 576 in #tw.spm
  stream.channel @r from mxu to [vpu] : 2 slots of 1024 in #tw.acc
  stream.channel @q from vpu to [mxu] : 1 slots of 512 in #tw.spm
  stream.channel @new from vpu to [mxu, st] : 1 slots of 512 in #tw.spm
  stream.channel @old from ld to [mxu] : 4 slots of 2048 in #tw.spm
  stream.channel @s from mxu to [vpu] : 2 slots of 128 in #tw.acc
  stream.channel @p from vpu to [mxu] : 1 slots of 128 in #tw.spm
  stream.channel @o from mxu to [vpu] : 2 slots of 512 in #tw.acc
  stream.channel @out from vpu to [st] : 1 slots of 256 in #tw.spm
  stream.channel @appended from st to [ld] : tokens 2 primed 2
  func.func @decode() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %ctx0 = tg.get @ctx
    %steps = tg.get @steps
    scf.for %step = %c0 to %steps step %c1 {
      %ctx = arith.addi %ctx0, %step : index
      %in0 = stream.acquire @in on ld : memref<1x64xf32, #tw.spm>
      tile.load @x[%step, 0] [1, 64] to %in0 on ld
      stream.commit %in0
      %inx = stream.wait @in on vpu : memref<1x64xf32, #tw.spm>
      %x = tile.buffer on vpu : memref<1x64xf32, #tw.spm>
      %inv = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
      %eps = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
      tile.vec id(%inx) to %x on vpu
      tile.vec id(0.015625) to %inv on vpu
      tile.vec id(0.00001) to %eps on vpu
      stream.release %inx
      scf.for %l = %c0 to %c2 step %c1 {
        // VPU: rmsnorm of the residual stream
        %sqn = tile.buffer on vpu : memref<1x64xf32, #tw.spm>
        %msn = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
        tile.vec id(%x * %x) to %sqn on vpu
        tile.vec id(%sqn) reduce sum to %msn on vpu
        tile.vec id(%msn) mul %inv to %msn on vpu
        tile.vec id(%msn) add %eps to %msn on vpu
        tile.vec rsqrt(%msn) to %msn on vpu
        %an0 = stream.acquire @a on vpu : memref<1x64xf32, #tw.spm>
        tile.vec id(%x) mul %msn to %an0 on vpu
        stream.commit %an0
        %an = stream.wait @a on mxu : memref<1x64xf32, #tw.spm>
        %proj0 = stream.acquire @r on mxu : memref<8x32xf32, #tw.acc>
        scf.for %n = %c0 to %c8 step %c1 {
          %rn = memref.subview %proj0[%n, 0] [1, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
          scf.for %k = %c0 to %c2 step %c1 {
            %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @qkv[%l, %n, %k] [1] to %w0 on ld
            stream.commit %w0
            %w = stream.wait @w on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            %kx = arith.muli %k, %c32 : index
            %xk = memref.subview %an[0, %kx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
            tile.matmul %xk, %w into %rn on mxu
            stream.release %w
          }
        }
        stream.commit %proj0
        stream.release %an
        // VPU: split q from the current k and v
        %in = stream.wait @r on vpu : memref<8x32xf32, #tw.acc>
        %inq = memref.subview %in[0, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<4x32xf32, strided<[32, 1]>, #tw.acc>
        %inkv = memref.subview %in[4, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.acc>
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
          %vh = memref.subview %inkv[%rv, 0] [1, 32] [1, 1] : memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.acc> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
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
          tile.load @k_cache[%l, 0, %t0, 0] [1, 2, %n, 32] to %k0 on ld
          stream.commit %k0
          %v0 = stream.acquire @old on ld : memref<2x8x32xf32, #tw.spm>
          tile.load @v_cache[%l, 0, %t0, 0] [1, 2, %n, 32] to %v0 on ld
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
        %att0 = stream.acquire @a on vpu : memref<4x32xf32, #tw.spm>
        tile.vec reciprocal(%sum) to %sum on vpu
        tile.vec id(%out) mul %sum to %att0 on vpu
        stream.commit %att0
        // ST: append the current k and v for the next step
        %kv = stream.wait @new on st : memref<4x32xf32, #tw.spm>
        %kn = memref.subview %kv[0, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1]>, #tw.spm>
        %vn = memref.subview %kv[2, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: 64>, #tw.spm>
        tile.store %kn to @k_cache[%l, 0, %ctx, 0] [1, 2, 1, 32] on st
        tile.store %vn to @v_cache[%l, 0, %ctx, 0] [1, 2, 1, 32] on st
        stream.release %kv
        stream.signal @appended on st
        // output projection and residual
        %att = stream.wait @a on mxu : memref<1x128xf32, #tw.spm>
        scf.for %n = %c0 to %c2 step %c1 {
          %r0 = stream.acquire @r on mxu : memref<1x32xf32, #tw.acc>
          scf.for %k = %c0 to %c4 step %c1 {
            %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @attn_out[%l, %n, %k] [1] to %w0 on ld
            stream.commit %w0
            %w = stream.wait @w on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            %kx = arith.muli %k, %c32 : index
            %xk = memref.subview %att[0, %kx] [1, 32] [1, 1] : memref<1x128xf32, #tw.spm> to memref<1x32xf32, strided<[128, 1], offset: ?>, #tw.spm>
            tile.matmul %xk, %w into %r0 on mxu
            stream.release %w
          }
          stream.commit %r0
          %r = stream.wait @r on vpu : memref<1x32xf32, #tw.acc>
          %nx = arith.muli %n, %c32 : index
          %xn = memref.subview %x[0, %nx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
          tile.vec id(%xn) add %r to %xn on vpu
          stream.release %r
        }
        stream.release %att
        // VPU: rmsnorm of the residual stream
        %sqf = tile.buffer on vpu : memref<1x64xf32, #tw.spm>
        %msf = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
        tile.vec id(%x * %x) to %sqf on vpu
        tile.vec id(%sqf) reduce sum to %msf on vpu
        tile.vec id(%msf) mul %inv to %msf on vpu
        tile.vec id(%msf) add %eps to %msf on vpu
        tile.vec rsqrt(%msf) to %msf on vpu
        %af0 = stream.acquire @a on vpu : memref<1x64xf32, #tw.spm>
        tile.vec id(%x) mul %msf to %af0 on vpu
        stream.commit %af0
        %h0 = stream.acquire @a on vpu : memref<1x32xf32, #tw.spm>
        %af = stream.wait @a on mxu : memref<1x64xf32, #tw.spm>
        scf.for %n = %c0 to %c2 step %c1 {
          %r0 = stream.acquire @r on mxu : memref<1x32xf32, #tw.acc>
          scf.for %k = %c0 to %c2 step %c1 {
            %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @ffn_gate_up[%l, %n, %k] [1] to %w0 on ld
            stream.commit %w0
            %w = stream.wait @w on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            %kx = arith.muli %k, %c32 : index
            %xk = memref.subview %af[0, %kx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
            tile.matmul %xk, %w into %r0 on mxu
            stream.release %w
          }
          stream.commit %r0
          %r = stream.wait @r on vpu : memref<1x32xf32, #tw.acc>
          %nh = arith.muli %n, %c16 : index
          %hn = memref.subview %h0[0, %nh] [1, 16] [1, 1] : memref<1x32xf32, #tw.spm> to memref<1x16xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %g = memref.subview %r[0, 0] [1, 16] [1, 1] : memref<1x32xf32, #tw.acc> to memref<1x16xf32, strided<[32, 1]>, #tw.acc>
          %u = memref.subview %r[0, 16] [1, 16] [1, 1] : memref<1x32xf32, #tw.acc> to memref<1x16xf32, strided<[32, 1], offset: 16>, #tw.acc>
          tile.vec sigmoid(%g) to %hn on vpu
          tile.vec id(%hn) mul %g to %hn on vpu
          tile.vec id(%hn) mul %u to %hn on vpu
          stream.release %r
        }
        stream.release %af
        stream.commit %h0
        %h = stream.wait @a on mxu : memref<1x32xf32, #tw.spm>
        scf.for %n = %c0 to %c2 step %c1 {
          %r0 = stream.acquire @r on mxu : memref<1x32xf32, #tw.acc>
          scf.for %k = %c0 to %c1 step %c1 {
            %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @ffn_down[%l, %n, %k] [1] to %w0 on ld
            stream.commit %w0
            %w = stream.wait @w on mxu : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            %kx = arith.muli %k, %c32 : index
            %xk = memref.subview %h[0, %kx] [1, 32] [1, 1] : memref<1x32xf32, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
            tile.matmul %xk, %w into %r0 on mxu
            stream.release %w
          }
          stream.commit %r0
          %r = stream.wait @r on vpu : memref<1x32xf32, #tw.acc>
          %nx = arith.muli %n, %c32 : index
          %xn = memref.subview %x[0, %nx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
          tile.vec id(%xn) add %r to %xn on vpu
          stream.release %r
        }
        stream.release %h
      }
      %y0 = stream.acquire @out on vpu : memref<1x64xf32, #tw.spm>
      tile.vec id(%x) to %y0 on vpu
      stream.commit %y0
      %y = stream.wait @out on st : memref<1x64xf32, #tw.spm>
      tile.store %y to @y[%step, 0] [1, 64] on st
      stream.release %y
    }
    func.return
  }
}
