// RUN: tilewright-opt %s -p verify-streams --disable-verify --split-input-file --verify-diagnostics | filecheck %s
// The pass trusts no verifier: what these refuse in a declaration and an op, it refuses too.

// CHECK: func.func @right
func.func @right() {
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @read_only() {
  %t = tile.buffer on st : memref<4xf32, #tw.spm>
  // expected-error @below {{writes @x of role input; only state, scratch and output are written}}
  tile.store %t to @x[0] [4] on st
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @no_consumer() {
  // expected-error @below {{mxu is no consumer of @a, which goes to vpu; add it there}}
  %a = stream.wait @a on mxu : memref<4xf32, #tw.spm>
  stream.release %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @no_producer() {
  // expected-error @below {{@a is filled by ld, not by ld1; a channel has one producer, give ld1 a channel of its own}}
  %a = stream.acquire @a on ld1 : memref<4xf32, #tw.spm>
  stream.commit %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @too_large() {
  // expected-error @below {{256 bytes do not fit a slot of @a of 64; make the channel's slots larger}}
  %a = stream.acquire @a on ld : memref<64xf32, #tw.spm>
  stream.commit %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @elsewhere() {
  // expected-error @below {{sees #tw.acc, but @a lies in #tw.spm}}
  %a = stream.wait @a on vpu : memref<4xf32, #tw.acc>
  stream.release %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @ended_elsewhere() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  scf.for %i = %c0 to %c1 step %c1 {
    // expected-error @below {{must stand in the block of its acquire or wait; move it there}}
    stream.commit %a
  }
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
func.func @no_global() {
  %t = tile.buffer on ld : memref<4xf32, #tw.spm>
  // expected-error @below {{names @y, which is not declared; declare it with tg.global}}
  tile.load @y[0] [4] to %t on ld
  func.return
}
// -----
func.func @no_channel() {
  // expected-error @below {{names @a, which is not declared; declare it with stream.channel}}
  %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @another_kind() {
  // expected-error @below {{@a is a channel of kind slot; want token}}
  stream.await @a on vpu
  func.return
}
// -----
func.func @used_early() {
  // expected-error @below {{uses %c before it is defined, or outside the loop that defines it; move the definition up}}
  %d = "arith.addi"(%c, %c) <{overflowFlags = #arith.overflow<none>}> : (index, index) -> index
  %c = arith.constant 1 : index
  func.return
}
