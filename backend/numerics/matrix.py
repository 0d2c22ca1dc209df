"""What the matrix unit computes, to the bit: products and sums in float32, k ascending, no FMA.

A weight format with blocks along K sums a block first and scales the sum; formats without block
scales continue one chain. The loops over k are explicit because no numpy reduction has this order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import Blocks

F32Array = npt.NDArray[np.float32]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Operand:
    """The right operand B of K rows and N columns, its codes already exact float32 numbers."""

    codes: Array
    """[K, N]: code - zero for a format with blocks, the value for a dense one; float32 or int8."""
    block: int = 1
    """Rows of K that share a scale; 1 means no block scales."""
    scales: F32Array | None = None
    """[K / block, N]; None without block scales."""
    minima: F32Array | None = None
    """[K / block, N], added once a block times the sum of the block's a; None without minima."""

    @staticmethod
    def from_blocks(blocks: Blocks) -> "Operand":
        """The transpose of rows of a weight matrix: [N, K] unpacked becomes K by N.

        A scale per row (i8) is left out, as the matrix unit does.
        """
        spec, codes = blocks.spec, blocks.codes
        if blocks.scales is None:
            return Operand(codes.T if spec.dense == "i8" else codes.astype(np.float32).T)
        whole = codes.astype(np.float32) - np.float32(spec.zero_point)
        if blocks.zeros is not None:
            whole -= np.repeat(blocks.zeros, spec.block, axis=1)
        minima = None if blocks.minima is None else blocks.minima.astype(np.float32).T
        return Operand(whole.T, spec.block, blocks.scales.astype(np.float32).T, minima)

    def __post_init__(self) -> None:
        k, n = self.codes.shape
        if k % self.block:
            raise ValueError(f"{k} rows of K are no whole number of blocks of {self.block}")
        for name, array in (("scales", self.scales), ("minima", self.minima)):
            if array is not None and array.shape != (k // self.block, n):
                wanted = (k // self.block, n)
                raise ValueError(f"{name} of shape {array.shape}, wanted {wanted}")


def matmul(acc: Array, a: Array, b: Operand) -> Array:
    """acc + a @ b as a new array, in the matrix unit's order.

    `acc` is [M, N] float32, or int32 when `a` and `b.codes` are both int8 (exact integer sums that
    wrap at 32 bits); `a` is [M, K] float32 or any narrower float, widened exactly. K may end inside
    a block of `b`: only its first values count then.

    Raises ValueError when the shapes do not fit.
    """
    m, k = a.shape
    if acc.shape != (m, b.codes.shape[1]) or k > b.codes.shape[0]:
        raise ValueError(f"acc {acc.shape} += a {a.shape} @ b {b.codes.shape} does not fit")
    if acc.dtype == np.int32:
        return acc + a.astype(np.int32) @ b.codes[:k].astype(np.int32)
    wide, codes = a.astype(np.float32), b.codes[:k].astype(np.float32)
    with np.errstate(all="ignore"):
        if b.scales is None:
            return _chain(acc.copy(), wide, codes)
        return _blocks(acc.copy(), wide, codes, b.block, b.scales, b.minima)


def _chain(acc: F32Array, a: F32Array, b: F32Array) -> F32Array:
    """acc = fl(acc + fl(a_k * b_k)), k ascending."""
    columns = np.ascontiguousarray(a.T)[:, :, None]
    product = np.empty_like(acc)
    for k in range(b.shape[0]):
        np.multiply(columns[k], b[k], out=product)
        np.add(acc, product, out=acc)
    return acc


def _blocks(
    acc: F32Array, a: F32Array, b: F32Array, block: int, scales: F32Array, minima: F32Array | None
) -> F32Array:
    """Block by block: S over the block, acc += S * scale, then acc += X * minimum."""
    for i in range(-(-a.shape[1] // block)):
        part = slice(i * block, (i + 1) * block)
        total = _chain(np.zeros_like(acc), a[:, part], b[part])
        acc = acc + total * scales[i]
        if minima is not None:
            acc = acc + sequential_sum(a[:, part])[:, None] * minima[i]
    return acc


def sequential_sum(a: F32Array) -> F32Array:
    """Sum over the last axis from +0, one rounded addition after the other."""
    total = np.zeros(a.shape[:-1], np.float32)
    for k in range(a.shape[-1]):
        total = total + a[..., k]
    return total
