// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the tile dialect refuses: the ops of the matrix and the vector unit.

// CHECK: tile.matmul: acc lives in #tw.acc, not memref<4x8xf32, #tw.spm>
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%w = tile.buffer : memref<8x8xf32, #tw.spm>
tile.matmul %a, %w into %a
// -----
// CHECK: tile.matmul: a lives in #tw.spm, not memref<4x8xf32, #tw.acc>
%a = tile.buffer : memref<4x8xf32, #tw.acc>
%w = tile.buffer : memref<8x8xf32, #tw.spm>
tile.matmul %a, %w into %a
// -----
// CHECK: tile.matmul: a holds f32 or bf16, not i8
%a = tile.buffer : memref<4x8xi8, #tw.spm>
%w = tile.buffer : memref<8x8xf32, #tw.spm>
%s = tile.buffer : memref<4x8xf32, #tw.acc>
tile.matmul %a, %w into %s
// -----
// CHECK: tile.matmul: acc holds f32, not bf16
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%w = tile.buffer : memref<8x8xf32, #tw.spm>
%s = tile.buffer : memref<4x8xbf16, #tw.acc>
tile.matmul %a, %w into %s
// -----
// CHECK: tile.matmul: a matmul has operands of 2 axes, not (1, 4, 8), (8, 8), (4, 8)
%a = tile.buffer : memref<1x4x8xf32, #tw.spm>
%w = tile.buffer : memref<8x8xf32, #tw.spm>
%s = tile.buffer : memref<4x8xf32, #tw.acc>
tile.matmul %a, %w into %s
// -----
// CHECK: tile.matmul: shapes [4, 8] x [8, 4] transposed do not give [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%w = tile.buffer : memref<8x4xf32, #tw.spm>
%s = tile.buffer : memref<4x8xf32, #tw.acc>
tile.matmul %a, %w transposed into %s
// -----
// CHECK: tile.matmul: shapes [4, 32] x [64, 16] do not give [4, 16]
%a = tile.buffer : memref<4x32xf32, #tw.spm>
%w = tile.buffer : memref<!lowbit.tile<64x16, q4_0, kn>, #tw.spm>
%s = tile.buffer : memref<4x16xf32, #tw.acc>
tile.matmul %a, %w into %s
// -----
// CHECK: tile.matmul: an nk tile is multiplied transposed, a kn tile is not
%a = tile.buffer : memref<4x32xf32, #tw.spm>
%w = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
%s = tile.buffer : memref<4x32xf32, #tw.acc>
tile.matmul %a, %w transposed into %s
// -----
// CHECK: tile.vec: no function is named 'sin': id, neg
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec sin(%a) to %a
// -----
// CHECK: tile.vec: no reduction is named 'mean': sum, sumsq, max, min, absmax
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) reduce mean to %a
// -----
// CHECK: tile.vec: a value is stored or reduced: `to`, `reduce`, or both
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a)
// -----
// CHECK: tile.vec: numbers alone have no shape: store them with `to`
%a = tile.buffer : memref<4x1xf32, #tw.spm>
tile.vec id(1.0) reduce sum to %a
// -----
// CHECK: tile.vec: a is a kn tile: the vector unit reads nk rows only
%a = tile.buffer : memref<!lowbit.tile<32x16, q4_0, kn>, #tw.spm>
%d = tile.buffer : memref<32x16xf32, #tw.spm>
tile.vec id(%a) to %d
// -----
// CHECK: tile.vec: dst lives in #tw.spm, not memref<4x8xf32, #tw.acc>
%a = tile.buffer : memref<4x8xf32, #tw.acc>
tile.vec id(%a) to %a
// -----
// CHECK: tile.vec: b holds f32 or f16 or bf16 or a packed tile, not i32
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<4x8xi32, #tw.spm>
tile.vec id(%a * %b) to %a
// -----
// CHECK: tile.vec: operands have one rank, 1 to 3, not [1, 2]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<8xf32, #tw.spm>
tile.vec id(%a * %b) to %a
// -----
// CHECK: tile.vec: [2, 8] does not broadcast to [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<2x8xf32, #tw.spm>
tile.vec id(%a * %b) to %a
// -----
// CHECK: tile.vec: columns of [4, 8] reduce to [4, 1], not [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) reduce sum to %a
// -----
// CHECK: tile.vec: `rows` bounds the first of at least 2 axes; 1 axis has `cols`
%c1 = arith.constant 1 : index
%a = tile.buffer : memref<8xf32, #tw.spm>
tile.vec id(%a) to %a rows %c1
// -----
// CHECK: tile.vec: `mid` bounds axis 1 of 3; the value has 2
%c1 = arith.constant 1 : index
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) to %a mid %c1
// -----
// CHECK: tile.vec: a band steps by 0 or 1 a row, not 2
%c1 = arith.constant 1 : index
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) band lo %c1 step 2 axis 0 fill 0.0 to %a
// -----
// CHECK: tile.vec: the rows of a band lie along an axis before the last of 2, not 1
%c1 = arith.constant 1 : index
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) band lo %c1 step 1 axis 1 fill 0.0 to %a
// -----
// CHECK: tile.vec: tile.vec runs on vpu, not on mxu
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.vec id(%a) to %a on mxu
// -----
// CHECK: tile.vec: an operator and d come together
%a = tile.buffer : memref<4x8xf32, #tw.spm>
"tile.vec"(%a, %a) <{f = "id", op = "add", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0>}> : (memref<4x8xf32, #tw.spm>, memref<4x8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.vec: a reduction and its destination come together
%a = tile.buffer : memref<4x8xf32, #tw.spm>
"tile.vec"(%a, %a) <{f = "id", rop = "sum", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0>}> : (memref<4x8xf32, #tw.spm>, memref<4x8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.vec: a source is a memref or a number, and a is not missing
%a = tile.buffer : memref<4x8xf32, #tw.spm>
"tile.vec"(%a) <{f = "id", operandSegmentSizes = array<i32: 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0>}> : (memref<4x8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.vec: a band has step, axis and fill
%c1 = arith.constant 1 : index
%a = tile.buffer : memref<4x8xf32, #tw.spm>
"tile.vec"(%a, %c1, %a) <{f = "id", operandSegmentSizes = array<i32: 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0>}> : (memref<4x8xf32, #tw.spm>, index, memref<4x8xf32, #tw.spm>) -> ()
// -----
// CHECK: tile.vec: operands live in #tw.spm or #tw.acc, not memref<4x8xf32, #tw.hbm>: only tile.load, tile.store and tile.gather reach hbm
func.func @f(%a : memref<4x8xf32, #tw.hbm>) {
  tile.vec id(%a) to %a
  func.return
}
// -----
// CHECK: tile.select: [2, 8] does not broadcast to [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<2x8xf32, #tw.spm>
tile.select %a, %a, %b to %a
// -----
// CHECK: tile.topk: idx holds i32, not f32
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%v = tile.buffer : memref<4x1xf32, #tw.spm>
tile.topk %a to %v, %v
// -----
// CHECK: tile.topk: val is [4, 1], not [4, 2]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%v = tile.buffer : memref<4x2xf32, #tw.spm>
%i = tile.buffer : memref<4x1xi32, #tw.spm>
tile.topk %a to %v, %i
// -----
// CHECK: tile.transpose: [4, 8] does not transpose to [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
tile.transpose %a to %a
// -----
// CHECK: tile.transpose: a transpose keeps the element: f32 to bf16
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%b = tile.buffer : memref<8x4xbf16, #tw.spm>
tile.transpose %a to %b
// -----
// CHECK: tile.quantise: codes have the shape of a, [4, 8], not [4, 4]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%c = tile.buffer : memref<4x4xi8, #tw.spm>
%s = tile.buffer : memref<4x1xf32, #tw.spm>
tile.quantise %a to %c, %s
// -----
// CHECK: tile.quantise: scales of [4, 3] do not divide the blocks of [4, 8]
%a = tile.buffer : memref<4x8xf32, #tw.spm>
%c = tile.buffer : memref<4x8xi8, #tw.spm>
%s = tile.buffer : memref<4x3xf32, #tw.spm>
tile.quantise %a to %c, %s
