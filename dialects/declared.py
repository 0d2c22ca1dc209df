"""The declarations of a module by name."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from .channel import ChannelOp
from .tg import GlobalOp, ScalarOp, TableOp


class Symbols:
    """The declarations of a verified module by name, which are distinct."""

    def __init__(self, module: ModuleOp):
        self.by_name: dict[str, Operation] = {}
        for op in module.ops:
            name = op.properties.get("sym_name")
            if isinstance(name, StringAttr):
                self.by_name[name.data] = op

    def global_(self, name: str) -> GlobalOp:
        """A global by name; VerifyException if there is none."""
        op = self.by_name.get(name)
        if not isinstance(op, GlobalOp):
            raise VerifyException(f"no global is named @{name}")
        return op

    def channel(self, name: str) -> ChannelOp:
        """A channel by name; VerifyException if there is none."""
        op = self.by_name.get(name)
        if not isinstance(op, ChannelOp):
            raise VerifyException(f"no channel is named @{name}")
        return op

    def parameter(self, name: str) -> ScalarOp | TableOp:
        """A launch parameter by name; VerifyException if there is none."""
        op = self.by_name.get(name)
        if not isinstance(op, ScalarOp | TableOp):
            raise VerifyException(f"no launch parameter is named @{name}")
        return op
