"""The command line `tilewright`: one file per family of commands.

Typer is imported here, everything else inside the command that needs it, so that `--help` stays
within 0.3 s.
"""

from .app import main

__all__ = ["main"]
