"""Machine descriptions: sizes, rates and latencies of a TW machine, loaded from TOML."""

from .description import SMALLEST_ALIGNMENT, Machine, MachineError, load_machine, machine_names

__all__ = ["SMALLEST_ALIGNMENT", "Machine", "MachineError", "load_machine", "machine_names"]
