// RUN: tilewright-opt %s -p erase-channels --split-input-file --verify-diagnostics | filecheck %s
// Streamed programs that have no tiled form; the first has one.

// CHECK: tile.buffer : memref<4xf32, #tw.spm>
func.func @right() {
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  func.return
}
// -----
// expected-error @below {{@n carries counts made by the program, which the tiled level cannot say; run it as it is}}
stream.channel @n from vpu to [ld] : scalars 1 max 4
func.func @counts() {
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @early_wait() {
  // expected-error @below {{nothing is committed to @a before this wait; verify-streams says why}}
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  func.return
}
// -----
// Each trip waits for what the one before committed.
stream.channel @a from ld to [vpu] : 2 slots of 64 in #tw.spm
func.func @skewed() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  // expected-error @below {{a slot of @a crosses from trip to trip (skew); no buffer of the tiled level stands for it: run the skewed program as it is}}
  scf.for %i = %c0 to %c2 step %c1 {
    %b0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
    stream.commit %b0
    %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
    stream.release %a
  }
  %b = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %b
  func.return
}
