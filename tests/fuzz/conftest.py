"""Lets the tests of this folder import helpers: those beside it, and the models of `tests/e2e`."""

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parent.parent / "e2e"):
    sys.path.insert(0, str(folder))
