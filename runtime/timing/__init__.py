"""The timing emulator: how long a launch takes, and what every engine was doing or waiting for."""

from .decoded import TimingError
from .launch import time_program
from .result import Charge, TimingResult
from .steps import TimedStep, time_step

__all__ = ["Charge", "TimedStep", "TimingError", "TimingResult", "time_program", "time_step"]
