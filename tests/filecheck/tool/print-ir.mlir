// RUN: tilewright-opt %s -p dce,cse --print-ir-before-all 2>&1 | filecheck %s --check-prefix BEFORE
// RUN: tilewright-opt %s -p dce,cse --print-ir-after-all 2>&1 | filecheck %s --check-prefix AFTER
// RUN: tilewright-opt %s -p dce,cse --print-ir-after-change 2>&1 | filecheck %s --check-prefix CHANGE
// RUN: tilewright-opt %s -p dce,cse --print-ir-diff 2>&1 | filecheck %s --check-prefix DIFF
// RUN: tilewright-opt %s -p dce,cse --time-passes 2>&1 | filecheck %s --check-prefix TIME
// What is printed between passes, and what of it is left out.

// BEFORE:      // IR before dce
// BEFORE:      arith.constant
// BEFORE:      // IR before cse
// BEFORE-NOT:  arith.constant
// BEFORE:      func.return

// AFTER:      // IR after dce
// AFTER-NEXT: builtin.module {
// AFTER-NEXT:   func.func @f() {
// AFTER-NEXT:     func.return
// AFTER-NEXT:   }
// AFTER-NEXT: }
// AFTER-NEXT: // IR after cse: changed nothing

// CHANGE:     // IR after dce
// CHANGE-NOT: cse

// DIFF:      // IR after dce
// DIFF-NEXT: --- before
// DIFF-NEXT: +++ after
// DIFF:      -    %c0 = arith.constant 0 : index
// DIFF:      // IR after cse: changed nothing

// TIME:      seconds share operations pass
// TIME-NEXT: {{[0-9.]+}} {{[0-9.]+}}% 3 dce
// TIME-NEXT: {{[0-9.]+}} {{[0-9.]+}}% 3 cse
// TIME-NEXT: {{[0-9.]+}} 100.0% all

func.func @f() {
  %c0 = arith.constant 0 : index
  func.return
}
