"""Types of values as what they are, and their bytes."""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    IntegerType,
    MemRefType,
    TensorType,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException

from .lowbit import TileType

FLOATS = (Float32Type, Float16Type, BFloat16Type)


def memref_of(value: SSAValue | Attribute) -> MemRefType[Attribute]:
    """The memref type of a value, or the type given. Raises VerifyException if it is another."""
    type_ = value.type if isinstance(value, SSAValue) else value
    if not isinstance(type_, MemRefType):
        raise VerifyException(f"{type_} is no memref")
    return cast(MemRefType[Attribute], type_)


def is_memref(type_: Attribute) -> bool:
    """Whether a type is a memref."""
    return isinstance(type_, MemRefType)


def tensor_of(value: SSAValue | Attribute) -> TensorType[Attribute]:
    """The tensor type of a value, or the type given. Raises VerifyException if it is another."""
    type_ = value.type if isinstance(value, SSAValue) else value
    if not isinstance(type_, TensorType):
        raise VerifyException(f"{type_} is no tensor")
    return cast(TensorType[Attribute], type_)


def element_bytes(type_: Attribute) -> int:
    """Bytes of an element; a packed tile is one element."""
    if isinstance(type_, TileType):
        return type_.nbytes
    if isinstance(type_, (*FLOATS, IntegerType)):
        return (type_.bitwidth + 7) // 8
    raise VerifyException(f"{type_} is no element of a memref: f32, f16, bf16, integer, tile")


def nbytes(type_: Attribute) -> int:
    """Bytes of a memref without gaps: its shape times its element."""
    memref = memref_of(type_)
    total = element_bytes(memref.element_type)
    for size in memref.get_shape():
        total *= size
    return total
