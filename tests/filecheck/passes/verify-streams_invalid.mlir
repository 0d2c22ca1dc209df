// RUN: tilewright-opt %s -p verify-streams --split-input-file --verify-diagnostics | filecheck %s
// What the rules of the streamed level refuse, one broken rule a module; the first is right.

// CHECK: stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @right() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  func.return
}
// -----
// expected-error @above {{the module has 2 functions; this check is for one sequential program, before project}}
func.func @ld() {
  func.return
}
func.func @vpu() {
  func.return
}
// -----
// expected-error @below {{@kv holds i4: two elements would share a byte, and two writers with them; pack along the head dimension into i8}}
tg.global state @kv : memref<4x8xi4, #tw.hbm>
func.func @half_bytes() {
  func.return
}
// -----
func.func @no_engine() {
  // expected-error @below {{a buffer of no engine; it is `on` one engine, or a slot}}
  %t = tile.buffer : memref<4xf32, #tw.spm>
  func.return
}
// -----
func.func @no_unit() {
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  // expected-error @below {{has no engine; assign-engines gives it one of kind vpu}}
  tile.vec id(1.0) to %t
  func.return
}
// -----
func.func @no_statement() {
  // expected-error @below {{not an operation of the streamed level; lower it first}}
  %c = arith.constant 1.0 : f32
  func.return
}
// -----
func.func @another_engine() {
  %t = tile.buffer on mxu : memref<4xf32, #tw.spm>
  // expected-error @below {{%t is a buffer of mxu, used on vpu; what crosses engines goes through a channel}}
  tile.vec id(1.0) to %t on vpu
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @another_type() {
  %a0 = stream.acquire @a on ld : memref<8xf32, #tw.spm>
  stream.commit %a0
  // expected-error @below {{sees 16 bytes of f32 in a slot of @a that was written as 32 bytes of f32; element type and bytes must agree}}
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @held_by_another() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  // expected-error @below {{slot %a0 of @a is held by ld, used on vpu; vpu must wait for it itself}}
  tile.vec id(%a0) to %t on vpu
  stream.commit %a0
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @ended() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  // expected-error @below {{slot %a of @a is used after its release; move the release behind the last use}}
  tile.vec id(%a) to %t on vpu
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @consumer_writes() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  // expected-error @below {{slot %a of @a is written by a consumer; other consumers may still read it: write to a buffer or to a channel of your own}}
  tile.vec id(1.0) to %a on vpu
  stream.release %a
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @early_wait() {
  // expected-error @below {{nothing is committed to @a before this wait of vpu; ld must commit earlier in the program, in a loop that surely runs as often}}
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @ended_twice() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  // expected-error @below {{commit of a slot of @a that ld does not hold}}
  stream.commit %a0
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 2 slots of 64 in #tw.spm
func.func @out_of_order() {
  %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %b = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  // expected-error @below {{@a is first in, first out: ld must commit an older slot before this one}}
  stream.commit %b
  stream.commit %a
  func.return
}
// -----
// expected-error @below {{@a ends with 1 slots that ld never committed; commit them}}
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @not_committed() {
  %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  func.return
}
// -----
// expected-error @below {{@a ends with slots that vpu never released; release them}}
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @not_released() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  func.return
}
// -----
// expected-error @below {{@a does not end as it began: 1 slots are left for vpu, 0 were primed; each launch must take as many as it commits}}
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @not_waited_for() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm
func.func @too_few_slots() {
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  // expected-error @below {{ring @a has 1 slots, and the program holds 2 at once: ld would wait for ever; declare at least 2 (size-rings does)}}
  %b0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %b0
  %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %a
  %b = stream.wait @a on vpu : memref<4xf32, #tw.spm>
  stream.release %b
  func.return
}
// -----
// A token that each trip adds: how many there are would depend on the trips.
stream.channel @t from st to [ld] : tokens 8
func.func @unequal() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{one trip changes @t: acquires 1, commits 1, ld waits 0, ld releases 0; all must grow alike and the same slots be held, else trip counts decide whether it blocks}}
  scf.for %i = %c0 to %c1 step %c1 {
    stream.signal @t on st
  }
  func.return
}
// -----
// Each trip takes a slot of 16 bytes and leaves one of 32 for the next.
stream.channel @a from ld to [vpu] : 2 slots of 64 in #tw.spm
func.func @seen_otherwise() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  stream.commit %a0
  // expected-error @below {{one trip changes how the slots of @a in flight are seen; write and see them all as one element type and size}}
  scf.for %i = %c0 to %c1 step %c1 {
    %a = stream.wait @a on vpu : memref<4xf32, #tw.spm>
    stream.release %a
    %b0 = stream.acquire @a on ld : memref<8xf32, #tw.spm>
    stream.commit %b0
  }
  func.return
}
// -----
func.func @carries() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{carries values between trips; keep them in a buffer declared outside}}
  %n = scf.for %i = %c0 to %c1 step %c1 iter_args(%m = %c0) -> (index) {
    scf.yield %m : index
  }
  func.return
}
// -----
func.func @begins_at_one() {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // expected-error @below {{a loop of this level runs from 0 by 1; scale the counter inside}}
  scf.for %i = %c1 to %c2 step %c1 {
  }
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
stream.channel @n from vpu to [st] : scalars 1 max 4
func.func @unknown_count() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tile.buffer on vpu : memref<4xi32, #tw.spm>
  %u = tile.buffer on ld : memref<4xf32, #tw.spm>
  stream.send %t[0] to @n on vpu
  %n = stream.recv @n
  // expected-error @below {{ld has operations in the loop but does not receive its count; add it to the channel's consumers}}
  scf.for %i = %c0 to %n step %c1 {
    tile.load @x[0] [4] to %u on ld
  }
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm>
stream.channel @n from vpu to [st] : scalars 1 max 4
func.func @unknown_offset() {
  %t = tile.buffer on vpu : memref<4xi32, #tw.spm>
  %u = tile.buffer on ld : memref<1xf32, #tw.spm>
  stream.send %t[0] to @n on vpu
  %n = stream.recv @n
  // expected-error @below {{%n comes from a channel that ld does not receive; add it to the channel's consumers}}
  tile.load @x[%n] [1] to %u on ld
  func.return
}
// -----
func.func @no_slot(%b : memref<4xf32, #tw.spm>) {
  // expected-error @below {{an operand is neither a slot, a buffer or a global, nor part of one}}
  tile.vec id(1.0) to %b on vpu
  func.return
}
