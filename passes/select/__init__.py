"""projected → isa: one `tw` op an instruction. See README.md for the steps."""

from .index import IndexValues
from .scalars import Scalars, Scope, Sum
from .select import SelectPass, parameter_offsets

__all__ = ["IndexValues", "Scalars", "Scope", "SelectPass", "Sum", "parameter_offsets"]
