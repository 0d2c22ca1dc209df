// RUN: tilewright-opt %s -p project --split-input-file | filecheck %s
// One function an engine, with its own ops, the loops around them and the arithmetic they need.

builtin.module {
  tg.scalar @n : 0 to 4
  tg.global input @x : memref<4x8xf32, #tw.hbm>
  stream.channel @a from ld1 to [vpu] : 2 slots of 64 in #tw.spm
  // CHECK-LABEL: func.func @ld1
  // CHECK-DAG: %n = tg.get @n
  // CHECK: scf.for %i = %c0 to %n step %c1
  // CHECK-NEXT: %a = stream.acquire @a on ld1
  // CHECK-NEXT: tile.load @x[%i, 0] [1, 8] to %a on ld1
  // CHECK-NEXT: stream.commit %a
  // CHECK-NEXT: }
  // CHECK-NEXT: func.return

  // CHECK-LABEL: func.func @vpu
  // CHECK-NOT: tile.load
  // CHECK: scf.for
  // CHECK-NEXT: [[A:%.*]] = stream.wait @a on vpu
  // CHECK: tile.vec
  // CHECK-NEXT: stream.release [[A]]
  // CHECK-NEXT: }
  // CHECK-NEXT: func.return
  func.func @entry() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = tg.get @n
    scf.for %i = %c0 to %n step %c1 {
      %a = stream.acquire @a on ld1 : memref<1x8xf32, #tw.spm>
      tile.load @x[%i, 0] [1, 8] to %a on ld1
      stream.commit %a
      %b = stream.wait @a on vpu : memref<1x8xf32, #tw.spm>
      %t = tile.buffer on vpu : memref<1x8xf32, #tw.spm>
      tile.vec id(%b) to %t on vpu
      stream.release %b
    }
    func.return
  }
}

// -----
// A program of one engine is left as it is, but for its name.
builtin.module {
  // CHECK: func.func @vpu() {
  // CHECK-NEXT: %t = tile.buffer on vpu
  // CHECK-NEXT: tile.vec id(1.0) to %t on vpu
  // CHECK-NEXT: func.return
  // CHECK-NOT: func.func
  func.func @entry() {
    %t = tile.buffer on vpu : memref<1x8xf32, #tw.spm>
    tile.vec id(1.0) to %t on vpu
    func.return
  }
}

// -----
// A function that is its engine's already stays.
builtin.module {
  // CHECK-LABEL: func.func @st
  // CHECK-NEXT: stream.signal @t on st
  // CHECK-NEXT: func.return
  // CHECK-NOT: func.func
  stream.channel @t from st to [ld] : tokens 1
  func.func @st() {
    stream.signal @t on st
    func.return
  }
}
