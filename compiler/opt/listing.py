"""`--list-passes`, `--list-dialects` and `--pass-help`: what there is, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill, indent

from ...passes.page import pass_options, pass_text
from ...passes.stages import REASONS
from .known import Known
from .selection import find_pass

WIDTH = 96
"""Columns of wrapped text."""


def passes(known: Known) -> str:
    """All passes by owner; the project's in pipeline order, with the first line of each."""
    lines: list[str] = []
    for owner, names in by_owner(known.owner_of_pass).items():
        lines += [f"{owner}:"]
        if owner == "xdsl":
            lines.append(indent(fill(", ".join(names), WIDTH, break_on_hyphens=False), "  "))
            continue
        for name in names:
            first = pass_text(known.load(name)).partition("\n\n")[0]
            lines.append(f"  {name:18} {' '.join(first.split())}".rstrip())
    return "\n".join(lines) + "\n"


def dialects(known: Known) -> str:
    """All dialects by owner."""
    lines: list[str] = []
    for owner, names in by_owner(known.owner_of_dialect).items():
        lines += [f"{owner}:", indent(fill(", ".join(names), WIDTH, break_on_hyphens=False), "  ")]
    return "\n".join(lines) + "\n"


def by_owner(owners: Mapping[str, str]) -> dict[str, list[str]]:
    """Owner -> what is its, both in the order of the mapping."""
    found: dict[str, list[str]] = {}
    for name, owner in owners.items():
        found.setdefault(owner, []).append(name)
    return found


def pass_help(known: Known, names: Sequence[str]) -> str:
    """What each of the passes does, and its options. Raises TilewrightError for an unknown name."""
    return "\n".join(_pass_help(known, name) for name in names)


def _pass_help(known: Known, name: str) -> str:
    kind = find_pass(name, known)
    lines = [f"{name} ({known.owner_of_pass[name]})"]
    if text := pass_text(kind):
        lines += [indent(text, "  ")]
    if name in REASONS:
        lines += ["", indent(fill(f"Order: {REASONS[name]}", WIDTH), "  ")]
    lines += ["", "  options:" if pass_options(kind) else "  It has no options."]
    for one in pass_options(kind):
        default = f", by default {one.default}" if one.default else ""
        lines.append(f"    {one.name} ({one.type}{default})")
        if one.meaning:
            lines.append(indent(fill(one.meaning, WIDTH - 8), "        "))
    return "\n".join(lines) + "\n"
