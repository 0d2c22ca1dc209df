// RUN: tilewright-opt %s -p skew --split-input-file | filecheck %s
// A marked loop makes its product a trip ahead; the others stay as they are.

builtin.module {
  tg.scalar @n : 0 to 8
  tg.global input @x : memref<8x32xf32, #tw.hbm>
  // CHECK: stream.channel @s from mxu to [vpu] : 2 slots
  stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
  stream.channel @a from ld1 to [mxu] : 1 slots of 128 in #tw.spm
  // CHECK-LABEL: func.func @marked
  func.func @marked() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = tg.get @n
    %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
    tile.vec id(0.0) to %sum on vpu
    // An empty slot before the loop, and one more trip.
    // CHECK: [[B:%.*]] = stream.acquire @s on mxu
    // CHECK-NEXT: stream.commit [[B]]
    // CHECK-NEXT: [[TRIPS:%.*]] = arith.addi %n, [[ONE:%.*]] : index
    // CHECK-NEXT: scf.for %t = {{%.*}} to [[TRIPS]]
    scf.for %t = %c0 to %n step %c1 {
      // CHECK-NEXT: [[S0:%.*]] = stream.acquire @s on mxu
      // CHECK-NEXT: [[LEFT:%.*]] = arith.subi %n, %t
      // CHECK: scf.for
      // CHECK-NEXT: stream.acquire @a on ld1
      // CHECK-NEXT: tile.load @x[%t, 0]
      // CHECK: tile.matmul {{.*}} into [[S0]] on mxu
      // CHECK: }
      // CHECK-NEXT: stream.commit [[S0]]
      // CHECK-NEXT: [[BACK:%.*]] = arith.subi %t, [[ONE]]
      // CHECK: [[S1:%.*]] = stream.wait @s on vpu
      // CHECK: scf.for
      // CHECK-NEXT: tile.vec id([[S1]] * %sum) to %sum on vpu
      // CHECK: }
      // CHECK-NEXT: stream.release [[S1]]
      %a = stream.acquire @a on ld1 : memref<1x32xf32, #tw.spm>
      tile.load @x[%t, 0] [1, 32] to %a on ld1
      stream.commit %a
      %b = stream.wait @a on mxu : memref<1x32xf32, #tw.spm>
      %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
      tile.matmul %b, %b transposed into %s on mxu
      stream.commit %s
      stream.release %b
      %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
      tile.vec id(%u * %sum) to %sum on vpu
      stream.release %u
    } {tile.skew = 1 : i64}
    // CHECK: [[E:%.*]] = stream.wait @s on vpu
    // CHECK-NEXT: stream.release [[E]]
    func.return
  }
}

// -----
builtin.module {
  // CHECK-LABEL: func.func @unmarked
  func.func @unmarked() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %t = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
    // CHECK: scf.for %i = %c0 to %c2 step %c1 {
    // CHECK-NEXT: tile.vec id(1.0) to %t on vpu
    // CHECK-NEXT: }
    // CHECK-NEXT: func.return
    scf.for %i = %c0 to %c2 step %c1 {
      tile.vec id(1.0) to %t on vpu
    }
    func.return
  }
}
