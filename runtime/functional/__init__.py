"""The functional emulator: programs as the instruction set defines them, to the bit."""

from .emulator import ENGINES, Emulator, EmulatorError
from .fast import FastEngineError
from .faults import KINDS, Fault
from .memories import Memories
from .orders import ORDERS, OrderError, find_order

__all__ = [
    "ENGINES",
    "KINDS",
    "ORDERS",
    "Emulator",
    "EmulatorError",
    "FastEngineError",
    "Fault",
    "Memories",
    "OrderError",
    "find_order",
]
