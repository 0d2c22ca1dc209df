"""`tilewright inspect`: what an image holds, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json
from .output import bytes_text, print_columns, print_json

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...backend.image import Image
    from ...backend.isa import Program, Region

SHARED_ROLES = ("weight", "table", "state")
"""Regions that are the same bytes in every entry."""


def inspect(
    image: Annotated[str, typer.Argument(help="An image that `compile` or `asm` wrote.")],
    as_json: Json = False,
) -> None:
    """Print what an image holds: entries, memory map, digest.

    Instructions per engine, launch parameters, symbols with their formats and addresses.

    \b
    Examples:
      tilewright inspect tiny.tw
      tilewright inspect tiny.tw --json
    """
    from ...backend.image import read_image

    found = describe(read_image(image), Path(image))
    if as_json:
        print_json(found)
    else:
        print_description(found)


def describe(image: Image, path: Path) -> dict[str, Any]:
    """Everything that `inspect` prints, as JSON values. Sizes and addresses in bytes."""
    symbols: dict[str, dict[str, Any]] = image.meta.get("symbols", {})
    meta = {
        key: value
        for key, value in image.meta.items()
        if isinstance(value, str | int | float | bool) or value is None
    }
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "digest": image.digest,
        "machine": image.machine["name"],
        "policy": image.policy,
        "kv_block": image.kv_block,
        "weights": image.has_weights,
        "meta": meta,
        "files": {name: len(data) for name, data in image.files.items()},
        "entries": {name: describe_entry(program) for name, program in image.entries.items()},
        "memory": memory_map(image, symbols),
        "packed_twice": packed_twice(image, symbols),
    }


def describe_entry(program: Program) -> dict[str, Any]:
    """Streams, channels, on-chip use and launch parameters of one entry."""
    on_chip = {
        space: max(
            [0]
            + [c.base + c.nbytes for c in program.channels if c.space == space]
            + [r.base + r.nbytes for r in program.regions if r.memory == space]
        )
        for space in ("spm", "acc")
    }
    return {
        "instructions": {engine: len(words) for engine, words in program.engines.items()},
        "channels": [
            {
                "name": c.name,
                "from": c.producer,
                "to": list(c.consumers),
                "slots": c.slots,
                "slot_bytes": c.slot_bytes,
                "space": c.space,
            }
            for c in program.channels
        ],
        "on_chip": on_chip,
        "parameters": {p.name: [p.count, p.lo, p.hi] for p in program.parameters},
    }


def memory_map(image: Image, symbols: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every region of every entry that engines share, by rising address in hbm or spm.

    `entries` names those that use it. Type and recipe are those of what all entries share; inputs,
    outputs and scratch differ in their rows.
    """
    users: dict[Region, list[str]] = {}
    for name, program in image.entries.items():
        for region in program.regions:
            if region.memory != "host" and region.role != "local":
                users.setdefault(region, []).append(name)
    found: list[dict[str, Any]] = []
    for region in sorted(users, key=lambda region: (region.base, region.name)):
        symbol = symbols.get(region.name, {}) if region.role in SHARED_ROLES else {}
        found.append(
            {
                "name": region.name,
                "memory": region.memory,
                "role": region.role,
                "address": region.base,
                "bytes": region.nbytes,
                "entries": users[region],
                "type": symbol.get("type", ""),
                "from": symbol.get("from", ""),
            }
        )
    return found


def packed_twice(image: Image, symbols: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Weights whose recipe another weight has too, and their bytes: a tied head's second copy."""
    seen: set[str] = set()
    twice: dict[str, int] = {}
    for region in image.packed_regions().values():
        recipe = symbols.get(region.name, {}).get("from", "")
        if region.role == "weight" and recipe in seen:
            twice[region.name] = region.nbytes
        if recipe:
            seen.add(recipe)
    return twice


def print_description(found: dict[str, Any]) -> None:
    """`describe`, for people."""
    weights = "" if found["weights"] else ", no weights (shapes only)"
    print(f"{found['path']}: {bytes_text(found['bytes'])}{weights}, digest {found['digest']}")
    facts = {
        "machine": found["machine"],
        "policy": found["policy"],
        "kv block": found["kv_block"],
        **found["meta"],
    }
    print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items()))
    for name, size in found["files"].items():
        print(f"carries {name}, {bytes_text(size)}")
    print("\ninstructions")
    engines = list(dict.fromkeys(e for x in found["entries"].values() for e in x["instructions"]))
    rows = [["entry", *engines, "spm", "acc", "channels"]]
    for name, entry in found["entries"].items():
        counts = [str(entry["instructions"].get(engine, 0)) for engine in engines]
        use = [bytes_text(entry["on_chip"][space]) for space in ("spm", "acc")]
        rows.append([name, *counts, *use, str(len(entry["channels"]))])
    print_columns(rows, right="l" + "r" * (len(engines) + 3))
    print("\nlaunch parameters")
    for name, entry in found["entries"].items():
        texts = [
            f"{key} {f'{count} x ' if count > 1 else ''}{low}..{high}"
            for key, (count, low, high) in entry["parameters"].items()
        ]
        print(f"  {name}: {', '.join(texts) or 'none'}")
    print(f"\n{next((region['memory'] for region in found['memory']), 'hbm')}")
    rows = [["address", "bytes", "role", "name", "entry", "type", "from"]]
    for region in found["memory"]:
        shared = len(region["entries"]) == len(found["entries"])
        rows.append(
            [
                f"{region['address']:#x}",
                str(region["bytes"]),
                region["role"],
                region["name"],
                "all" if shared else ", ".join(region["entries"]),
                region["type"],
                region["from"],
            ]
        )
    print_columns(rows, right="rr")
    for name, size in found["packed_twice"].items():
        print(
            f"{name} is stored in a second order for the matrix unit (tied head): "
            f"{bytes_text(size)} more"
        )
