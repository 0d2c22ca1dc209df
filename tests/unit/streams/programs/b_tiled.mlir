builtin.module attributes {tw.policy = "exact"} {
  tg.global input @qkv : memref<3x8x32xf32, #tw.hbm>
  tg.global output @y : memref<3x4x32xf32, #tw.hbm>
  tg.global state @k_cache : memref<2x40x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<2x40x32xf32, #tw.hbm>
  tg.scalar @ctx : 0 to 37
  tg.scalar @steps : 0 to 3
  func.func @attend() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c8 = arith.constant 8 : index
    %ctx0 = tg.get @ctx
    %steps = tg.get @steps
    scf.for %step = %c0 to %steps step %c1 {
      %ctx = arith.addi %ctx0, %step : index
      %in = tile.buffer : memref<8x32xf32, #tw.spm>
      tile.load @qkv[%step, 0, 0] [1, 8, 32] to %in
      %kn = memref.subview %in[4, 0] [2, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: 128>, #tw.spm>
      %vn = memref.subview %in[6, 0] [2, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: 192>, #tw.spm>
      tile.store %kn to @k_cache[0, %ctx, 0] [2, 1, 32]
      tile.store %vn to @v_cache[0, %ctx, 0] [2, 1, 32]
      %max = tile.buffer : memref<4x1xf32, #tw.spm>
      %sum = tile.buffer : memref<4x1xf32, #tw.spm>
      %out = tile.buffer : memref<4x32xf32, #tw.spm>
      %new = tile.buffer : memref<4x1xf32, #tw.acc>
      scf.for %h = %c0 to %c2 step %c1 {
        %r = arith.muli %h, %c2 : index
        %qh = memref.subview %in[%r, 0] [2, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %kh = memref.subview %kn[%h, 0] [1, 32] [1, 1] : memref<2x32xf32, strided<[32, 1], offset: 128>, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %vh = memref.subview %vn[%h, 0] [1, 32] [1, 1] : memref<2x32xf32, strided<[32, 1], offset: 192>, #tw.spm> to memref<1x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        %nh = memref.subview %new[%r, 0] [2, 1] [1, 1] : memref<4x1xf32, #tw.acc> to memref<2x1xf32, strided<[1, 1], offset: ?>, #tw.acc>
        %oh = memref.subview %out[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
        tile.matmul %qh, %kh transposed into %nh
        tile.vec id(%vh) to %oh
      }
      tile.vec id(%new) to %max
      tile.vec id(1.0) to %sum
      %blocks = arith.ceildivui %ctx, %c8 : index
      scf.for %t = %c0 to %blocks step %c1 {
        %t0 = arith.muli %t, %c8 : index
        %left = arith.subi %ctx, %t0 : index
        %n = arith.minui %left, %c8 : index
        %k = tile.buffer : memref<2x8x32xf32, #tw.spm>
        %v = tile.buffer : memref<2x8x32xf32, #tw.spm>
        tile.load @k_cache[0, %t0, 0] [2, %n, 32] to %k
        tile.load @v_cache[0, %t0, 0] [2, %n, 32] to %v
        %s = tile.buffer : memref<4x8xf32, #tw.acc>
        scf.for %h = %c0 to %c2 step %c1 {
          %r = arith.muli %h, %c2 : index
          %qh = memref.subview %in[%r, 0] [2, 32] [1, 1] : memref<8x32xf32, #tw.spm> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %kh = memref.subview %k[%h, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %sh = memref.subview %s[%r, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.acc> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.acc>
          tile.matmul %qh, %kh transposed into %sh cols %n
        }
        %m1 = tile.buffer : memref<4x1xf32, #tw.spm>
        %a = tile.buffer : memref<4x1xf32, #tw.spm>
        %p = tile.buffer : memref<4x8xf32, #tw.spm>
        tile.vec id(%s) reduce max to %m1 cols %n
        tile.vec id(%m1) max %max to %m1
        tile.vec id(%max) sub %m1 to %a
        tile.vec exp(%a) to %a
        tile.vec id(%m1) to %max
        tile.vec id(%s) sub %m1 to %p cols %n
        tile.vec exp(%p) to %p cols %n
        tile.vec id(%p) reduce sum to %m1 cols %n
        tile.vec id(%sum) mul %a to %sum
        tile.vec id(%sum) add %m1 to %sum
        %o = tile.buffer : memref<4x32xf32, #tw.acc>
        scf.for %h = %c0 to %c2 step %c1 {
          %r = arith.muli %h, %c2 : index
          %ph = memref.subview %p[%r, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.spm>
          %vh = memref.subview %v[%h, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm> to memref<8x32xf32, strided<[32, 1], offset: ?>, #tw.spm>
          %oh = memref.subview %o[%r, 0] [2, 32] [1, 1] : memref<4x32xf32, #tw.acc> to memref<2x32xf32, strided<[32, 1], offset: ?>, #tw.acc>
          tile.matmul %ph, %vh into %oh depth %n
        }
        tile.vec id(%out) mul %a to %out
        tile.vec id(%out) add %o to %out
      }
      tile.vec reciprocal(%sum) to %sum
      tile.vec id(%out) mul %sum to %out
      tile.store %out to @y[%step, 0, 0] [1, 4, 32]
    }
    func.return
  }
}
