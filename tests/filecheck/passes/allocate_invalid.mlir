// RUN: tilewright-opt %s -p 'allocate{machine=tw-small}' --split-input-file --verify-diagnostics | filecheck %s
// What has no size or no engine yet, and what no memory holds; the first module is right.

// CHECK: tile.buffer on vpu at 0 : memref<4xf32, #tw.spm>
func.func @right() {
  %t = tile.buffer on vpu : memref<4xf32, #tw.spm>
  func.return
}
// -----
// expected-error @below {{@x is still tensor<4xf32>: choose-formats and tile come before allocate}}
tg.global weight @x : tensor<4xf32> from "'x'"
func.func @whole_tensors() {
  func.return
}
// -----
// expected-error @+2 {{main memory: 17179869248 bytes are needed, 8589934592 are available on tw-small; the largest are @large (17179869184 bytes), @small (64 bytes); use fewer bits, a smaller batch or context, or a machine with more memory}}
tg.global input @small : memref<16xf32, #tw.hbm>
tg.global input @large : memref<65536x65536xf32, #tw.hbm>
func.func @too_large() {
  func.return
}
// -----
func.func @no_engine() {
  // expected-error @below {{this buffer has no engine; channels comes first}}
  %t = tile.buffer : memref<4xf32, #tw.spm>
  func.return
}
// -----
func.func @two_at_once() {
  // expected-error @below {{spm: 294912 bytes are needed at once, 262144 are available on tw-small}}
  %t = tile.buffer on vpu : memref<64x576xf32, #tw.spm>
  %u = tile.buffer on vpu : memref<64x576xf32, #tw.spm>
  tile.vec id(1.0) to %t on vpu
  tile.vec id(%t) to %u on vpu
  func.return
}
// -----
// expected-error @below {{the bytes of kn panels are known once their width is chosen: choose-panels comes first}}
tg.global weight @w : !lowbit.packed<64x64, f32, kn> from "'w'"
func.func @no_panels() {
  func.return
}
