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
      %in0 = tile.buffer : memref<1x64xf32, #tw.spm>
      tile.load @x[%step, 0] [1, 64] to %in0
      %x = tile.buffer : memref<1x64xf32, #tw.spm>
      %inv = tile.buffer : memref<1x1xf32, #tw.spm>
      %eps = tile.buffer : memref<1x1xf32, #tw.spm>
      tile.vec id(%in0) to %x
      tile.vec id(0.015625) to %inv
      tile.vec id(9.999999747378752e-06) to %eps
      scf.for %l = %c0 to %c2 step %c1 {
        %sqn = tile.buffer : memref<1x64xf32, #tw.spm>
        %msn = tile.buffer : memref<1x1xf32, #tw.spm>
        tile.vec id(%x * %x) to %sqn
        tile.vec id(%sqn) reduce sum to %msn
        tile.vec id(%msn) mul %inv to %msn
        tile.vec id(%msn) add %eps to %msn
        tile.vec rsqrt(%msn) to %msn
        %an0 = tile.buffer : memref<1x64xf32, #tw.spm>
        tile.vec id(%x) mul %msn to %an0
        %proj0 = tile.buffer : memref<8x32xf32, #tw.acc>
        scf.for %n = %c0 to %c8 step %c1 {
          %rn = memref.subview %proj0[%n, 0] [1, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
          scf.for %k = %c0 to %c2 step %c1 {
            %w0 = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @qkv[%l, %n, %k] [1] to %w0
            %kx = arith.muli %k, %c32 : index
            %xk = memref.subview %an0[0, %kx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
            tile.matmul %xk, %w0 into %rn
          }
        }
        %inq = memref.subview %proj0[0, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<4x32xf32, strided<[32, 1]>, #tw.acc>
        %inkv = memref.subview %proj0[4, 0] [4, 32] [1, 1] : memref<8x32xf32, #tw.acc> to memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.acc>
        %q0 = tile.buffer : memref<4x32xf32, #tw.spm>
        tile.vec id(%inq) to %q0
        %new0 = tile.buffer : memref<4x32xf32, #tw.spm>
        tile.vec id(%inkv) to %new0
        %max = tile.buffer : memref<4x1xf32, #tw.spm>
        %sum = tile.buffer : memref<4x1xf32, #tw.spm>
        %out = tile.buffer : memref<4x32xf32, #tw.spm>
        scf.for %h = %c0 to %c2 step %c1 {
          %r = arith.muli %h, %c2 : index
          %rv = arith.addi %h, %c2 : index
          %vh = memref.subview %inkv[%rv, 0] [1, 32] [1, 1] : memref<4x32xf32, strided<[32, 1], offset: 128>, #tw.acc> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
          %oh = memref.subview %out[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          tile.vec id(%vh) to %oh
        }
        %n0 = tile.buffer : memref<4x1xf32, #tw.acc>
        scf.for %h_1 = %c0 to %c2 step %c1 {
          %r_1 = arith.muli %h_1, %c2 : index
          %qh = memref.subview %q0[%r_1, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %kh = memref.subview %new0[%h_1, 0] [1, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %nh = memref.subview %n0[%r_1, 0] [2, 1] [1, 1] : memref<4x1xf32, #tw.acc> to memref<2x1xf32, strided<[1, 1], offset: ?>, #tw.acc>
          tile.matmul %qh, %kh transposed into %nh
        }
        tile.vec id(%n0) to %max
        tile.vec id(1.0) to %sum
        %blocks = arith.ceildivui %ctx, %c8 : index
        scf.for %t = %c0 to %blocks step %c1 {
          %t0 = arith.muli %t, %c8 : index
          %left = arith.subi %ctx, %t0 : index
          %n_1 = arith.minui %left, %c8 : index
          %k0 = tile.buffer : memref<2x8x32xf32, #tw.spm>
          tile.load @k_cache[%l, 0, %t0, 0] [1, 2, %n_1, 32] to %k0
          %v0 = tile.buffer : memref<2x8x32xf32, #tw.spm>
          tile.load @v_cache[%l, 0, %t0, 0] [1, 2, %n_1, 32] to %v0
          %s0 = tile.buffer : memref<4x8xf32, #tw.acc>
          scf.for %h_2 = %c0 to %c2 step %c1 {
            %r_2 = arith.muli %h_2, %c2 : index
            %qh_1 = memref.subview %q0[%r_2, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
            %kh_1 = memref.subview %k0[%h_2, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
            %sh = memref.subview %s0[%r_2, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.acc> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.acc>
            tile.matmul %qh_1, %kh_1 transposed into %sh cols %n_1
          }
          %m1 = tile.buffer : memref<4x1xf32, #tw.spm>
          %a = tile.buffer : memref<4x1xf32, #tw.spm>
          tile.vec id(%s0) reduce max to %m1 cols %n_1
          tile.vec id(%m1) max %max to %m1
          tile.vec id(%max) sub %m1 to %a
          tile.vec exp(%a) to %a
          tile.vec id(%m1) to %max
          %p0 = tile.buffer : memref<4x8xf32, #tw.spm>
          tile.vec id(%s0) sub %m1 to %p0 cols %n_1
          tile.vec exp(%p0) to %p0 cols %n_1
          tile.vec id(%p0) reduce sum to %m1 cols %n_1
          tile.vec id(%sum) mul %a to %sum
          tile.vec id(%sum) add %m1 to %sum
          %o0 = tile.buffer : memref<4x32xf32, #tw.acc>
          scf.for %h_3 = %c0 to %c2 step %c1 {
            %r_3 = arith.muli %h_3, %c2 : index
            %ph = memref.subview %p0[%r_3, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.spm>
            %vh_1 = memref.subview %v0[%h_3, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
            %oh_1 = memref.subview %o0[%r_3, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.acc> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
            tile.matmul %ph, %vh_1 into %oh_1 depth %n_1
          }
          tile.vec id(%out) mul %a to %out
          tile.vec id(%out) add %o0 to %out
        }
        %att0 = tile.buffer : memref<4x32xf32, #tw.spm>
        tile.vec reciprocal(%sum) to %sum
        tile.vec id(%out) mul %sum to %att0
        %kn = memref.subview %new0[0, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1]>, #tw.spm>
        %vn = memref.subview %new0[2, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: 64>, #tw.spm>
        tile.store %kn to @k_cache[%l, 0, %ctx, 0] [1, 2, 1, 32]
        tile.store %vn to @v_cache[%l, 0, %ctx, 0] [1, 2, 1, 32]
        %att = tile.reshape %att0 : memref<1x128xf32, #tw.spm>
        scf.for %n_2 = %c0 to %c2 step %c1 {
          %r0 = tile.buffer : memref<1x32xf32, #tw.acc>
          scf.for %k_1 = %c0 to %c4 step %c1 {
            %w0_1 = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @attn_out[%l, %n_2, %k_1] [1] to %w0_1
            %kx_1 = arith.muli %k_1, %c32 : index
            %xk_1 = memref.subview %att[0, %kx_1] [1, 32] [1, 1] : memref<1x128xf32, #tw.spm> to memref<1x32xf32, strided<[128, 1], offset: ?>, #tw.spm>
            tile.matmul %xk_1, %w0_1 into %r0
          }
          %nx = arith.muli %n_2, %c32 : index
          %xn = memref.subview %x[0, %nx] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
          tile.vec id(%xn) add %r0 to %xn
        }
        %sqf = tile.buffer : memref<1x64xf32, #tw.spm>
        %msf = tile.buffer : memref<1x1xf32, #tw.spm>
        tile.vec id(%x * %x) to %sqf
        tile.vec id(%sqf) reduce sum to %msf
        tile.vec id(%msf) mul %inv to %msf
        tile.vec id(%msf) add %eps to %msf
        tile.vec rsqrt(%msf) to %msf
        %af0 = tile.buffer : memref<1x64xf32, #tw.spm>
        tile.vec id(%x) mul %msf to %af0
        %h0 = tile.buffer : memref<1x32xf32, #tw.spm>
        scf.for %n_3 = %c0 to %c2 step %c1 {
          %r0_1 = tile.buffer : memref<1x32xf32, #tw.acc>
          scf.for %k_2 = %c0 to %c2 step %c1 {
            %w0_2 = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @ffn_gate_up[%l, %n_3, %k_2] [1] to %w0_2
            %kx_2 = arith.muli %k_2, %c32 : index
            %xk_2 = memref.subview %af0[0, %kx_2] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
            tile.matmul %xk_2, %w0_2 into %r0_1
          }
          %nh_1 = arith.muli %n_3, %c16 : index
          %hn = memref.subview %h0[0, %nh_1] [1, 16] [1, 1] : memref<1x32xf32, #tw.spm> to memref<1x16xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %g = memref.subview %r0_1[0, 0] [1, 16] [1, 1] : memref<1x32xf32, #tw.acc> to memref<1x16xf32, strided<[32, 1]>, #tw.acc>
          %u = memref.subview %r0_1[0, 16] [1, 16] [1, 1] : memref<1x32xf32, #tw.acc> to memref<1x16xf32, strided<[32, 1], offset: 16>, #tw.acc>
          tile.vec sigmoid(%g) to %hn
          tile.vec id(%hn) mul %g to %hn
          tile.vec id(%hn) mul %u to %hn
        }
        scf.for %n_4 = %c0 to %c2 step %c1 {
          %r0_2 = tile.buffer : memref<1x32xf32, #tw.acc>
          scf.for %k_3 = %c0 to %c1 step %c1 {
            %w0_3 = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
            tile.load @ffn_down[%l, %n_4, %k_3] [1] to %w0_3
            %kx_3 = arith.muli %k_3, %c32 : index
            %xk_3 = memref.subview %h0[0, %kx_3] [1, 32] [1, 1] : memref<1x32xf32, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
            tile.matmul %xk_3, %w0_3 into %r0_2
          }
          %nx_1 = arith.muli %n_4, %c32 : index
          %xn_1 = memref.subview %x[0, %nx_1] [1, 32] [1, 1] : memref<1x64xf32, #tw.spm> to memref<1x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
          tile.vec id(%xn_1) add %r0_2 to %xn_1
        }
      }
      %y0 = tile.buffer : memref<1x64xf32, #tw.spm>
      tile.vec id(%x) to %y0
      tile.store %y0 to @y[%step, 0] [1, 64]
    }
    func.return
  }
}
