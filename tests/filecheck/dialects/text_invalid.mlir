// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What every text of this project's ops must hold to: operands, numbers, strings.

// CHECK: operand expected
tile.load @x[0] [4] to 5
// -----
// CHECK: SSA value used before assignment
tile.load @x[0] [4] to %b
// -----
// CHECK: an integer of at most 9223372036854775807 expected
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.load @x[0] [9223372036854775808] to %b
// -----
// CHECK: is no finite float32
%b = tile.buffer : memref<4xf32, #tw.spm>
tile.vec id(1.0e39) to %b
// -----
// CHECK: a string has no end in its line, or an unknown escape in it
tg.global weight @w : memref<4xf32, #tw.hbm> from "w
// -----
// CHECK: operand 0 is used before it is defined
%d = "arith.addi"(%c, %c) <{overflowFlags = #arith.overflow<none>}> : (index, index) -> index
%c = arith.constant 1 : index
