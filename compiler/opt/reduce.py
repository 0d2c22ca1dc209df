"""`--reduce`: a module that fails -> a small one that fails in the same way.

Ops are taken out by halves, quarters, ..., single ones; loops and other ops with one body are
replaced by it; discardable attributes go. Whatever still fails as the first time is kept, until
nothing more can go. A candidate must verify, unless what fails is verification itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.scf import ForOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import DiagnosticException

from ...backend.errors import TilewrightError
from ...dialects.checks import verify_module
from .known import Known
from .watch import first_line, module_text

VERIFICATION = "verification"
"""What fails, where no pass does."""

Edit = Callable[[ModuleOp], bool]
"""Changes a module in place; False where it cannot."""


@dataclass(frozen=True)
class Failure:
    """How something failed: which pass (or command), what kind of error, what it said."""

    at: str
    kind: str
    said: str

    def like(self, other: Failure, text: str | None) -> bool:
        """Whether this is the same failure: it says `text`, or without one the same words."""
        if text is not None:
            return text in self.said
        return (self.at, self.kind, _words(self.said)) == (other.at, other.kind, _words(other.said))


def _words(message: str) -> str:
    """A message without numbers, values, symbols and what is quoted."""
    return re.sub(r"[%@#!]?'[^']*'|[%@#!][\w.-]+|\d+|memref<.*?>|tensor<.*?>", "*", message)


def failure_of_passes(
    module: ModuleOp, passes: Sequence[ModulePass], known: Known
) -> Failure | None:
    """Run passes on a copy of a module, each followed by verification; None if nothing fails."""
    copy, at = module.clone(), VERIFICATION
    try:
        verify_module(copy)
        for one in passes:
            at = one.name
            one.apply(known.context(), copy)
            at = f"{VERIFICATION} after {one.name}"
            verify_module(copy)
    except Exception as error:  # A pass that fails may raise anything.
        return Failure(at, type(error).__name__, first_line(error))
    return None


def failure_of_command(module: ModuleOp, command: str) -> Failure | None:
    """Run a shell command with the module's file in place of `%s`; None if it gives status 0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.mlir"
        path.write_text(module_text(module, locations=True), encoding="utf-8")
        words = command.replace("%s", str(path))
        done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
        output = (done.stderr + done.stdout).replace(str(path), "module.mlir")
    if done.returncode == 0:
        return None
    return Failure("command", f"status {done.returncode}", output)


@dataclass
class Reducer:
    """Shrinks a module as long as it fails like `first`."""

    fails: Callable[[ModuleOp], Failure | None]
    first: Failure
    text: str | None = None
    verified: bool = True
    """Whether a candidate must verify."""
    tries: int = 0

    def reduce(self, module: ModuleOp) -> ModuleOp:
        """The smallest module that was found; the given one is left as it is."""
        best, size = module, -1
        while size != (size := len(_text(best))):
            best = self._without_ops(best)
            best = self._edited(best, _flattened)
            best = self._edited(best, _without_attributes)
        return best

    def still_fails(self, candidate: ModuleOp) -> bool:
        """Whether a candidate is valid and fails in the same way."""
        self.tries += 1
        if self.verified:
            try:
                verify_module(candidate)
            except DiagnosticException:
                return False
        found = self.fails(candidate)
        return found is not None and found.like(self.first, self.text)

    def _without_ops(self, module: ModuleOp) -> ModuleOp:
        """Delta debugging over the ops, from the last to the first, so that uses go before."""
        step = max(1, _count(module) // 2)
        while True:
            end = _count(module)
            while end > 0:
                start = max(0, end - step)
                candidate = module.clone()
                if _take_out(candidate, start, end) and self.still_fails(candidate):
                    module = candidate
                end = start
            if step == 1:
                return module
            step = max(1, step // 2)

    def _edited(self, module: ModuleOp, edits: Callable[[ModuleOp], Iterator[Edit]]) -> ModuleOp:
        """Each edit of a module in turn, kept where it still fails."""
        while True:
            for edit in edits(module):
                candidate = module.clone()
                if edit(candidate) and self.still_fails(candidate):
                    module = candidate
                    break
            else:
                return module


def _text(module: ModuleOp) -> str:
    return module_text(module, locations=True)


def _ops(module: ModuleOp) -> list[Operation]:
    """The module's ops in the order of the text, without itself."""
    return list(module.walk())[1:]


def _count(module: ModuleOp) -> int:
    return len(_ops(module))


def _take_out(module: ModuleOp, start: int, end: int) -> bool:
    """Remove the ops start .. end that can go; False if none can.

    A value that is used elsewhere is replaced by an operand of its type, else the op stays.
    """
    gone = False
    for op in reversed(_ops(module)[start:end]):
        if op.has_trait(IsTerminator):
            continue
        replaced = [_substitute(op, result) for result in op.results]
        for result, other in zip(op.results, replaced, strict=True):
            if result.first_use is not None and other is not None:
                result.replace_all_uses_with(other)
        if all(result.first_use is None for result in op.results):
            op.detach()
            op.erase()
            gone = True
    return gone


def _substitute(op: Operation, result: SSAValue) -> SSAValue | None:
    return next((value for value in op.operands if value.type == result.type), None)


def _flattened(module: ModuleOp) -> Iterator[Edit]:
    """Each loop replaced by one trip of its body."""
    for number, op in enumerate(_ops(module)):
        if isinstance(op, ForOp):
            yield lambda copy, number=number: _one_trip(_ops(copy)[number])


def _one_trip(op: Operation) -> bool:
    """A loop -> its body, with the lower bound for the counter and the first values carried."""
    block = op.parent
    if not isinstance(op, ForOp) or block is None:
        return False
    body = op.body.block
    last = body.last_op
    assert last is not None, "a verified body ends in a yield"
    for argument, value in zip(body.args, (op.lb, *op.iter_args), strict=True):
        argument.replace_all_uses_with(value)
    yielded = list(last.operands)
    last.detach()
    last.erase()
    for inner in list(body.ops):
        inner.detach()
        block.insert_op_before(inner, op)
    for result, value in zip(op.results, yielded, strict=True):
        result.replace_all_uses_with(value)
    op.detach()
    op.erase()
    return True


def _without_attributes(module: ModuleOp) -> Iterator[Edit]:
    """Each discardable attribute taken away."""
    for number, op in enumerate(module.walk()):
        for name in op.attributes:
            yield lambda copy, number=number, name=name: _drop(list(copy.walk())[number], name)


def _drop(op: Operation, name: str) -> bool:
    return op.attributes.pop(name, None) is not None


def reduce_module(
    module: ModuleOp,
    passes: Sequence[ModulePass],
    known: Known,
    text: str | None = None,
    command: str | None = None,
) -> ModuleOp:
    """The reduced module; says on standard error what fails, and how small it became.

    Raises TilewrightError where nothing fails, or not with `text`.
    """

    def fails(candidate: ModuleOp) -> Failure | None:
        if command is not None:
            return failure_of_command(candidate, command)
        return failure_of_passes(candidate, passes, known)

    first = fails(module)
    what = f"'{command}'" if command is not None else "the passes"
    if first is None:
        raise TilewrightError(f"{what} did not fail: there is nothing to reduce")
    if text is not None and text not in first.said:
        raise TilewrightError(f"{what} failed, but did not say '{text}': {_head(first.said)}")
    verified = first.at != VERIFICATION and command is None
    reducer = Reducer(fails, first, text, verified)
    small = reducer.reduce(module)
    print(
        f"// {first.at} fails: {_head(first.said)}\n// {_count(module)} operations became "
        f"{_count(small)}, in {reducer.tries} tries",
        file=sys.stderr,
    )
    return small


def _head(said: str) -> str:
    return said.strip().partition("\n")[0]
