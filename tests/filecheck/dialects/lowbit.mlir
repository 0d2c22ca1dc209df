// RUN: tilewright-opt %s | tilewright-opt | filecheck %s
// RUN: tilewright-opt %s --print-op-generic | tilewright-opt | filecheck %s
// Packed parameters, and the tiles of them that slots hold.

// CHECK: tg.global weight @unchosen : !lowbit.packed<64x96, q4_1, kn> from "w"
tg.global weight @unchosen : !lowbit.packed<64x96, q4_1, kn> from "w"
// CHECK-NEXT: tg.global weight @layers : !lowbit.packed<2x576x100, i4_g64, kn 32> from "w"
tg.global weight @layers : !lowbit.packed<2x576x100, i4_g64, kn 32> from "w"
// CHECK-NEXT: tg.global weight @rows : !lowbit.packed<64x100, q8_0, nk> from "w"
tg.global weight @rows : !lowbit.packed<64x100, q8_0, nk> from "w"
// CHECK-NEXT: tg.global weight @dense : !lowbit.packed<64x100, bf16, kn 48> from "w"
tg.global weight @dense : !lowbit.packed<64x100, bf16, kn 48> from "w"
// CHECK-NEXT: %w = tile.buffer : memref<!lowbit.tile<64x32, q4_1, kn>, #tw.spm>
%w = tile.buffer : memref<!lowbit.tile<64x32, q4_1, kn>, #tw.spm>
// CHECK-NEXT: %e = tile.buffer : memref<!lowbit.tile<4x64, q8_0, nk>, #tw.spm>
%e = tile.buffer : memref<!lowbit.tile<4x64, q8_0, nk>, #tw.spm>
