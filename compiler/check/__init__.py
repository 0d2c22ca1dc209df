"""`--check-each-pass`: a module is run before and after every pass, on random weights and launches.

    checker = PassChecker("tw-small")
    run_passes(module, passes, [checker.after_pass])

Tensors are run by the tensor interpreter, tiles by the tile interpreter, instructions by the
emulator's reference engine. Results of tensor levels agree within a tolerance, those from the tiled
level down to the bit. Streamed programs are also run by engine and searched for races.
"""

from .checkpoint import CheckInputError, RandomCheckpoint
from .compare import (
    TOLERANCES,
    CheckError,
    compare,
    differences,
    launch_text,
    limit,
    tolerance_of,
    writers_of,
)
from .isa import run_isa, run_program, stored_bytes
from .launch import Array, Launch, random_launch
from .levels import Results, level_of, run_level, stored
from .pass_checker import PassChecker, check_pass, widened

__all__ = [
    "TOLERANCES",
    "Array",
    "CheckError",
    "CheckInputError",
    "Launch",
    "PassChecker",
    "RandomCheckpoint",
    "Results",
    "check_pass",
    "compare",
    "differences",
    "launch_text",
    "level_of",
    "limit",
    "random_launch",
    "run_isa",
    "run_level",
    "run_program",
    "stored",
    "stored_bytes",
    "tolerance_of",
    "widened",
    "writers_of",
]
