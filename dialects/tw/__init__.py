"""The tw dialect: one op an instruction, one program an engine; and the machine's memory spaces."""

from xdsl.ir import Dialect

from ..spaces import AccAttr, EngineAttr, HbmAttr, SpmAttr

Tw = Dialect("tw", [], [HbmAttr, SpmAttr, AccAttr, EngineAttr])

__all__ = ["Tw"]
