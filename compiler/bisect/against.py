"""Two compilations of one model, on the same launches -> the first pass behind which they differ.

The other side is a chain of modules, of which those behind passes of the same name are compared, or
an image, which each module is compared with. First a difference above the tolerance is looked for;
where there is none, one of bits, from the first tiled module on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from ...backend.errors import TilewrightError
from ...backend.image import LOAD_ENTRY, Image
from ...backend.machine import Machine
from ...dialects.context import context
from ...dialects.lowbit import PackedType
from ...dialects.source import parse_source
from ...dialects.tg import STORED_ROLES, GlobalOp
from ..check import (
    CheckError,
    Launch,
    RandomCheckpoint,
    Results,
    compare,
    level_of,
    run_program,
    tolerance_of,
)
from ..frontend import WeightStore
from .chain import Chain
from .finding import Finding
from .search import Search, Verdict, explained, launches_of

SAME = "compile both from one model, for the same context, batch and chunk"


class ImageEntry:
    """One entry of an image, run with the weights of a launch in the place of its own.

    State and outputs are declared by the chain of the same entry: the image knows types of those
    globals alone that entries share. Raises TilewrightError where the image has another entry.
    """

    def __init__(self, path: Path, image: Image, chain: Chain) -> None:
        entry = chain.entry
        if entry not in image.entries:
            raise TilewrightError(f"{path} has no entry {entry}: it has {', '.join(image.entries)}")
        self.path, self.image, self.entry = path, image, entry
        lines = [
            f'tg.global {one["role"]} @{name} : {one["type"]} from "{one["from"]}"'
            for name, one in image.meta.get("symbols", {}).items()
            if one["role"] in STORED_ROLES
        ]
        parsed = parse_source(context(), "\n".join(lines), str(path))
        self.stored = [op for op in parsed.ops if isinstance(op, GlobalOp)]
        own = [op for op in chain.links[0].module.ops if isinstance(op, GlobalOp)]
        self.declared = [op for op in own if op.role.data in ("state", "output")]

    def results(self, launch: Launch, checkpoint: RandomCheckpoint) -> Results:
        """State and outputs. Raises TilewrightError where the launch does not fit."""
        try:
            return run_program(
                self.image.entries[self.entry],
                [*self.stored, *self.declared],
                launch,
                WeightStore(checkpoint.read),
                Machine.from_dict(self.image.machine),
                filled=self.image.entries.get(LOAD_ENTRY),
                opcodes=self.image.opcodes,
            )
        except TilewrightError as error:
            raise TilewrightError(f"{self.path}, {self.entry}: {error}: {SAME}") from error


def compare_with_chain(
    chain: Chain, other: Chain, name: str, command: str, seed: int, tolerance: float | None
) -> Finding | None:
    """The first module of a chain that computes something else than that of the other behind the
    same pass; None if none does. `name` is the other's. Raises TilewrightError where the other
    cannot run.
    """
    numbers = {link.name: number for number, link in reversed(list(enumerate(other.links)))}
    pairs = [(n, numbers[one.name]) for n, one in enumerate(chain.links) if one.name in numbers]
    if not pairs:
        raise TilewrightError(f"{name}: holds no {chain.entry} behind any pass that is compared")
    same = formats_of(chain.links[-1].module) == formats_of(other.links[-1].module)
    checkpoint = _checkpoint(chain, seed, same)
    sides = [
        (Search(chain, launch, checkpoint, seed), Search(other, launch, checkpoint, seed))
        for launch in launches_of(chain, seed)
    ]
    for rounding in (False, True) if tolerance is None else (False,):
        for ours, theirs in sides:
            agreed = ""
            for n, m in pairs:
                if chain.text(n) != other.text(m):
                    try:
                        want = theirs.results(m)
                    except TilewrightError as error:
                        raise TilewrightError(
                            f"{name}, {chain.entry} behind {chain.links[n].name}: {error}: {SAME}"
                        ) from error
                    verdict = _differs(ours, n, want, tolerance, rounding)
                    if verdict is not None:
                        allowed = _allowed(ours, n, tolerance, rounding)
                        both = (name, "this")
                        base = (theirs, m)
                        found = explained(ours, n, base, verdict, want, allowed, command, both)
                        return replace(found, against=name, agreed=agreed, rounding=rounding)
                agreed = chain.links[n].name
    return None


def compare_with_image(
    chain: Chain, other: ImageEntry, command: str, seed: int, tolerance: float | None
) -> Finding | None:
    """The first module of a chain that computes something else than the image; None if the last
    does not. Raises TilewrightError where the image cannot run.
    """
    formats = formats_of(chain.links[-1].module), _formats(other.stored)
    checkpoint = _checkpoint(chain, seed, formats[0] == formats[1])
    searches = [Search(chain, one, checkpoint, seed) for one in launches_of(chain, seed)]
    wants: dict[int, Results] = {}
    for rounding in (False, True) if tolerance is None else (False,):
        for number, ours in enumerate(searches):
            if number not in wants:
                wants[number] = other.results(ours.launch, checkpoint)
            want = wants[number]
            last = len(chain.links) - 1
            if _differs(ours, last, want, tolerance, rounding) is None:
                continue
            verdicts = (_differs(ours, n, want, tolerance, rounding) for n in range(last + 1))
            bad, verdict = next((n, one) for n, one in enumerate(verdicts) if one is not None)
            if bad == 0:
                verdict = replace(verdict, message=verdict.message + _told_apart(*formats))
            base = (ours, bad - 1) if bad else None
            allowed = _allowed(ours, bad, tolerance, rounding)
            found = explained(ours, bad, base, verdict, want, allowed, command)
            agreed = chain.links[bad - 1].name if bad else ""
            return replace(found, against=str(other.path), agreed=agreed, rounding=rounding)
    return None


def _checkpoint(chain: Chain, seed: int, same_formats: bool) -> RandomCheckpoint:
    """Weights in the formats that both sides end with, where they do; else in the model's own."""
    checkpoint = RandomCheckpoint(chain.links[0].module, seed)
    for link in chain.links if same_formats else ():
        checkpoint.learn_formats(link.module)
    return checkpoint


def _allowed(ours: Search, number: int, tolerance: float | None, rounding: bool) -> float:
    if rounding:
        return 0.0
    return tolerance_of(ours.chain.links[number].module) if tolerance is None else tolerance


def _differs(
    ours: Search, number: int, want: Results, tolerance: float | None, rounding: bool
) -> Verdict | None:
    link = ours.chain.links[number]
    if rounding and level_of(link.module) == "tensor":
        return None
    try:
        found = ours.results(number)
    except TilewrightError as error:
        return Verdict(str(error))
    try:
        allowed = _allowed(ours, number, tolerance, rounding)
        compare(link.module, link.name, found, want, allowed, ours.launch)
    except CheckError as error:
        return Verdict(str(error), None, found)
    return None


def formats_of(module: ModuleOp) -> dict[str, str]:
    """Packed parameters of a module, each with its format."""
    return _formats([op for op in module.ops if isinstance(op, GlobalOp)])


def _formats(declared: Sequence[GlobalOp]) -> dict[str, str]:
    return {
        op.global_name: op.type.format.data for op in declared if isinstance(op.type, PackedType)
    }


def _told_apart(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Formats that differ, which no pass here explains."""
    other = [
        f"@{name} is {theirs[name]} there and {ours[name]} here"
        for name in ours
        if name in theirs and theirs[name] != ours[name]
    ]
    return f"; {other[0]}, as {len(other)} of {len(ours)} parameters" if other else ""
