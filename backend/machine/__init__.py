"""Machine descriptions: sizes, rates and latencies of a TW machine, loaded from TOML."""

from .description import Machine, MachineError, load_machine, machine_names

__all__ = ["Machine", "MachineError", "load_machine", "machine_names"]
