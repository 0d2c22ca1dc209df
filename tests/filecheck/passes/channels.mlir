// RUN: tilewright-opt %s -p channels --split-input-file | filecheck %s
// What crosses engines becomes slots of channels; loads behind stores of one global take tokens.

// A weight and its product go through channels; the buffer between two vector ops is private.
builtin.module {
  tg.global weight @w : !lowbit.packed<64x32, q4_0, kn 32> from "w"
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  // CHECK-DAG: stream.channel @x_1 from ld1 to [mxu] : 1 slots of 1024 in #tw.spm
  // CHECK-DAG: stream.channel @weights from ld to [mxu] : 1 slots of 576 in #tw.spm
  // CHECK-DAG: stream.channel @s from mxu to [vpu] : 1 slots of 512 in #tw.acc
  // CHECK-DAG: stream.channel @h from vpu to [st] : 1 slots of 512 in #tw.spm
  // CHECK-LABEL: func.func @product
  func.func @product() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c32 = arith.constant 32 : index
    %x = tile.buffer : memref<4x64xf32, #tw.spm>
    %s = tile.buffer : memref<4x32xf32, #tw.acc>
    // CHECK: [[X0:%.*]] = stream.acquire @x_1 on ld1
    // CHECK-NEXT: tile.load @x[0, 0] [4, 64] to [[X0]] on ld1
    // CHECK-NEXT: stream.commit [[X0]]
    tile.load @x[0, 0] [4, 64] to %x on ld1
    // CHECK-NEXT: [[X1:%.*]] = stream.wait @x_1 on mxu
    // CHECK-NEXT: [[S0:%.*]] = stream.acquire @s on mxu
    // CHECK-NEXT: scf.for
    scf.for %k = %c0 to %c2 step %c1 {
      %kx = arith.muli %k, %c32 : index
      %xk = memref.subview %x[0, %kx] [4, 32] [1, 1] : memref<4x64xf32, #tw.spm> to memref<4x32xf32, strided<[64, 1], offset: ?>, #tw.spm>
      %w = tile.buffer ring "weights" : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
      tile.load @w[0, %k] [1] to %w on ld
      // CHECK: [[XK:%.*]] = memref.subview [[X1]]
      // CHECK: [[W1:%.*]] = stream.wait @weights on mxu
      // CHECK-NEXT: tile.matmul [[XK]], [[W1]] into [[S0]] on mxu
      // CHECK-NEXT: stream.release [[W1]]
      tile.matmul %xk, %w into %s on mxu
    }
    // CHECK: stream.commit [[S0]]
    // CHECK-NEXT: stream.release [[X1]]
    // CHECK-NEXT: tile.buffer on vpu
    %t = tile.buffer : memref<4x32xf32, #tw.spm>
    %h = tile.buffer : memref<4x32xf32, #tw.spm>
    tile.vec sigmoid(%s) to %t on vpu
    tile.vec id(%t * %s) to %h on vpu
    tile.store %h to @y[0, 0] [4, 32] on st
    func.return
  }
}

// -----
// A row is stored and then loaded in each trip: one token a trip.
builtin.module {
  tg.global scratch @x : memref<1x32xf32, #tw.hbm>
  // CHECK: stream.channel @x_ready from st to [ld1] : tokens 1
  // CHECK-NOT: primed
  // CHECK-LABEL: func.func @store_load
  func.func @store_load() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    scf.for %i = %c0 to %c4 step %c1 {
      %a = tile.buffer : memref<1x32xf32, #tw.spm>
      tile.vec id(1.0) to %a on vpu
      // CHECK: tile.store
      // CHECK: stream.signal @x_ready on st
      tile.store %a to @x[0, 0] [1, 32] on st
      %b = tile.buffer : memref<1x32xf32, #tw.spm>
      %c = tile.buffer : memref<1x32xf32, #tw.spm>
      // CHECK: stream.await @x_ready on ld1
      // CHECK: tile.load
      tile.load @x[0, 0] [1, 32] to %b on ld1
      tile.vec id(%b) to %c on vpu
    }
    func.return
  }
}

// -----
// A trip loads what the one before stored, the first what the last launch stored: a primed token.
builtin.module {
  tg.global state @x : memref<1x32xf32, #tw.hbm>
  // CHECK: stream.channel @x_ready from st to [ld1] : tokens 2 primed 1
  // CHECK-LABEL: func.func @load_store
  func.func @load_store() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    // CHECK: scf.for
    scf.for %i = %c0 to %c4 step %c1 {
      %a = tile.buffer : memref<1x32xf32, #tw.spm>
      %b = tile.buffer : memref<1x32xf32, #tw.spm>
      // CHECK: stream.await @x_ready on ld1
      tile.load @x[0, 0] [1, 32] to %a on ld1
      tile.vec id(%a) to %b on vpu
      // CHECK: stream.signal @x_ready on st
      tile.store %b to @x[0, 0] [1, 32] on st
    }
    func.return
  }
}

// -----
// Each trip has rows of its own, and nothing is loaded behind a store: no token.
builtin.module {
  tg.global scratch @x : memref<4x32xf32, #tw.hbm>
  // CHECK-NOT: tokens
  // CHECK-LABEL: func.func @rows_apart
  // CHECK-NOT: stream.signal
  func.func @rows_apart() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    scf.for %i = %c0 to %c2 step %c1 {
      %r = arith.muli %i, %c2 : index
      %a = tile.buffer : memref<2x32xf32, #tw.spm>
      %b = tile.buffer : memref<2x32xf32, #tw.spm>
      tile.load @x[%r, 0] [2, 32] to %a on ld1
      tile.vec id(%a) to %b on vpu
      tile.store %b to @x[%r, 0] [2, 32] on st
    }
    func.return
  }
}

// -----
// Nothing crosses engines: only the owner is written down.
builtin.module {
  // CHECK-LABEL: func.func @alone
  // CHECK-NEXT: tile.buffer on vpu : memref<4xf32, #tw.spm>
  // CHECK-NEXT: tile.vec id(1.0) to %a on vpu
  // CHECK-NEXT: func.return
  func.func @alone() {
    %a = tile.buffer : memref<4xf32, #tw.spm>
    tile.vec id(1.0) to %a on vpu
    func.return
  }
}

// -----
// An owner that is written down stays.
builtin.module {
  // CHECK-LABEL: func.func @owned
  // CHECK-NEXT: %a = tile.buffer on vpu : memref<4xf32, #tw.spm>
  // CHECK-NEXT: tile.vec id(1.0) to %a on vpu
  // CHECK-NEXT: func.return
  func.func @owned() {
    %a = tile.buffer on vpu : memref<4xf32, #tw.spm>
    tile.vec id(1.0) to %a on vpu
    func.return
  }
}
