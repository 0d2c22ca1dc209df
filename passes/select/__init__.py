"""projected → isa: one `tw` op an instruction. See README.md for the steps."""

from .select import SelectPass, parameter_offsets

__all__ = ["SelectPass", "parameter_offsets"]
