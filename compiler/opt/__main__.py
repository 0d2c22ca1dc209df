"""`python -m tilewright.compiler.opt`, for where the command is not installed."""

import sys

from . import main

sys.exit(main())
