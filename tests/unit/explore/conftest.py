"""Lets the tests of this folder import the launch of `small.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
