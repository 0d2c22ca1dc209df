// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the types of the lowbit dialect refuse.

// CHECK: no format is named 'q9_9': f32, f16
tg.global weight @w : !lowbit.packed<64x96, q9_9, kn 32> from "w"
// -----
// CHECK: no packed order is named 'mn': kn, nk
tg.global weight @w : !lowbit.packed<64x96, q4_1, mn> from "w"
// -----
// CHECK: a packed shape is [layers x] K x N, all positive, not (64,)
tg.global weight @w : !lowbit.packed<64, q4_1, kn> from "w"
// -----
// CHECK: nk rows have no panels
tg.global weight @w : !lowbit.packed<64x96, q4_1, nk 32> from "w"
// -----
// CHECK: a panel of 24 columns is no multiple of 16
tg.global weight @w : !lowbit.packed<64x96, q4_1, kn 24> from "w"
// -----
// CHECK: a tile is K x W or N x K, all positive, not (64, 0)
%w = tile.buffer : memref<!lowbit.tile<64x0, q4_1, kn>, #tw.spm>
// -----
// CHECK: K = 48 holds no whole blocks of 32 of q4_1
%w = tile.buffer : memref<!lowbit.tile<48x32, q4_1, kn>, #tw.spm>
// -----
// CHECK: a panel of 24 columns is no multiple of 16
%w = tile.buffer : memref<!lowbit.tile<64x24, q4_1, kn>, #tw.spm>
// -----
// CHECK: the bytes of kn panels are known once their width is chosen
tg.global weight @w : !lowbit.packed<64x96, q4_1, kn> from "w"
%w = tile.buffer : memref<!lowbit.tile<64x32, q4_1, kn>, #tw.spm>
tile.load @w[0, 0] [1] to %w
