"""The isa level under `--check-each-pass`: a module's program, encoded and run by the emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from ...backend.formats import ELEMENTS
from ...backend.isa import DEFAULT_OPCODES, REGISTERS, Program
from ...backend.machine import Machine, load_machine
from ...dialects.shaped import memref_of
from ...dialects.tg import STORED_ROLES, GlobalOp
from ...passes.encode import encode_module
from ...passes.load_entry import load_program
from ...runtime.functional import (
    Access,
    Emulator,
    EngineState,
    Memories,
    ReferenceEngine,
    launch_words,
    load,
)
from ..frontend import WeightStore
from ..weights import layers_of, stored_globals, weight_pieces
from .launch import Array, Launch

Watch = Callable[[str, int, tuple[int, ...], NDArray[Any]], None]
"""Told of each write: engine, instruction, counters of the loops around it, the elements."""


class _Watched(ReferenceEngine):
    """The reference engine, telling what each instruction writes."""

    watch: Watch
    _now: EngineState

    def _step(self, engine: EngineState) -> bool:
        self._now = engine
        return super()._step(engine)

    def wrote(self, access: Access) -> None:
        super().wrote(access)
        engine = self._now
        around = self.loaded.loop_counters(engine.index, engine.pc)
        trips = tuple(engine.registers[REGISTERS + c] for c in around)
        self.watch(engine.name, engine.pc, trips, access.elements().copy())


def run_isa(
    module: ModuleOp,
    launch: Launch,
    store: WeightStore,
    machine: str,
    order: str = "sequential",
    watch: Watch | None = None,
) -> dict[str, Array]:
    """State and outputs of one launch on the reference engine, in the declared types and shapes.

    Raises:
        Fault: the program does something that the machine checks.
    """
    description = load_machine(machine)
    program = encode_module(module, description)
    declared = [op for op in module.ops if isinstance(op, GlobalOp)]
    filled = None
    if not description.has_hbm:
        layers = {op.global_name: layers_of(op) for op in stored_globals(declared)}
        filled = load_program(program.regions, layers, description)
    return run_program(program, declared, launch, store, description, order, watch, filled)


def run_program(
    program: Program,
    declared: Sequence[GlobalOp],
    launch: Launch,
    store: WeightStore,
    machine: Machine,
    order: str = "sequential",
    watch: Watch | None = None,
    filled: Program | None = None,
    opcodes: Mapping[str, int] = DEFAULT_OPCODES,
) -> dict[str, Array]:
    """As `run_isa`, of a program and the globals that it knows; `filled` is what fills the
    scratchpad of a machine without main memory.
    """
    weights, first = stored_bytes(program, declared, store)
    programs = [program] if filled is None else [program, filled]
    memories = Memories(machine, programs, weights, first)
    for loaded in programs[1:]:
        Emulator(loaded, machine, memories, engine="reference", opcodes=opcodes).run()
    emulator = Emulator(program, machine, memories, "reference", order, opcodes=opcodes)
    for name, values in launch.data.items():
        emulator.write(name, values)
    if watch is None:
        emulator.run(dict(launch.parameters))
    else:
        memories.begin_launch(program)
        words = launch_words(program, dict(launch.parameters))
        watched = _Watched(load(program, machine, opcodes), memories)
        watched.watch = watch
        watched.run(words, emulator.order)
    return {
        op.global_name: _result(emulator, op)
        for op in declared
        if op.role.data in ("state", "output")
    }


def stored_bytes(
    program: Program, declared: Sequence[GlobalOp], store: WeightStore
) -> tuple[NDArray[np.uint8], int]:
    """The bytes of weights and tables, and the address of the first."""
    regions = [program.region(op.global_name) for op in declared if op.role.data in STORED_ROLES]
    first = min((region.base for region in regions), default=0)
    last = max((region.base + region.nbytes for region in regions), default=0)
    data = np.zeros(last - first, np.uint8)
    filled: dict[str, int] = {}
    for name, piece in weight_pieces(declared, store):
        at = program.region(name).base - first + filled.get(name, 0)
        data[at : at + piece.size] = piece
        filled[name] = filled.get(name, 0) + piece.size
    return data, first


def _result(emulator: Emulator, op: GlobalOp) -> Array:
    element = str(memref_of(op.type).element_type)
    count = int(np.prod(op.shape))
    values = emulator.read(op.global_name, ELEMENTS[element])[:count]
    return values.reshape(op.shape).copy()
