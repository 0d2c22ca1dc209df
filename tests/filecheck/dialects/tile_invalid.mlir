// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the tile dialect refuses: buffers, boxes, rows, parts.

// CHECK: tile.buffer: a buffer lives in #tw.spm or #tw.acc, not memref<4xf32, #tw.hbm>
%b = tile.buffer : memref<4xf32, #tw.hbm>
// -----
// CHECK: tile.buffer: a buffer has static sizes and no gaps, not memref<?xf32, #tw.spm>
%b = tile.buffer : memref<?xf32, #tw.spm>
// -----
// CHECK: tile.buffer: a buffer has static sizes and no gaps, not memref<4x4xf32, strided<[8, 1]>, #tw.spm>
%b = tile.buffer : memref<4x4xf32, strided<[8, 1]>, #tw.spm>
// -----
// CHECK: tile.buffer: a packed tile is a memref without axes
%b = tile.buffer : memref<2x!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
// -----
// CHECK: tile.buffer: index is no element of a memref: f32, f16, bf16, integer, tile
%b = tile.buffer : memref<4xindex, #tw.spm>
// -----
// CHECK: tile.buffer: a buffer is a slot of a ring or private to an engine, not both
%b = tile.buffer ring "r" on vpu : memref<4xf32, #tw.spm>
// -----
// CHECK: tile.buffer: a private buffer in #tw.acc belongs to mxu
%b = tile.buffer on vpu : memref<4xf32, #tw.acc>
// -----
// CHECK: no engine is named 'gpu': ld, ld1, .., st, mxu, vpu
%b = tile.buffer on gpu : memref<4xf32, #tw.spm>
// -----
// CHECK: tile.load: tile.load runs on ld, not on st
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0] [4] to %b on st
// -----
// CHECK: tile.load: 2 offsets and 1 sizes: one of each per axis
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0, 0] [4] to %b
// -----
// CHECK: tile.load: a box has 1 to 5 axes, not 6
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0, 0, 0, 0, 0, 0] [1, 1, 1, 1, 1, 4] to %b
// -----
// CHECK: tile.load: box [4, 8] does not fit a slot of [2, 8]
%b = tile.buffer : memref<2x8xf32, #tw.spm>
tile.load @x[0, 0] [4, 8] to %b
// -----
// CHECK: tile.load: no global is named @x
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0] [4] to %b
// -----
// CHECK: tile.load: @x has no bytes yet: tensor<4xf32>
tg.global input @x : tensor<4xf32>
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0] [4] to %b
// -----
// CHECK: tile.load: @x holds f32, not bf16
tg.global input @x : memref<4xf32, #tw.hbm>
%b = tile.buffer : memref<4xbf16, #tw.spm>
tile.load @x[0] [4] to %b
// -----
// CHECK: tile.load: @x has 1 axes, not 2
tg.global input @x : memref<4xf32, #tw.hbm>
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0, 0] [1, 4] to %b
// -----
// CHECK: tile.load: axis 0: 4 from 2 on is not inside the 4 of @x
tg.global input @x : memref<4xf32, #tw.hbm>
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[2] [4] to %b
// -----
// CHECK: tile.load: a packed run has one size, K blocks (kn) or rows (nk), not [1, 1]
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.load @w[0, 0] [1, 1] to %b
// -----
// CHECK: tile.load: a run of 2 does not fit a slot of 1
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.load @w[0, 0] [2] to %b
// -----
// CHECK: tile.load: @w holds !lowbit.packed<64x32, q4_1, kn 16>, not !lowbit.tile<32x16, q4_0, kn>
tg.global weight @w : !lowbit.packed<64x32, q4_1, kn 16> from "w"
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.load @w[0, 0] [1] to %b
// -----
// CHECK: tile.load: !lowbit.packed<2x64x32, q4_0, kn 16> takes 3 indices, not 2
tg.global weight @w : !lowbit.packed<2x64x32, q4_0, kn 16> from "w"
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.load @w[0, 0] [1] to %b
// -----
// CHECK: tile.load: a panel of 16 is not 32 wide
tg.global weight @w : !lowbit.packed<64x32, q4_0, kn 16> from "w"
%b = tile.buffer : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
tile.load @w[0, 0] [1] to %b
// -----
// CHECK: tile.load: index 2 is not below 2
tg.global weight @w : !lowbit.packed<64x32, q4_0, kn 16> from "w"
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.load @w[2, 0] [1] to %b
// -----
// CHECK: tile.load: a run of 2 is not inside the 2 of @w
tg.global weight @w : !lowbit.packed<64x32, q4_0, kn 16> from "w"
%b = tile.buffer : memref<!lowbit.tile<64x16, q4_0, kn>, #tw.spm>
tile.load @w[0, 1] [2] to %b
// -----
// CHECK: tile.load: rows of 64 do not fit rows of 32
tg.global weight @w : !lowbit.packed<64x32, q4_0, nk> from "w"
%b = tile.buffer : memref<!lowbit.tile<4x32, q4_0, nk>, #tw.spm>
tile.load @w[0] [4] to %b
// -----
// CHECK: tile.store: packed tiles are only loaded
%b = tile.buffer : memref<!lowbit.tile<4x32, q4_0, nk>, #tw.spm>
tile.store %b to @w[0] [4]
// -----
// CHECK: tile.store: @x is not written: its role is input
tg.global input @x : memref<4xf32, #tw.hbm>
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.store %b to @x[0] [4]
// -----
// CHECK: a gather has one first row and one number of rows
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0, 0]] [4] to %b
// -----
// CHECK: tile.gather: rows are gathered from nk packings, not from kn panels
%b = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: gathered rows need a slot of 2 axes, not [4]
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: 8 rows do not fit a slot of 4
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0]] [8] to %b
// -----
// CHECK: tile.gather: @x has 3 axes, wanted 2: its rows
tg.global input @i : memref<4xi32, #tw.hbm>
tg.global input @x : memref<2x4x64xf32, #tw.hbm>
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: @x has rows of 32, the slot of 64
tg.global input @i : memref<4xi32, #tw.hbm>
tg.global input @x : memref<4x32xf32, #tw.hbm>
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: @x holds memref<4x64xbf16, #tw.hbm>, not f32
tg.global input @i : memref<4xi32, #tw.hbm>
tg.global input @x : memref<4x64xbf16, #tw.hbm>
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: @x holds !lowbit.packed<64x8, q8_0, nk>, not !lowbit.tile<4x64, q4_0, nk>
tg.global input @i : memref<4xi32, #tw.hbm>
tg.global weight @x : !lowbit.packed<64x8, q8_0, nk> from "x"
%b = tile.buffer : memref<!lowbit.tile<4x64, q4_0, nk>, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.gather: @x has rows of 32, the slot of 64
tg.global input @i : memref<4xi32, #tw.hbm>
tg.global input @x : memref<4x32xf32, #tw.hbm>
%b = tile.buffer : memref<4x64xf32, #tw.spm>
tile.gather @x[@i[0]] [4] to %b
// -----
// CHECK: tile.reshape: a reshape needs bytes without gaps
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[0, 0] [4, 4] [1, 1] : memref<4x8xf32, #tw.spm> to memref<4x4xf32, strided<[8, 1]>, #tw.spm>
%r = tile.reshape %p : memref<16xf32, #tw.spm>
// -----
// CHECK: tile.reshape: a reshape keeps the bytes: 128 to 64
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%r = tile.reshape %b : memref<16xf32, #tw.spm>
// -----
// CHECK: tile.reshape: a reshape keeps element and memory space
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%r = tile.reshape %b : memref<32xf32, #tw.acc>
// -----
// CHECK: tile.reshape: a reshape keeps the offset: 8 to 0
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[1, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1], offset: 8>, #tw.spm>
%r = tile.reshape %p : memref<16xf32, #tw.spm>
// -----
// CHECK: memref.subview: axis 0: 4 from 2 on is not inside the 4 of memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[2, 0] [4, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<4x8xf32, strided<[8, 1], offset: 16>, #tw.spm>
// -----
// CHECK: memref.subview: a part has static sizes and strides of 1; run-time sizes are bounds
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[0, 0] [2, 8] [2, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[16, 1]>, #tw.spm>
// -----
// CHECK: memref.subview: a part keeps element and memory space
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[0, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1]>, #tw.acc>
// -----
// CHECK: memref.subview: sizes and strides of memref<2x8xf32, strided<[4, 1]>, #tw.spm> are not those of the part
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[0, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[4, 1]>, #tw.spm>
// -----
// CHECK: memref.subview: the part starts at 8, its type says 0
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[1, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to memref<2x8xf32, strided<[8, 1]>, #tw.spm>
// -----
// CHECK: tile.load: 0 values for 1 marks of one
%b = tile.buffer : memref<8xf32, #tw.spm>
"tile.load"(%b) <{symbol = @x, static_offsets = array<i64: 0>, static_sizes = array<i64: -9223372036854775808>, operandSegmentSizes = array<i32: 0, 0, 1>}> : (memref<8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.load: found -1, wanted integers from 0
%b = tile.buffer : memref<8xf32, #tw.spm>
"tile.load"(%b) <{symbol = @x, static_offsets = array<i64: -1>, static_sizes = array<i64: 8>, operandSegmentSizes = array<i32: 0, 0, 1>}> : (memref<8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.part: a part of a global lies in #tw.spm, not in memref<4xf32, #tw.acc>
%p = tile.part @x[0] [4] : memref<4xf32, #tw.acc>
// -----
// CHECK: tile.part: where a part lies is known at run time, offset: ?, not memref<4xf32, #tw.spm>
%p = tile.part @x[0] [4] : memref<4xf32, #tw.spm>
// -----
// CHECK: tile.part: box [4, 8] does not fit memref<2x8xf32
%p = tile.part @x[0, 0] [4, 8] : memref<2x8xf32, strided<[8, 1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.part: a part has an offset and a size for each axis of its global
%p = tile.part @x[0] [4, 8] : memref<4x8xf32, strided<[8, 1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.part: @x lies in main memory, where no unit works
tg.global input @x : memref<4xf32, #tw.hbm>
%p = tile.part @x[0] [4] : memref<4xf32, strided<[1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.part: @x holds f32, not bf16
tg.global input @x : memref<4xf32, #tw.spm>
%p = tile.part @x[0] [4] : memref<4xbf16, strided<[1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.part: axis 0: 4 from 2 on is not inside the 4 of @x
tg.global input @x : memref<4xf32, #tw.spm>
%p = tile.part @x[2] [4] : memref<4xf32, strided<[1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.part: axis 0 steps by 4, @x by 8 there
tg.global input @x : memref<4x8xf32, #tw.spm>
%p = tile.part @x[0, 0] [4, 4] : memref<4x4xf32, strided<[4, 1], offset: ?>, #tw.spm>
// -----
// CHECK: tile.reshape: a reshape needs bytes without gaps
%b = tile.buffer : memref<4x8xf32, #tw.spm>
%p = memref.subview %b[0, 0] [4, 4] [1, 1] : memref<4x8xf32, #tw.spm> to memref<4x4xf32, strided<[8, 1]>, #tw.spm>
%r = tile.reshape %p : memref<4x2x2xf32, strided<[4, 2, 1]>, #tw.spm>
// -----
// CHECK: the strides of memref<4x4xf32, strided<[?, 1]>, #tw.spm> are not static
%b = tile.buffer : memref<4x4xf32, #tw.spm>
%p = memref.subview %b[0, 0] [4, 4] [1, 1] : memref<4x4xf32, #tw.spm> to memref<4x4xf32, strided<[?, 1]>, #tw.spm>
