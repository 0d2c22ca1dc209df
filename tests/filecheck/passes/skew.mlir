// RUN: tilewright-opt %s -p skew --split-input-file | filecheck %s
// A marked loop makes its product a trip ahead, with two cuts in three stages; others stay.

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
      // CHECK-NEXT: [[FIRST:%.*]] = arith.minsi [[LEFT]], [[ONE]]
      // CHECK-NEXT: scf.for {{.*}} to [[FIRST]]
      // CHECK-NEXT: stream.acquire @a on ld1
      // CHECK-NEXT: tile.load @x[%t, 0]
      // CHECK: tile.matmul {{.*}} into [[S0]] on mxu
      // CHECK: }
      // CHECK-NEXT: stream.commit [[S0]]
      // CHECK-NEXT: [[S1:%.*]] = stream.wait @s on vpu
      // CHECK-NEXT: [[SECOND:%.*]] = arith.minsi %t, [[ONE]]
      // CHECK: scf.for {{.*}} to [[SECOND]]
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
  tg.scalar @n : 0 to 8
  // CHECK: stream.channel @s from mxu to [vpu] : 2 slots
  stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
  stream.channel @p from vpu to [mxu] : 1 slots of 64 in #tw.spm
  // CHECK: stream.channel @o from mxu to [vpu] : 2 slots
  stream.channel @o from mxu to [vpu] : 1 slots of 64 in #tw.acc
  // CHECK-LABEL: func.func @twice
  func.func @twice() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = tg.get @n
    %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
    %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
    tile.vec id(0.0) to %sum on vpu
    // What the second stage hands to the third has two turns.
    // CHECK: %d = tile.buffer on vpu : memref<2x1x1xf32, #tw.spm>
    // CHECK: stream.acquire @s on mxu
    // CHECK: stream.acquire @o on mxu
    // CHECK: scf.for %t =
    scf.for %t = %c0 to %n step %c1 {
      // CHECK: [[S:%.*]] = stream.acquire @s on mxu
      // CHECK: scf.for
      // CHECK-NEXT: tile.matmul %x, %x transposed into [[S]] on mxu
      // CHECK: stream.commit [[S]]
      // CHECK-NEXT: [[S1:%.*]] = stream.wait @s on vpu
      // CHECK-NEXT: [[O:%.*]] = stream.acquire @o on mxu
      // CHECK: scf.for
      // CHECK: [[TURN:%.*]] = arith.remui
      // CHECK-NEXT: [[D:%.*]] = memref.subview %d{{\[}}[[TURN]], 0, 0]
      // CHECK: tile.vec id([[S1]]) to [[D]] on vpu
      // CHECK: tile.matmul {{.*}} into [[O]] on mxu
      // CHECK: stream.release [[S1]]
      // CHECK-NEXT: stream.commit [[O]]
      // CHECK-NEXT: [[O1:%.*]] = stream.wait @o on vpu
      // CHECK: scf.for
      // CHECK: [[D1:%.*]] = memref.subview %d
      // CHECK-NEXT: tile.vec id(%sum * [[D1]] + [[O1]]) to %sum on vpu
      // CHECK: stream.release [[O1]]
      %d = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
      %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
      tile.matmul %x, %x transposed into %s on mxu
      stream.commit %s
      %s1 = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
      %p = stream.acquire @p on vpu : memref<1x1xf32, #tw.spm>
      tile.vec id(%s1) to %d on vpu
      tile.vec id(%s1) to %p on vpu
      stream.commit %p
      stream.release %s1
      %p1 = stream.wait @p on mxu : memref<1x1xf32, #tw.spm>
      %o = stream.acquire @o on mxu : memref<1x1xf32, #tw.acc>
      tile.matmul %p1, %p1 into %o on mxu
      stream.commit %o
      stream.release %p1
      %o1 = stream.wait @o on vpu : memref<1x1xf32, #tw.acc>
      tile.vec id(%sum * %d + %o1) to %sum on vpu
      stream.release %o1
    } {tile.skew = 2 : i64}
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

// -----
// Where the loop around it is marked too, the pipeline goes on from task to task.
builtin.module {
  tg.scalar @tasks : 0 to 4
  tg.table @blocks : 4 x 0 to 6
  // CHECK: stream.channel @s from mxu to [vpu] : 2 slots
  stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
  // CHECK-LABEL: func.func @overlapped
  func.func @overlapped() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %tasks = tg.get @tasks
    %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
    // One empty slot before all tasks.
    // CHECK: [[E:%.*]] = stream.acquire @s on mxu
    // CHECK-NEXT: stream.commit [[E]]
    // CHECK-NEXT: scf.for %j =
    scf.for %j = %c0 to %tasks step %c1 {
      // CHECK-NEXT: [[N:%.*]] = tg.get @blocks[%j]
      %n = tg.get @blocks[%j]
      %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
      tile.vec id(0.0) to %sum on vpu
      // The first product of this task,
      // CHECK-NEXT: [[S:%.*]] = stream.acquire @s on mxu
      // CHECK-NEXT: [[SOME:%.*]] = arith.minsi [[N]], [[ONE:%.*]] : index
      // CHECK-NEXT: scf.for {{.*}} to [[SOME]]
      // CHECK: tile.matmul %x, %x transposed into [[S]] on mxu
      // CHECK: stream.commit [[S]]
      // beside the last sum of the task before, if there is one.
      // CHECK-NEXT: [[U:%.*]] = stream.wait @s on vpu
      // CHECK-NEXT: [[BEFORE:%.*]] = arith.minsi %j, [[ONE]]
      // CHECK: scf.for {{.*}} to [[BEFORE]]
      // CHECK-NEXT: [[PREVIOUS:%.*]] = arith.subi %j, [[ONE]]
      // CHECK: tg.get @blocks{{\[}}[[PREVIOUS]]]
      // CHECK: tile.vec id([[U]] * %sum) to %sum on vpu
      // CHECK: stream.release [[U]]
      // Then this task's sum begins.
      // CHECK-NEXT: tile.vec id(0.0) to %sum on vpu
      // CHECK: scf.for %t =
      // CHECK-NEXT: [[S1:%.*]] = stream.acquire @s on mxu
      // CHECK: tile.matmul %x, %x transposed into [[S1]] on mxu
      // CHECK-NEXT: stream.commit [[S1]]
      // CHECK-NEXT: [[U1:%.*]] = stream.wait @s on vpu
      // CHECK-NEXT: tile.vec id([[U1]] * %sum) to %sum on vpu
      // CHECK-NEXT: stream.release [[U1]]
      scf.for %t = %c0 to %n step %c1 {
        %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
        tile.matmul %x, %x transposed into %s on mxu
        stream.commit %s
        %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
        tile.vec id(%u * %sum) to %sum on vpu
        stream.release %u
      } {tile.skew = 1 : i64}
    } {tile.overlap}
    // The last task's sum, beside an empty slot.
    // CHECK: stream.acquire @s on mxu
    // CHECK-NEXT: stream.commit
    // CHECK-NEXT: stream.wait @s on vpu
    // CHECK: scf.for
    // CHECK: tile.vec id({{.*}} * %sum) to %sum on vpu
    // CHECK: stream.release
    // CHECK: stream.wait @s on vpu
    // CHECK-NEXT: stream.release
    // CHECK-NEXT: func.return
    func.return
  }
}
