"""The passes by name, in the order of the pipeline.

Each file holds one pass; `compiler.opt` and the pipeline read this table. A factory imports its
file when it is asked for, so naming a pass loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.passes import ModulePass

Factory = Callable[[], "type[ModulePass]"]


def late(module: str, name: str) -> Factory:
    """The pass class `name` of the file `module` of this folder, imported when called."""

    def load() -> type[ModulePass]:
        from xdsl.passes import ModulePass

        found: object = getattr(import_module(f".{module}", __package__), name)
        assert isinstance(found, type), f"{name} is no class"
        assert issubclass(found, ModulePass), f"{name} is no pass"
        return found

    return load


# One line a pass: its name on the command line, its file, its class.
PASSES: dict[str, Factory] = {
    "canonicalise": late("canonicalise", "CanonicalisePass"),
    "merge": late("merge", "MergePass"),
    "fuse": late("fuse", "FusePass"),
    "choose-formats": late("choose_formats", "ChooseFormatsPass"),
    "choose-panels": late("choose_panels", "ChoosePanelsPass"),
    "tile": late("tile", "TilePass"),
    "reside": late("reside", "ResidePass"),
    "assign-engines": late("assign_engines", "AssignEnginesPass"),
    "channels": late("channels", "ChannelsPass"),
    "skew": late("skew", "SkewPass"),
    "size-rings": late("size_rings", "SizeRingsPass"),
    "verify-streams": late("verify_streams", "VerifyStreamsPass"),
    "allocate": late("allocate", "AllocatePass"),
    "project": late("project", "ProjectPass"),
    "select": late("select", "SelectPass"),
    "expand-attention": late("expand_attention", "ExpandAttentionPass"),
    "erase-channels": late("erase_channels", "EraseChannelsPass"),
}
"""Every pass by its name on the command line, in pipeline order."""
