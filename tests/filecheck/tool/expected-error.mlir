// RUN: tilewright-opt %s --split-input-file --verify-diagnostics | filecheck %s
// RUN: not tilewright-opt %s --split-input-file 2>&1 | filecheck %s --check-prefix FAILS
// Errors that a file announces, each at its line, are no errors; what is right is printed.

// FAILS: expected-error.mlir:8:3: tg.get: no launch parameter is named @m
func.func @unknown() {
  // expected-error @below {{no launch parameter is named @m}}
  %m = tg.get @m
  func.return
}
// -----
// expected-error @+1 {{type expected}}
%b = tile.buffer : foo
// -----
// CHECK: func.func @right
func.func @right() {
  func.return
}
