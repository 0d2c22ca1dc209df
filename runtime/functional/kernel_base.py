"""What all compiled kernels stand on: the vector loops and memory views.

With NUMBA_DISABLE_JIT set the vector loops are their plain Python twins.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from numba import config

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
