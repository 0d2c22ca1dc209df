"""What all compiled kernels stand on: the vector loops, memory views, decorators.

With NUMBA_DISABLE_JIT set the vector loops are their plain Python twins.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from numba import config, njit

if config.DISABLE_JIT:
    from . import kernel_scalar as loops
else:
    from . import kernel_vectors as loops

bits_of, float_of = loops.bits_of, loops.float_of
bytes_at, signed_bytes_at, shorts_at = loops.bytes_at, loops.signed_bytes_at, loops.shorts_at
integers_at, floats_at, words_at = loops.integers_at, loops.floats_at, loops.words_at
copy_bytes, call_unit, unit = loops.copy_bytes, loops.call_unit, loops.unit
halves_16, transpose_16 = loops.halves_16, loops.transpose_16
make_block, make_chain = loops.make_block, loops.make_chain
make_decode, make_gemv = loops.make_decode, loops.make_gemv

_INTERNAL = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""Kernels call each other and are never called from Python: wrappers would be compiled in vain."""

compiled = njit(**_INTERNAL)
"""Decorator of a kernel that is always reached from the one cached entry."""

inlined = njit(forceinline=True, **_INTERNAL)
"""Decorator of a small function that must be part of its caller's loop to become vectors."""
