// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the stream dialect refuses in one op, or between an op and its channel.

// CHECK: stream.channel: consumers are distinct and at least one, not ['mxu', 'mxu']
stream.channel @w from ld to [mxu, mxu] : 1 slots of 64 in #tw.spm
// -----
// CHECK: stream.channel: a channel has at least 1 slot
stream.channel @w from ld to [mxu] : 0 slots of 64 in #tw.spm
// -----
// CHECK: stream.channel: a slot has bytes, in #tw.spm or #tw.acc
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.hbm
// -----
// CHECK: stream.channel: vpu has no channel to itself: use a buffer
stream.channel @w from vpu to [vpu] : 1 slots of 64 in #tw.spm
// -----
// CHECK: stream.channel: only mxu fills #tw.acc, not ld
stream.channel @w from ld to [vpu] : 1 slots of 64 in #tw.acc
// -----
// CHECK: stream.channel: mxu fills #tw.acc, not #tw.spm
stream.channel @w from mxu to [vpu] : 1 slots of 64 in #tw.spm
// -----
// CHECK: stream.channel: a store queue fills no slots
stream.channel @w from st to [vpu] : 1 slots of 64 in #tw.spm
// -----
// CHECK: stream.channel: more tokens are primed than there is room for
stream.channel @t from st to [ld] : tokens 1 primed 2
// -----
// CHECK: stream.channel: a token has no address
"stream.channel"() <{sym_name = "t", producer = #tw.engine<st>, consumers = [#tw.engine<ld>], kind = "token", slots = #builtin.int<1>, at = #builtin.int<64>}> : () -> ()
// -----
// CHECK: stream.channel: a channel of kind 'scalar' does not take these fields
"stream.channel"() <{sym_name = "t", producer = #tw.engine<st>, consumers = [#tw.engine<ld>], kind = "scalar", slots = #builtin.int<1>}> : () -> ()
// -----
// CHECK: stream.acquire: a slot lives in #tw.spm or #tw.acc, not memref<4xf32, #tw.hbm>
%w = stream.acquire @w on ld : memref<4xf32, #tw.hbm>
// -----
// CHECK: stream.acquire: a slot has static sizes and no gaps, not memref<?xf32, #tw.spm>
%w = stream.acquire @w on ld : memref<?xf32, #tw.spm>
// -----
// CHECK: stream.acquire: no channel is named @w
%w = stream.acquire @w on ld : memref<4xf32, #tw.spm>
// -----
// CHECK: stream.acquire: @w is filled by ld, not by ld1
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
%w = stream.acquire @w on ld1 : memref<4xf32, #tw.spm>
// -----
// CHECK: stream.wait: vpu is no consumer of @w
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
%w = stream.wait @w on vpu : memref<4xf32, #tw.spm>
// -----
// CHECK: stream.wait: @w lies in #tw.spm, not memref<4xf32, #tw.acc>
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
%w = stream.wait @w on mxu : memref<4xf32, #tw.acc>
// -----
// CHECK: stream.wait: 80 bytes do not fit a slot of 64 of @w
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
%w = stream.wait @w on mxu : memref<20xf32, #tw.spm>
// -----
// CHECK: stream.wait: @t has no slots but is a token
stream.channel @t from st to [ld] : tokens 1
%w = stream.wait @t on ld : memref<20xf32, #tw.spm>
// -----
// CHECK: stream.commit: stream.commit ends a slot of stream.acquire
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
%w = stream.wait @w on mxu : memref<4xf32, #tw.spm>
stream.commit %w
// -----
// CHECK: stream.release: stream.release stands in the block of its stream.wait
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
func.func @f() {
  %c0 = arith.constant 0 : index
  %w = stream.wait @w on mxu : memref<4xf32, #tw.spm>
  scf.for %i = %c0 to %c0 step %c0 {
    stream.release %w
  }
  func.return
}
// -----
// CHECK: stream.signal: @w has no tokens but is a slot
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
stream.signal @w on ld
// -----
// CHECK: stream.await: st is no consumer of @t
stream.channel @t from st to [ld] : tokens 1
stream.await @t on st
// -----
// CHECK: stream.send: a scalar is sent from i32, not f32
%b = tile.buffer : memref<4xf32, #tw.spm>
stream.send %b[0] to @n on vpu
// -----
// CHECK: stream.send: 2 offsets for 1 axes
%b = tile.buffer : memref<4xi32, #tw.spm>
stream.send %b[0, 0] to @n on vpu
// -----
// CHECK: stream.recv: @t has no scalars but is a token
stream.channel @t from st to [ld] : tokens 1
%n = stream.recv @t
