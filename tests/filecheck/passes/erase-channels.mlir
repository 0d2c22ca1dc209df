// RUN: tilewright-opt %s -p erase-channels --split-input-file | filecheck %s
// Slots become buffers with the ring's name, waits become the buffer that was written, engines go.

// A slot that is seen with another shape is reshaped; a token leaves nothing.
// CHECK-NOT: stream.
builtin.module {
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  tg.global output @y : memref<1x128xf32, #tw.hbm>
  stream.channel @in from ld to [vpu] : 2 slots of 512 in #tw.spm at 0
  stream.channel @out from vpu to [st] : 1 slots of 512 in #tw.spm at 1024
  stream.channel @done from st to [ld] : tokens 1 primed 1
  // CHECK: func.func @work
  func.func @work() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    // CHECK: scf.for %i
    scf.for %i = %c0 to %c2 step %c1 {
      // CHECK-NEXT: %in0 = tile.buffer ring "in" : memref<4x32xf32, #tw.spm>
      // CHECK-NEXT: tile.load @x[0, 0] [4, 32] to %in0{{$}}
      stream.await @done on ld
      %in0 = stream.acquire @in on ld : memref<4x32xf32, #tw.spm>
      tile.load @x[0, 0] [4, 32] to %in0 on ld
      stream.commit %in0
      // CHECK-NEXT: %in = tile.reshape %in0 : memref<1x128xf32, #tw.spm>
      %in = stream.wait @in on vpu : memref<1x128xf32, #tw.spm>
      // CHECK-NEXT: %half = tile.buffer : memref<1x128xf32, #tw.spm>
      %half = tile.buffer on vpu at 2048 : memref<1x128xf32, #tw.spm>
      // CHECK-NEXT: tile.vec id(%in * 0.5) to %half{{$}}
      tile.vec id(%in * 0.5) to %half on vpu
      stream.release %in
      // CHECK-NEXT: %out0 = tile.buffer ring "out" : memref<1x128xf32, #tw.spm>
      %out0 = stream.acquire @out on vpu : memref<1x128xf32, #tw.spm>
      // CHECK-NEXT: tile.vec exp(%half) to %out0{{$}}
      tile.vec exp(%half) to %out0 on vpu
      stream.commit %out0
      %out = stream.wait @out on st : memref<1x128xf32, #tw.spm>
      // CHECK-NEXT: tile.store %out0 to @y[0, 0] [1, 128]{{$}}
      tile.store %out to @y[0, 0] [1, 128] on st
      stream.release %out
      stream.signal @done on st
    }
    func.return
  }
}

// -----
// A program without channels is left alone.
builtin.module {
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  func.func @tiled() {
    // CHECK: %b = tile.buffer ring "rows" : memref<4x32xf32, #tw.spm>
    %b = tile.buffer ring "rows" : memref<4x32xf32, #tw.spm>
    // CHECK-NEXT: tile.load @x[0, 0] [4, 32] to %b
    tile.load @x[0, 0] [4, 32] to %b
    func.return
  }
}
