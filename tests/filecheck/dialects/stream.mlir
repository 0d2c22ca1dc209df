// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | tilewright-opt | filecheck %s
// Every op of the stream dialect prints as it is read.

// CHECK: stream.channel @w from ld to [mxu, vpu] : 4 slots of 576 in #tw.spm at 2048
stream.channel @w from ld to [mxu, vpu] : 4 slots of 576 in #tw.spm at 2048
// CHECK-NEXT: stream.channel @s from mxu to [vpu] : 2 slots of 512 in #tw.acc
stream.channel @s from mxu to [vpu] : 2 slots of 512 in #tw.acc
// CHECK-NEXT: stream.channel @appended from st to [ld2] : tokens 2 primed 1
stream.channel @appended from st to [ld2] : tokens 2 primed 1
// CHECK-NEXT: stream.channel @t from st to [ld] : tokens 1
stream.channel @t from st to [ld] : tokens 1
// CHECK-NEXT: stream.channel @n from vpu to [ld, vpu] : scalars 2 max 6 at 64
stream.channel @n from vpu to [ld, vpu] : scalars 2 max 6 at 64
%c0 = arith.constant 0 : index
%table = tile.buffer on vpu : memref<1x4xi32, #tw.spm>
// CHECK: %w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
%w0 = stream.acquire @w on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
// CHECK-NEXT: stream.commit %w0
stream.commit %w0
// CHECK-NEXT: %w = stream.wait @w on mxu : memref<4x32xf32, #tw.spm>
%w = stream.wait @w on mxu : memref<4x32xf32, #tw.spm>
// CHECK-NEXT: stream.release %w
stream.release %w
// CHECK-NEXT: stream.signal @appended on st
stream.signal @appended on st
// CHECK-NEXT: stream.await @appended on ld2
stream.await @appended on ld2
// CHECK-NEXT: stream.send %table[0, %c0] to @n on vpu
stream.send %table[0, %c0] to @n on vpu
// CHECK-NEXT: %n = stream.recv @n
%n = stream.recv @n
