"""Integer arithmetic of the scalar units: 64-bit two's complement, shifts by b mod 64."""

from collections.abc import Callable

_SIGN = 1 << 63

FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "min": min,
    "max": max,
    "shl": lambda a, b: a << b % 64,
    "shr": lambda a, b: a >> b % 64,
    "and": lambda a, b: a & b,
}
"""Functions of `alu` on unbounded integers."""


def alu(function: str, a: int, b: int) -> int:
    """The low 64 bits of a function's value, as a signed number."""
    value = FUNCTIONS[function](a, b)
    return (value + _SIGN) % (2 * _SIGN) - _SIGN
