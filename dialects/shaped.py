"""Types of values as what they are: narrowing for the type checker, errors for everybody."""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import MemRefType, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException


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
