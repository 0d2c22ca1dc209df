"""The timing emulator: how long a launch takes, and what every engine was doing or waiting for."""

from .decoded import Decoded, Step, TimingError, decoded, steps_of
from .fast import WORTH, run_fast
from .fewer_layers import Shortened, shortened
from .launch import time_program
from .report import StepReport, report_of
from .result import PICOSECONDS, Charge, TimingResult
from .steps import TimedStep, time_step
from .trace import record_launch
from .trace_record import Recorder

__all__ = [
    "PICOSECONDS",
    "WORTH",
    "Charge",
    "Decoded",
    "Recorder",
    "Shortened",
    "Step",
    "StepReport",
    "TimedStep",
    "TimingError",
    "TimingResult",
    "decoded",
    "record_launch",
    "report_of",
    "run_fast",
    "shortened",
    "steps_of",
    "time_program",
    "time_step",
]
