"""How a benchmark prints what it found beside what is wanted."""

SLACK = 3
"""A figure fails beyond this multiple of its target: timings of a busy machine are noisy."""


def report(what: str, found: float, target: float, unit: str = "") -> bool:
    """Print a line; whether the figure is within the slack (targets are upper limits)."""
    verdict = "" if found <= target else "  MISSED"
    print(f"  {what}: {found:.3g}{unit} (target {target:g}{unit}){verdict}")
    return found <= SLACK * target
