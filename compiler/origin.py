"""What a dumped file belongs to: lines at its head, from which the compiler goes on.

    // tilewright dump
    // after: tile
    // model: /home/me/smollm2.gguf
    // weights-sha256: 1f0c...
    // machine: tw-small
    // machine-sha256: 77ab...
    // policy: exact
    // max-context: 512
    // batch: 1
    // chunk: 128

They are comments of the IR, and meant to be edited like it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..backend.errors import TilewrightError
from ..backend.machine import load_machine
from ..passes.stages import STAGES, UNFUSED
from .frontend import DUMP_TITLE, Model

INPUT = "input"
"""What a file stands behind that no pass has seen."""

_LINE = re.compile(r"//\s*([a-z0-9-]+):\s*(.*?)\s*")


class OriginError(TilewrightError):
    """Lines at the head of a dumped file that cannot be read: names file and line."""


@dataclass(frozen=True)
class Origin:
    """Where dumped IR stands in the pipeline, and what it was compiled from, for, and with.

    A field that is None has no line.
    """

    after: str = INPUT
    """The pass it stands behind, or `input`."""
    model: str | None = None
    """Path of the model."""
    weights_sha256: str | None = None
    """SHA-256 of the file that holds the weights, as `sha256sum` prints it; of several files, that
    of the list that `sha256sum *` prints. Missing where there are none."""
    machine: str | None = None
    """The machine's name, or the path of its description. Passes take it from here."""
    machine_sha256: str | None = None
    """SHA-256 of the machine's description (`Machine.digest()`)."""
    policy: str | None = None
    """The numeric policy."""
    max_context: int | None = None
    """Positions of a sequence."""
    batch: int | None = None
    """Sequences that run together."""
    chunk: int | None = None
    """New positions of a sequence in one prefill launch."""
    kv_block: int | None = None
    """The KV block that was asked for; missing where the search chose it."""
    weights: str | None = None
    """The format that was asked for."""
    unfused: bool | None = None
    """`true` where each op of the graph is a kernel of its own."""
    taken_kv_block: int | None = None
    """The KV block that this entry takes over from one compiled before it; missing for the first,
    and where one was asked for."""
    later_rows: int | None = None
    """Most new rows of a sequence in the entries that take over the KV block of this one."""

    def text(self) -> str:
        """The lines, each with its end."""
        lines = [DUMP_TITLE]
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value is not False:
                shown = "true" if value is True else value
                lines.append(f"// {field.name.replace('_', '-')}: {shown}")
        return "\n".join(lines) + "\n"

    def behind(self, name: str) -> Origin:
        """The same IR once the pass `name` has run; a pass outside of the pipeline moves nothing,
        nor does one that the IR had behind it."""
        order = pipeline_order(bool(self.unfused))
        if name not in order or (
            self.after in order and order.index(name) < order.index(self.after)
        ):
            return self
        return replace(self, after=name)

    def options(self) -> dict[str, Any]:
        """Options of passes, by the names of their fields; those alone that are stated."""
        names = ("machine", "kv_block", "weights", "unfused", "later_rows")
        stated = {name: getattr(self, name) for name in names}
        stated["kv_block"] = self.kv_block or self.taken_kv_block
        return {name: value for name, value in stated.items() if value is not None}

    def of_entry(self, taken_kv_block: int | None, later_rows: int) -> Origin:
        """The origin of one entry: what it takes over, and what follows it."""
        taken = taken_kv_block if self.kv_block is None else None
        return replace(self, taken_kv_block=taken, later_rows=later_rows or None)


def pipeline_order(unfused: bool = False) -> list[str]:
    """The names of the pipeline's passes."""
    stages = UNFUSED if unfused else STAGES
    return [name for names in stages.values() for name in names]


def read_origin(text: str, name: str) -> Origin | None:
    """The lines at the head of a text, None where there are none; `name` is the file's, for errors.

    Raises OriginError for a line that means nothing.
    """
    lines = text.lstrip().splitlines()
    if not lines or lines[0].strip() != DUMP_TITLE:
        return None
    given: dict[str, Any] = {}
    kinds = {field.name: str(field.type) for field in fields(Origin)}
    for line in lines[1:]:
        found = _LINE.fullmatch(line.strip())
        if found is None:
            break
        key, value = found[1].replace("-", "_"), found[2]
        if key not in kinds or key in given:
            known = ", ".join(kind.replace("_", "-") for kind in kinds)
            raise OriginError(
                f"{name}: '{line.strip()}' at its head: wanted one line each of {known}"
            )
        given[key] = _value(kinds[key], value, f"{name}: '{line.strip()}' at its head")
    return _checked(Origin(**given), name)


def _value(kind: str, text: str, where: str) -> object:
    if kind.startswith("int"):
        if not text.isascii() or not text.isdecimal():
            raise OriginError(f"{where}: wanted a number")
        return int(text)
    if kind.startswith("bool"):
        if text not in ("true", "false"):
            raise OriginError(f"{where}: wanted true or false")
        return text == "true"
    if not text:
        raise OriginError(f"{where}: wanted a value, or no such line")
    return text


def _checked(origin: Origin, name: str) -> Origin:
    order = pipeline_order(bool(origin.unfused))
    if origin.after not in (INPUT, *order):
        raise OriginError(
            f"{name}: '// after: {origin.after}' at its head: wanted input or a pass of the "
            f"pipeline: {', '.join(order)}"
        )
    return origin


def origin_of(
    model: Model,
    machine: str,
    policy: str,
    max_context: int,
    batch: int,
    chunk: int,
    kv_block: int | None,
    weights: str | None,
    unfused: bool,
) -> Origin:
    """The origin of everything that is compiled from these; reads the weights for their digest."""
    return Origin(
        model=str(model.path.resolve()),
        weights_sha256=weights_digest(model),
        machine=str(Path(machine).resolve()) if machine.endswith(".toml") else machine,
        machine_sha256=load_machine(machine).digest(),
        policy=policy,
        max_context=max_context,
        batch=batch,
        chunk=chunk,
        kv_block=kv_block,
        weights=weights,
        unfused=unfused or None,
    )


def weights_digest(model: Model) -> str | None:
    """SHA-256 (hex) of the file that holds the weights; of several, that of the list of them that
    `sha256sum *` would print. None for a config alone."""
    digests = [(file_digest(path), path.name) for path in model.checkpoint.files]
    if len(digests) <= 1:
        return digests[0][0] if digests else None
    return hashlib.sha256(_listed(digests).encode()).hexdigest()


def _listed(digests: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{digest}  {name}\n" for digest, name in digests)


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
