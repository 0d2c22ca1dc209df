"""Lets the tests of this folder, and `python tests/repo/excerpts.py`, import its helpers alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
