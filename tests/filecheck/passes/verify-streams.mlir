// RUN: tilewright-opt %s -p 'verify-streams{rings-sized=false}' | filecheck %s
// The pass checks and changes nothing. What it refuses, and how, is in verify-streams_invalid.mlir.

builtin.module {
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  // Two slots are held at once; before size-rings the declared one is enough.
  // CHECK: stream.channel @in from ld to [st] : 1 slots of 512 in #tw.spm
  stream.channel @in from ld to [st] : 1 slots of 512 in #tw.spm
  func.func @work() {
    // CHECK: %a0 = stream.acquire @in on ld
    %a0 = stream.acquire @in on ld : memref<4x32xf32, #tw.spm>
    tile.load @x[0, 0] [4, 32] to %a0 on ld
    stream.commit %a0
    %b0 = stream.acquire @in on ld : memref<4x32xf32, #tw.spm>
    tile.load @x[0, 0] [4, 32] to %b0 on ld
    stream.commit %b0
    // CHECK: %a = stream.wait @in on st
    %a = stream.wait @in on st : memref<4x32xf32, #tw.spm>
    tile.store %a to @y[0, 0] [4, 32] on st
    // CHECK: stream.release %a
    stream.release %a
    %b = stream.wait @in on st : memref<4x32xf32, #tw.spm>
    stream.release %b
    func.return
  }
}
