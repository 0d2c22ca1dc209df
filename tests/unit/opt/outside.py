"""A package of somebody else, written and installed into a folder: a dialect and two passes."""

from pathlib import Path
from textwrap import dedent

PACKAGE = '''
"""Passes and a dialect that are not Tilewright's."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.arith import MuliOp
from xdsl.dialects.builtin import ModuleOp, i32
from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.exceptions import PassFailedException

@irdl_op_definition
class NegateOp(IRDLOperation):
    name = "guest.negate"
    value = operand_def(i32)
    result = result_def(i32)
    assembly_format = "$value attr-dict"

@dataclass(frozen=True)
class RefuseProductsPass(ModulePass):
    """Refuses products.

    More than `allowed` of them in a module are too many.
    """

    name = "guest-refuse-products"
    allowed: int = 0
    """Products that a module may have."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        found = [one for one in op.walk() if isinstance(one, MuliOp)]
        if len(found) > self.allowed:
            raise PassFailedException(f"{len(found)} products are too many")

@dataclass(frozen=True)
class SwapPass(ModulePass):
    name = "guest-swap"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        first, second = (one for one in op.walk() if one.name == "tg.scalar")
        first.detach()
        second.parent.insert_op_after(first, second)

UNIVERSE = Universe(
    all_dialects={"guest": lambda: Dialect("guest", [NegateOp], [])},
    all_passes={
        "guest-refuse-products": lambda: RefuseProductsPass,
        "guest-swap": lambda: SwapPass,
    },
)
'''


def install(folder: Path, name: str, source: str = PACKAGE, value: str = "UNIVERSE") -> None:
    """Write the module `name` and its metadata, as an installer would; `folder` is on the path."""
    (folder / f"{name}.py").write_text(dedent(source))
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    entry = f"[xdsl.universe]\n{name} = {name}:{value}\n"
    (metadata / "entry_points.txt").write_text(entry)
