// RUN: tilewright-opt %s -p choose-formats --split-input-file --verify-diagnostics | filecheck %s
// A policy that is none, rows without scales; the first module is right.

// CHECK: builtin.module attributes
builtin.module attributes {tw.policy = "exact"} {
  func.func @right() {
    func.return
  }
}
// -----
// expected-error @above {{module attribute tw.policy: found nothing, wanted exact, bf16}}
func.func @none() {
  func.return
}
// -----
builtin.module attributes {tw.policy = "exact"} {
  // expected-error @below {{rows of i8 that are gathered bring no scale along; use a format with blocks, such as q8_0, or a float}}
  tg.global weight @embd : !lowbit.packed<64x50, i8, nk> from "'embd'"
}
