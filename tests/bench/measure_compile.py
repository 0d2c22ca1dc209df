"""Prints seconds and peak memory of compiling as JSON: MODEL IMAGE."""

import json
import resource
import sys

from tilewright.compiler import compile_model


def main() -> None:
    """Compile once."""
    report = compile_model(sys.argv[1], max_context=2048, output=sys.argv[2])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "seconds": report.seconds,
                "program_seconds": report.program_seconds,
                "peak_mb": peak / 1024,
            }
        )
    )


main()
