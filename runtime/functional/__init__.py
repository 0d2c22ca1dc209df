"""The functional emulator: programs as the instruction set defines them, to the bit."""

from .access import Access
from .channels import ChannelState
from .emulator import ENGINES, Emulator, EmulatorError
from .fast import FastEngineError
from .faults import (
    AGE_FAULT,
    BOUNDS_FAULT,
    COMMIT_FAULT,
    HELD_FAULT,
    KINDS,
    RELEASE_FAULT,
    UNFINISHED_FAULT,
    UNINITIALISED_FAULT,
    Fault,
    FaultPoint,
)
from .host_memory import host_zeros
from .layout import LINE
from .loader import Loaded, channels_of, load
from .memories import KEPT_ROLES, Memories
from .orders import ORDERS, OrderError, find_order
from .parameters import Parameters, launch_words
from .reference import EngineState, ReferenceEngine
from .stepping import SteppingEngine
from .waiting import Blocked, deadlock_note

__all__ = [
    "AGE_FAULT",
    "BOUNDS_FAULT",
    "COMMIT_FAULT",
    "ENGINES",
    "HELD_FAULT",
    "KEPT_ROLES",
    "KINDS",
    "LINE",
    "ORDERS",
    "RELEASE_FAULT",
    "UNFINISHED_FAULT",
    "UNINITIALISED_FAULT",
    "Access",
    "Blocked",
    "ChannelState",
    "Emulator",
    "EmulatorError",
    "EngineState",
    "FastEngineError",
    "Fault",
    "FaultPoint",
    "Loaded",
    "Memories",
    "OrderError",
    "Parameters",
    "ReferenceEngine",
    "SteppingEngine",
    "channels_of",
    "deadlock_note",
    "find_order",
    "host_zeros",
    "launch_words",
    "load",
]
