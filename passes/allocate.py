"""streamed → placed: an address for every global, ring and private buffer, `at 4096`.

Main memory: weights and tables, then state, each in order of declaration, so that all entries of
an image have them at the same addresses; then what is the entry's own. On chip: rings, then private
buffers, which share bytes when one engine is done with one before it begins the next. A machine
without main memory has all globals in the scratchpad, in front.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntAttr, ModuleOp, TensorType
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from ..backend.machine import Machine, load_machine
from ..dialects.tg import GlobalOp
from .check_allocation import check_allocation
from .located import PassError, located
from .memory import SPACES, Resident, residents
from .placement import Life, align, conflict_set, place

ROLE_ORDER = {"weight": 0, "table": 0, "state": 1}
"""What lies first in main memory: read-only bytes, then state, then what is the entry's own."""
OWN = 2
NAMED = 6
"""Most buffers that an error lists."""


def global_bytes(declaration: GlobalOp) -> int:
    """Bytes of a global. Raises PassError for one whose format or panels are not chosen."""
    shaped = declaration.shaped
    if isinstance(shaped, TensorType):
        raise PassError(
            f"@{declaration.global_name} is still {shaped}: choose-formats and tile come "
            "before allocate",
            declaration,
        )
    try:
        return declaration.nbytes
    except VerifyException as error:
        raise PassError(
            f"{located(declaration)}: {error}: choose-panels comes first", declaration
        ) from None


def place_globals(module: ModuleOp, machine: Machine) -> None:
    """Addresses in main memory, or from 0 in a scratchpad that holds all. PassError if too many."""
    declarations = [op for op in module.ops if isinstance(op, GlobalOp)]
    declarations.sort(key=lambda g: ROLE_ORDER.get(g.role.data, OWN))
    at = 0
    for declaration in declarations:
        declaration.at = IntAttr(at)
        at = align(at + global_bytes(declaration), machine.alignment)
    if not machine.has_hbm and at > machine.spm_bytes:
        raise PassError(machine.does_not_fit(at))
    if machine.has_hbm and at > machine.hbm_bytes:
        largest = sorted(declarations, key=lambda g: -global_bytes(g))[:NAMED]
        names = ", ".join(f"@{g.global_name} ({global_bytes(g)} bytes)" for g in largest)
        raise PassError(
            f"main memory: {at} bytes are needed, {machine.hbm_bytes} are available on "
            f"{machine.name}; the largest are {names}; use fewer bits, a smaller batch or "
            "context, or a machine with more memory",
            largest[0],
        )


def place_on_chip(found: list[Resident], space: str, machine: Machine, first: int = 0) -> None:
    """Addresses in one on-chip memory, from `first` on, where its globals end.

    Raises PassError naming the buffers in conflict.
    """
    capacity = machine.spm_bytes if space == "spm" else machine.acc_bytes
    own = [resident for resident in found if resident.space == space]
    lives = [resident.life for resident in own]
    offsets, used = place(lives, machine.alignment)
    if used > capacity - first:
        if first:
            raise PassError(machine.does_not_fit(first + used))
        conflict = conflict_set(lives, machine.alignment, capacity)
        raise _no_room(own, conflict, used, space, machine)
    for resident, offset in zip(own, offsets, strict=True):
        resident.op.at = IntAttr(first + offset)


def _no_room(
    own: list[Resident], conflict: list[Life], used: int, space: str, machine: Machine
) -> PassError:
    """The error: what is live at once, how many bytes, and what to do; `used` bytes would do."""
    capacity = machine.spm_bytes if space == "spm" else machine.acc_bytes
    ops = {id(resident.life): resident.op for resident in own}
    needed = sum(align(life.nbytes, machine.alignment) for life in conflict)
    names = ", ".join(
        f"{life.name} ({life.nbytes} bytes, {located(ops[id(life)])})" for life in conflict[:NAMED]
    )
    more = f" and {len(conflict) - NAMED} more" if len(conflict) > NAMED else ""
    return PassError(
        f"{space}: {needed} bytes are needed at once, {capacity} are available on {machine.name}: "
        f"{names}{more}; use smaller tiles for these, or a machine with "
        f"{used} bytes of {space}",
        ops[id(conflict[0])],
    )


def bytes_of_globals(module: ModuleOp, machine: Machine) -> int:
    """Bytes that all globals take, each aligned."""
    declarations = [op for op in module.ops if isinstance(op, GlobalOp)]
    return sum(align(global_bytes(g), machine.alignment) for g in declarations)


def globals_in(module: ModuleOp, space: str, machine: Machine) -> int:
    """Bytes of an on-chip memory that globals take: those of a machine without main memory lie in
    the scratchpad."""
    return bytes_of_globals(module, machine) if space == machine.region_memory else 0


@dataclass(frozen=True)
class AllocatePass(ModulePass):
    """Give every global, ring and private buffer an address, and check the result."""

    name = "allocate"

    machine: str = "tw-small"
    """Machine whose memories are filled: a name, or the path of a description."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = load_machine(self.machine)
        place_globals(op, machine)
        found = residents(op)
        for space in SPACES:
            place_on_chip(found, space, machine, globals_in(op, space, machine))
        check_allocation(op, machine)
