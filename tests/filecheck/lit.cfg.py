"""Plain lit on these files: `lit -v tests/filecheck`. pytest runs the same ones in one process."""

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
config: Any = globals()["config"]  # lit executes this file with it.

config.name = "tilewright"
config.suffixes = [".mlir"]
config.test_format = importlib.import_module("lit.formats").ShTest(execute_external=False)
config.test_source_root = str(HERE)
config.test_exec_root = str(Path(tempfile.gettempdir()) / "tilewright-lit")

# The working tree's compiler, whatever is installed; filecheck comes from the same environment.
config.environment["PYTHONPATH"] = str(HERE.parent / ".ns")
config.environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
config.substitutions.append(
    (r"(?<![\w/.-])tilewright-opt(?![\w/.-])", f"{sys.executable} -m tilewright.compiler.opt")
)
