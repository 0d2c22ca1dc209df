"""The emulator's own compilation: it takes a while, once on each machine, so it is announced."""

from pathlib import Path

from ...runtime.functional import fast
from ...runtime.timing import fast as timing
from .output import note, progress_bar


def prepare_engine(engine: str) -> None:
    """Have the fast engine at hand, compiled now if it never was; other engines need nothing."""
    if engine != "fast":
        return
    if not fast.cache_folder(Path(fast.__file__).parent).exists():
        note("compiling the emulator, once on this machine ...")
    with progress_bar() as progress:
        progress("starting the emulator", 0, 1)
        fast.compiled_run()


def prepare_timing() -> None:
    """Have the timing engine at hand, compiled now if it never was."""
    if not timing.cache_folder(Path(timing.__file__).parent).exists():
        note("compiling the timing engine, once on this machine ...")
    timing.compiled_run()
