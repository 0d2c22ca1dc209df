// RUN: tilewright-opt %s -p skew --split-input-file --verify-diagnostics | filecheck %s
// Loops that carry a hint and cannot become a pipeline; the first has none.

// CHECK: func.func @right
func.func @right() {
  func.return
}
// -----
func.func @no_cuts() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{tile.skew is a number of cuts >= 1, not 0}}
  scf.for %i = %c0 to %c1 step %c1 {
  } {tile.skew = 0 : i64}
  func.return
}
// -----
func.func @no_product() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{tile.skew = 1 wants as many products of mxu that vpu uses, this loop has 0; lower tile.skew}}
  scf.for %i = %c0 to %c1 step %c1 {
  } {tile.skew = 1 : i64}
  func.return
}
// -----
stream.channel @t from st to [ld] : tokens 1
func.func @token() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %c1 step %c1 {
    // expected-error @below {{a loop with tokens or scalars cannot be skewed}}
    stream.signal @t on st
    stream.await @t on ld
  } {tile.skew = 1 : i64}
  func.return
}
// -----
stream.channel @s from mxu to [vpu] : 2 slots of 64 in #tw.acc
func.func @from_before() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s0 = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
  stream.commit %s0
  scf.for %i = %c0 to %c1 step %c1 {
    // expected-error @below {{this slot was not acquired in the same trip}}
    %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    stream.release %u
    %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    stream.commit %s
  } {tile.skew = 1 : i64}
  func.return
}
// -----
tg.global scratch @x : memref<4x32xf32, #tw.hbm>
func.func @loaded_and_stored() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tile.buffer on ld : memref<1x32xf32, #tw.spm>
  %b = tile.buffer on st : memref<1x32xf32, #tw.spm>
  // expected-error @below {{@x is loaded and stored in this loop}}
  scf.for %i = %c0 to %c1 step %c1 {
    tile.load @x[%i, 0] [1, 32] to %a on ld
    tile.store %b to @x[%i, 0] [1, 32] on st
  } {tile.skew = 1 : i64}
  func.return
}
// -----
// What the vector unit makes of the first product goes into the second.
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
func.func @second_slot() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
  %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  scf.for %i = %c0 to %c1 step %c1 {
    %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    tile.matmul %x, %x transposed into %s on mxu
    stream.commit %s
    %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    tile.vec id(%u) to %sum on vpu
    stream.release %u
    // expected-error @below {{a second slot, of @s, would cross; lower tile.skew}}
    %s1 = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    tile.matmul %x, %x transposed into %s1 on mxu
    stream.commit %s1
    %u1 = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    tile.vec id(%u1 * %sum) to %sum on vpu
    stream.release %u1
  } {tile.skew = 1 : i64}
  func.return
}
// -----
// The first stage writes, a trip ahead, what the second reads.
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
func.func @written_again() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
  %t = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  scf.for %i = %c0 to %c1 step %c1 {
    tile.vec id(2.0) to %t on vpu
    %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    tile.matmul %x, %x transposed into %s on mxu
    stream.commit %s
    %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    // expected-error @below {{%t would be read when the next trip has written it again; lower tile.skew, or declare the buffer inside the loop}}
    tile.vec id(%u * %t) to %sum on vpu
    stream.release %u
  } {tile.skew = 1 : i64}
  func.return
}
// -----
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
func.func @part() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
  %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  scf.for %i = %c0 to %c1 step %c1 {
    %t = tile.buffer on vpu : memref<1x4xf32, #tw.spm>
    tile.vec id(2.0) to %t on vpu
    %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    tile.matmul %x, %x transposed into %s on mxu
    stream.commit %s
    %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    // expected-error @below {{a part of %t would cross trips; lower tile.skew, or use the whole buffer}}
    %p = memref.subview %t[0, 0] [1, 1] [1, 1] : memref<1x4xf32, #tw.spm> to memref<1x1xf32, strided<[4, 1]>, #tw.spm>
    tile.vec id(%u * %p) to %sum on vpu
    stream.release %u
  } {tile.skew = 1 : i64}
  func.return
}
// -----
// With two cuts the second product would have to wait for the first one's sum, and does not.
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
stream.channel @o from mxu to [vpu] : 1 slots of 64 in #tw.acc
stream.channel @p from vpu to [mxu] : 1 slots of 64 in #tw.spm
func.func @too_many() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
  %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  scf.for %i = %c0 to %c1 step %c1 {
    %p0 = stream.acquire @p on vpu : memref<1x1xf32, #tw.spm>
    tile.vec id(%sum) to %p0 on vpu
    stream.commit %p0
    %p = stream.wait @p on mxu : memref<1x1xf32, #tw.spm>
    %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
    tile.matmul %p, %p into %s on mxu
    stream.commit %s
    stream.release %p
    // expected-error @below {{the product needs what the vector unit makes of the one before; lower tile.skew}}
    %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
    tile.vec id(%u * %sum) to %sum on vpu
    stream.release %u
  } {tile.skew = 1 : i64}
  func.return
}
// -----
// The inner pipeline's buffer belongs to all tasks.
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
func.func @tasks_share() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tile.buffer on mxu : memref<1x4xf32, #tw.spm>
  %sum = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
  // expected-error @below {{stages [0, 1] of different tasks would use %sum at once; drop tile.overlap, or declare the buffer inside the loop}}
  scf.for %j = %c0 to %c1 step %c1 {
    tile.vec id(0.0) to %sum on vpu
    scf.for %i = %c0 to %c1 step %c1 {
      %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
      tile.matmul %x, %x transposed into %s on mxu
      stream.commit %s
      %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
      tile.vec id(%u * %sum) to %sum on vpu
      stream.release %u
    } {tile.skew = 1 : i64}
  } {tile.overlap}
  func.return
}
// -----
stream.channel @s from mxu to [vpu] : 1 slots of 64 in #tw.acc
stream.channel @a from vpu to [mxu] : 1 slots of 64 in #tw.spm
func.func @part_of_a_task() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %j = %c0 to %c1 step %c1 {
    %t = tile.buffer on vpu : memref<1x4xf32, #tw.spm>
    // expected-error @below {{a part of %t would cross tasks; drop tile.overlap, or use the whole buffer}}
    %p = memref.subview %t[0, 0] [1, 1] [1, 1] : memref<1x4xf32, #tw.spm> to memref<1x1xf32, strided<[4, 1]>, #tw.spm>
    scf.for %i = %c0 to %c1 step %c1 {
      %a0 = stream.acquire @a on vpu : memref<1x1xf32, #tw.spm>
      tile.vec id(%p) to %a0 on vpu
      stream.commit %a0
      %a = stream.wait @a on mxu : memref<1x1xf32, #tw.spm>
      %s = stream.acquire @s on mxu : memref<1x1xf32, #tw.acc>
      tile.matmul %a, %a into %s on mxu
      stream.commit %s
      stream.release %a
      %u = stream.wait @s on vpu : memref<1x1xf32, #tw.acc>
      %v = tile.buffer on vpu : memref<1x1xf32, #tw.spm>
      tile.vec id(%u * %p) to %v on vpu
      stream.release %u
    } {tile.skew = 1 : i64}
  } {tile.overlap}
  func.return
}
