// RUN: tilewright-opt %s -p 'tile{machine=tw-small kv-block=3}' --verify-diagnostics
// Blocks of keys and values are counted by shifts.

// expected-error @unknown {{kv-block: found 3, wanted a power of two}}
builtin.module attributes {tw.policy = "exact"} {
  func.func @entry() {
    func.return
  }
}
