"""The emulator's own compilation: it takes a while, once on each machine, so it is announced."""

from pathlib import Path

from ...runtime.functional import fast
from .output import note, progress_bar


def prepare_engine(engine: str) -> None:
    """Compile the fast engine where that was not done before; other engines need nothing."""
    if engine == "fast" and not fast.cache_folder(Path(fast.__file__).parent).exists():
        compile_engine()


def compile_engine() -> None:
    """Compile the fast engine, or load what was compiled before."""
    note("compiling the emulator, once on this machine ...")
    with progress_bar() as progress:
        progress("compiling the emulator", 0, 1)
        fast.compiled_run()
