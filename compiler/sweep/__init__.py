"""Sweeps: one step of a model on many machines, with time, energy, area and their Pareto front."""

from .cache import Cache, default_folder, model_digest, result_key
from .front import pareto_front
from .measured import Measured, Workload, measure
from .points import Point, held_back, points_of, read_settings
from .run import Result, Sweep, default_jobs, run_points
from .units import SweepError, write_number

__all__ = [
    "Cache",
    "Measured",
    "Point",
    "Result",
    "Sweep",
    "SweepError",
    "Workload",
    "default_folder",
    "default_jobs",
    "held_back",
    "measure",
    "model_digest",
    "pareto_front",
    "points_of",
    "read_settings",
    "result_key",
    "run_points",
    "write_number",
]
