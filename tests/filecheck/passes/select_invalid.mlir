// RUN: tilewright-opt %s -p 'select{machine=tw-small}' --split-input-file --verify-diagnostics | filecheck %s
// What no instruction, or no operand of one, can say; the first module is right.

// CHECK: tw.region @t on vpu : 16 in #tw.spm at 0
func.func @vpu() {
  %t = tile.buffer on vpu at 0 : memref<4xf32, #tw.spm>
  tile.vec id(1.0) to %t on vpu
  func.return
}
// -----
// expected-error @below {{function @entry is no engine of tw-small: project comes before select; engines are}}
func.func @entry() {
  func.return
}
// -----
func.func @vpu() {
  // expected-error @below {{no address or no engine; allocate comes first}}
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tg.get @m
  // expected-error @below {{loops run from 0 by 1 and carry no values at this level}}
  scf.for %i = %c1 to %m step %c1 {
  }
  func.return
}
// -----
func.func @vpu() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %a = %c0 to %c1 step %c1 {
    scf.for %b = %c0 to %c1 step %c1 {
      scf.for %c = %c0 to %c1 step %c1 {
        scf.for %d = %c0 to %c1 step %c1 {
          scf.for %e = %c0 to %c1 step %c1 {
            scf.for %f = %c0 to %c1 step %c1 {
              scf.for %g = %c0 to %c1 step %c1 {
                scf.for %h = %c0 to %c1 step %c1 {
                  // expected-error @below {{9 loops are nested, tw-small counts 8}}
                  scf.for %i = %c0 to %c1 step %c1 {
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %m = tg.get @m
  // expected-error @below {{the scalar unit has no such operation; index values are made of add, sub, mul, min, max, and division or remainder by a power of two}}
  %n = arith.xori %m, %m : index
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %c3 = arith.constant 3 : index
  %m = tg.get @m
  // expected-error @below {{the divisor is 3, wanted a constant power of two: the scalar unit shifts and masks, and does not divide}}
  %n = arith.divui %m, %c3 : index
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %m = tg.get @m
  // expected-error @below {{the divisor is a value known at run time only, wanted a constant power of two}}
  %n = arith.remui %m, %m : index
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %c64 = arith.constant 64 : index
  %m = tg.get @m
  // expected-error @below {{wanted a constant shift of 0 to 63}}
  %n = arith.shli %m, %c64 : index
  func.return
}
// -----
tg.scalar @m : 1 to 4
func.func @vpu() {
  %m = tg.get @m
  // expected-error @below {{wanted a constant mask}}
  %n = arith.andi %m, %m : index
  func.return
}
// -----
func.func @vpu() {
  %t = tile.buffer on vpu at 0 : memref<4xf32, #tw.spm>
  // expected-error @below {{no engine executes this op}}
  memref.dealloc %t : memref<4xf32, #tw.spm>
  func.return
}
// -----
func.func @vpu() {
  %t = tile.buffer on vpu at 0 : memref<4x8xf32, #tw.spm>
  %u = tile.buffer on vpu at 128 : memref<4xf32, #tw.spm>
  %p = memref.subview %t[0, 0] [4, 1] [1, 1] : memref<4x8xf32, #tw.spm> to memref<4xf32, strided<[8]>, #tw.spm>
  // expected-error @below {{elements of the last axis lie 32 bytes apart, wanted 4: views are contiguous along their last axis}}
  tile.vec id(%p) to %u on vpu
  func.return
}
// -----
func.func @vpu() {
  %t = tile.buffer on vpu at 64 : memref<4xf32, #tw.spm>
  %r = tile.buffer on vpu at 0 : memref<1xf32, #tw.spm>
  // expected-error @below {{a reduction alone takes its shape from a or b, and neither is a buffer: store the value as well}}
  tile.vec id(2.0 * 3.0 + %t) reduce sum to %r on vpu
  func.return
}
// -----
func.func @vpu() {
  %t = tile.buffer on vpu at 0 : memref<1x64xf32, #tw.spm>
  %u = tile.buffer on vpu at 1024 : memref<4x64xf32, #tw.spm>
  %w = tile.buffer on vpu at 8192 : memref<!lowbit.tile<1x64, q8_0, nk>, #tw.spm>
  // expected-error @below {{packed rows of [1, 64] do not broadcast to [4, 64]}}
  tile.vec id(%w) to %u on vpu
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 2 slots of 64 in #tw.spm at 0
func.func @ld() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{the body must leave every channel as it found it}}
  scf.for %i = %c0 to %c1 step %c1 {
    %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  }
  func.return
}
// -----
stream.channel @a from ld to [vpu] : 2 slots of 64 in #tw.spm at 0
func.func @ld() {
  %a = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %b = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  // expected-error @below {{@a is first in, first out; end older slots first}}
  stream.commit %b
  stream.commit %a
  func.return
}
// -----
tg.global input @x : memref<4xf32, #tw.hbm> at 0
stream.channel @a from ld to [vpu] : 9 slots of 64 in #tw.spm at 0
func.func @ld() {
  %0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %1 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %2 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %3 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %4 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %5 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %6 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %7 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  %8 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
  // expected-error @below {{8 slots of @a are older than the one it uses, an operand names the 8 oldest: hold fewer at once}}
  tile.load @x[0] [4] to %8 on ld
  func.return
}
// -----
tg.global weight @w : !lowbit.packed<64x48, q4_0, kn 32> from "w" at 0
stream.channel @a from ld to [mxu] : 1 slots of 576 in #tw.spm at 0
func.func @ld() {
  %a = stream.acquire @a on ld : memref<!lowbit.tile<32x32, q4_0, kn>, #tw.spm>
  // expected-error @below {{the slot is 32 columns wide, the panel 16; the last, narrower panel has a load of its own with a constant panel number}}
  tile.load @w[1, 0] [1] to %a on ld
  stream.commit %a
  func.return
}
// -----
tg.global input @x : memref<4x8xi16, #tw.hbm> at 0
func.func @ld() {
  %t = tile.buffer on ld at 0 : memref<4x8xi16, #tw.spm>
  // expected-error @below {{a view has no elements of i16}}
  tile.load @x[0, 0] [4, 8] to %t on ld
  func.return
}
// -----
// Words that came over a channel stay in registers until their last use.
stream.channel @n from vpu to [ld] : scalars 17 max 3 at 0
tg.global input @x : memref<4xf32, #tw.hbm> at 0
func.func @ld() {
  %t = tile.buffer on ld at 256 : memref<1xf32, #tw.spm>
  %0 = stream.recv @n
  %1 = stream.recv @n
  %2 = stream.recv @n
  %3 = stream.recv @n
  %4 = stream.recv @n
  %5 = stream.recv @n
  %6 = stream.recv @n
  %7 = stream.recv @n
  %8 = stream.recv @n
  %9 = stream.recv @n
  %10 = stream.recv @n
  %11 = stream.recv @n
  %12 = stream.recv @n
  %13 = stream.recv @n
  %14 = stream.recv @n
  %15 = stream.recv @n
  // expected-error @below {{ld needs more than its 16 registers here even with every address computed at its use; give the op fewer bounds or offsets known at run time only}}
  %16 = stream.recv @n
  tile.load @x[%0] [1] to %t on ld
  tile.load @x[%1] [1] to %t on ld
  tile.load @x[%2] [1] to %t on ld
  tile.load @x[%3] [1] to %t on ld
  tile.load @x[%4] [1] to %t on ld
  tile.load @x[%5] [1] to %t on ld
  tile.load @x[%6] [1] to %t on ld
  tile.load @x[%7] [1] to %t on ld
  tile.load @x[%8] [1] to %t on ld
  tile.load @x[%9] [1] to %t on ld
  tile.load @x[%10] [1] to %t on ld
  tile.load @x[%11] [1] to %t on ld
  tile.load @x[%12] [1] to %t on ld
  tile.load @x[%13] [1] to %t on ld
  tile.load @x[%14] [1] to %t on ld
  tile.load @x[%15] [1] to %t on ld
  tile.load @x[%16] [1] to %t on ld
  func.return
}
