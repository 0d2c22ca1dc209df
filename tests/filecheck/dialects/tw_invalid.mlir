// RUN: tilewright-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the tw dialect refuses.

// CHECK: no register is named 'r16': r0 to r15, c0 to c7
tw.program @ld {
  %m = tw.li 1 : r16
}
// -----
// CHECK: tw.li: a loop counter is written by its loop only
tw.program @ld {
  %m = tw.li 1 : c0
}
// -----
// CHECK: tw.alu: no function is named 'div': add, sub, mul, min, max, shl, shr, and
tw.program @ld {
  %m = tw.li 1 : r0
  %n = tw.alu div %m, 2 : r1
}
// -----
// CHECK: tw.sync: no step is named 'take': acquire, wait, commit, release
tw.program @ld {
  tw.sync take @w
}
// -----
// CHECK: tw.sync: a step is made on at least 1 slot
tw.program @ld {
  tw.sync wait @w n 0
}
// -----
// CHECK: tw.loop: the counter of a loop inside 1 loops is c1
tw.program @ld {
  tw.loop %i : c0 to 2 {
    tw.loop %j : c0 to 2 {
    }
  }
}
// -----
// CHECK: tw.loop: a loop has one counter, c0 to c7
tw.program @ld {
  tw.loop %i : r0 to 2 {
  }
}
// -----
// CHECK: tw.region: an engine owns bytes in #tw.spm or #tw.acc, not #tw.hbm
tw.region @r on vpu : 64 in #tw.hbm at 0
// -----
// CHECK: no engine is named 'gpu'
tw.program @gpu {
}
// -----
// CHECK: tw.program: ld has no instruction vtr
tw.program @ld {
  tw.vtr dst=@l[0]<8x4xf32, [16, 4]>, a=@l[384]<4x8xf32, [32, 4]>
}
// -----
// CHECK: tw.program: tw.alu reads r0, which holds another value by then
tw.program @ld {
  %a = tw.li 1 : r0
  %b = tw.li 2 : r0
  %c = tw.alu add %a, 1 : r1
}
// -----
// A second trip would find %a overwritten.
// CHECK: tw.program: tw.alu reads r0, which holds another value by then
tw.program @ld {
  %a = tw.li 1 : r0
  tw.loop %i : c0 to 2 {
    %b = tw.alu add %a, 1 : r0
  }
}
// -----
// CHECK: tw.copy: copy src is missing: source
tw.program @ld {
  tw.copy dst=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.copy: copy has no operand and no field 'a'
tw.program @ld {
  tw.copy dst=@x[0]<4xf32, [4]>, src=@x[0]<4xf32, [4]>, a=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.copy: copy src is no number
tw.program @ld {
  tw.copy dst=@x[0]<4xf32, [4]>, src=1.0
}
// -----
// CHECK: tw.fill: fill value is a number
tw.program @ld {
  tw.fill dst=@x[0]<4xf32, [4]>, value=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.mm: mm a has 2 to 2 axes, not 1
tw.program @mxu {
  tw.mm acc=@s[0]<4x32xf32, [128, 4]>, a=@a[0]<64xf32, [4]>, b=@b[0]<64x32xq4_0 kn, [576, 32]>
}
// -----
// CHECK: tw.mm: mm acc is seen as f32, i32, not as bf16
tw.program @mxu {
  tw.mm acc=@s[0]<4x32xbf16, [64, 2]>, a=@a[0]<4x64xf32, [256, 4]>, b=@b[0]<64x32xq4_0 kn, [576, 32]>
}
// -----
// CHECK: tw.vec: vec f is 0..11 (identity neg abs exp log reciprocal rsqrt tanh erf sigmoid round floor), not 'sin'
tw.program @vpu {
  tw.vec dst=@l[0]<4x8xf32, [32, 4]>, a=0.0 f sin
}
// -----
// CHECK: view format 'f64': known are f32
tw.program @vpu {
  tw.vec dst=@l[0]<4x8xf64, [64, 8]>, a=0.0
}
// -----
// CHECK: a register is added to an offset
tw.program @ld {
  tw.copy dst=@x[0 + 4]<4xf32, [4]>, src=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.copy: copy dst: no channel or region is named @x
tw.program @ld {
  tw.copy dst=@x[0]<4xf32, [4]>, src=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.copy: copy dst: @t has no slots but is a token
stream.channel @t from st to [ld] : tokens 1
tw.program @ld {
  tw.copy dst=@t[0]<4xf32, [4]>, src=@x[0]<4xf32, [4]>
}
// -----
// CHECK: tw.vec: vec dst: @l is used by mxu, not vpu
tw.region @l on mxu : 128 in #tw.spm at 0
tw.program @vpu {
  tw.vec dst=@l[0]<4x8xf32, [32, 4]>, a=0.0
}
// -----
// CHECK: tw.vec: vec dst lies in spm, not in hbm as @x
tg.global output @x : memref<4x8xf32, #tw.hbm>
tw.program @vpu {
  tw.vec dst=@x[0]<4x8xf32, [32, 4]>, a=0.0
}
// -----
// CHECK: tw.vec: vec dst: @l is a region: no age, begin or end
tw.region @l on vpu : 128 in #tw.spm at 0
tw.program @vpu {
  tw.vec dst=@l[0]<4x8xf32, [32, 4]> begin, a=0.0
}
// -----
// CHECK: tw.vec: vec dst: bytes 4 to 132 are not inside the 128 of @l
tw.region @l on vpu : 128 in #tw.spm at 0
tw.program @vpu {
  tw.vec dst=@l[4]<4x8xf32, [32, 4]>, a=0.0
}
// -----
// CHECK: tw.sync: commit of @w is done by ld, not mxu
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
tw.program @mxu {
  tw.sync commit @w
}
// -----
// CHECK: tw.pop: mxu pops no scalars from @w
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
tw.program @mxu {
  %n = tw.pop @w[0] : r0
}
// -----
// CHECK: tw.sync: an instruction stands in a tw.program
stream.channel @w from ld to [mxu] : 1 slots of 64 in #tw.spm
tw.sync commit @w
// -----
// CHECK: tw.loop: a trip count is a register or a number
tw.program @ld {
  "tw.loop"() ({
  ^bb0(%c : !tw.reg<c0>):
  }) : () -> ()
}
// -----
// CHECK: tw.alu: the second argument is a register or a number
tw.program @ld {
  %m = tw.li 1 : r0
  %n = "tw.alu"(%m) <{fn = "add"}> : (!tw.reg<r0>) -> !tw.reg<r1>
}
// -----
// CHECK: tw.loop: loops nest at most 8 deep
tw.program @ld {
  tw.loop %0 : c0 to 2 {
    tw.loop %1 : c1 to 2 {
      tw.loop %2 : c2 to 2 {
        tw.loop %3 : c3 to 2 {
          tw.loop %4 : c4 to 2 {
            tw.loop %5 : c5 to 2 {
              tw.loop %6 : c6 to 2 {
                tw.loop %7 : c7 to 2 {
                  tw.loop %8 : c7 to 2 {
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
// -----
// CHECK: tw.copy: unit is no setting
tw.program @ld {
  %m = "tw.li"() <{imm = #builtin.int<1>}> : () -> !tw.reg<r0>
  "tw.copy"(%m) <{places = [#tw.place<"dst", "a", "f32", "", [#builtin.int<4>], [#builtin.int<4>], #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<1>, #builtin.int<1>>, #tw.place<"src", "x", "f32", "", [#builtin.int<4>], [#builtin.int<4>], #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<0>>], settings = {axis0 = unit}, register_fields = ["axis0"], operandSegmentSizes = array<i32: 0, 1>}> : (!tw.reg<r0>) -> ()
}
// -----
// CHECK: tw.vec: vec op is no register
tw.program @vpu {
  %m = tw.li 1 : r0
  "tw.vec"(%m) <{places = [#tw.place<"dst", "a", "f32", "", [#builtin.int<4>], [#builtin.int<4>], #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<1>, #builtin.int<1>>, #tw.place<"a", "x", "f32", "", [#builtin.int<4>], [#builtin.int<4>], #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<0>, #builtin.int<0>>], settings = {}, register_fields = ["op"], operandSegmentSizes = array<i32: 0, 1>}> : (!tw.reg<r0>) -> ()
}
