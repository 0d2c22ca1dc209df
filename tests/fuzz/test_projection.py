"""Random streamed programs: verified ones run the same in every interleaving, projected or not.

A program is a block of jobs and loops. A job loads a block of x (producer part), works on it and
stores a row of y (consumer part); producer parts of one block are hoisted over earlier jobs at
random, so rings need several slots. Loop counts are constants, launch parameters, or numbers that
come from data through a scalar channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import announce, fuzzed
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.compiler.interp.races import find_races
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context
from tilewright.passes.erase_channels import erase_channels
from tilewright.passes.project import ProjectPass
from tilewright.passes.verify_streams import StreamError, verify_streams

Array = NDArray[Any]
ROWS = 16
"""Rows of x and y."""
COUNTS = ("%c0", "%c1", "%c2", "%c3", "%n")
LOADERS = ("ld", "ld1")


@dataclass
class Job:
    """One block of x to one row of y.

    Attributes:
        channel: number of the input ring.
        row: of x and y, besides the loop counters.
        extra: whether a store engine reads the input slot too.
        early: how many jobs of its block the load is hoisted over.
    """

    channel: int
    row: int
    extra: bool
    early: int


@dataclass
class Repeat:
    """A loop around statements; a count of "" comes from data."""

    count: str
    body: "list[Job | Repeat]"


@dataclass
class Text:
    """Writes a program; every name is used once."""

    lines: list[str] = field(default_factory=list[str])
    names: int = 0

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"%{prefix}{self.names}"

    def add(self, *lines: str) -> None:
        self.lines += lines


jobs = st.builds(Job, st.integers(0, 2), st.integers(0, ROWS - 1), st.booleans(), st.integers(0, 2))
blocks = st.recursive(
    st.lists(jobs, min_size=1, max_size=4),
    lambda inner: st.lists(
        st.one_of(jobs, st.builds(Repeat, st.sampled_from((*COUNTS, "")), inner)),
        min_size=1,
        max_size=3,
    ),
    max_leaves=6,
)

SLOT = "memref<1x16xf32, #tw.spm>"


def write_block(text: Text, body: "Sequence[Job | Repeat]", at: str) -> None:
    """Jobs and loops, loads hoisted; `at` is the sum of the loop counters around."""
    ready: dict[int, list[str]] = {0: [], 1: [], 2: []}
    loaded: set[int] = set()
    for i, one in enumerate(body):
        if isinstance(one, Repeat):
            write_loop(text, one, at)
            continue
        following = [j for j in range(i, len(body)) if isinstance(body[j], Job)]
        for j in following:
            other = body[j]
            if not isinstance(other, Job) or any(isinstance(x, Repeat) for x in body[i:j]):
                break
            if j in loaded or not (j == i or j - i <= other.early):
                continue
            older = [k for k in range(i, j) if same_ring(body[k], other) and k not in loaded]
            if not older:
                ready[other.channel].append(write_load(text, other, at))
                loaded.add(j)
        write_work(text, one, at)


def same_ring(one: Job | Repeat, other: Job) -> bool:
    return isinstance(one, Job) and one.channel == other.channel


def index(text: Text, at: str, row: int) -> str:
    """(counters + row) mod ROWS."""
    total, name = text.name("i"), text.name("i")
    text.add(f"{total} = arith.addi {at}, %r{row} : index")
    text.add(f"{name} = arith.remui {total}, %rows : index")
    return name


def write_load(text: Text, job: Job, at: str) -> str:
    engine, row, slot = LOADERS[job.channel % 2], index(text, at, job.row), text.name("s")
    text.add(
        f"{slot} = stream.acquire @in{job.channel} on {engine} : {SLOT}",
        f"tile.load @x[{row}, 0] [1, 16] to {slot} on {engine}",
        f"stream.commit {slot}",
    )
    return slot


def write_work(text: Text, job: Job, at: str) -> None:
    slot, out, row = text.name("s"), text.name("o"), index(text, at, job.row)
    text.add(
        f"{slot} = stream.wait @in{job.channel} on vpu : {SLOT}",
        f"tile.vec id({slot} * 2.0 + %sum) to %sum on vpu",
        f"{out} = stream.acquire @out on vpu : {SLOT}",
        f"tile.vec id(%sum) sub {slot} to {out} on vpu",
        f"stream.release {slot}",
        f"stream.commit {out}",
    )
    stored, second = text.name("o"), text.name("t")
    text.add(f"{second} = stream.wait @in{job.channel} on st : {SLOT}")
    if job.extra:
        text.add(f"tile.store {second} to @z[{row}, 0] [1, 16] on st")
    text.add(
        f"stream.release {second}",
        f"{stored} = stream.wait @out on st : {SLOT}",
        f"tile.store {stored} to @y[{row}, 0] [1, 16] on st",
        f"stream.release {stored}",
    )


def write_loop(text: Text, loop: Repeat, at: str) -> None:
    count, counter, total = loop.count, text.name("l"), text.name("a")
    if not count:
        count = text.name("n")
        where = index(text, at, 3)
        text.add(f"stream.send %table[{where}] to @count on vpu", f"{count} = stream.recv @count")
    text.add(f"scf.for {counter} = %c0 to {count} step %c1 {{")
    text.add(f"{total} = arith.addi {at}, {counter} : index")
    write_block(text, loop.body, total)
    text.add("}")


def program(body: "Sequence[Job | Repeat]", slots: dict[str, int]) -> str:
    """The module's text; rings have `slots`, 1 where it says nothing."""
    text = Text()
    write_block(text, body, "%c0")
    declared = [
        f"tg.global input @x : memref<{ROWS}x16xf32, #tw.hbm>",
        f"tg.global input @counts : memref<{ROWS}xi32, #tw.hbm>",
        f"tg.global output @y : memref<{ROWS}x16xf32, #tw.hbm>",
        f"tg.global output @z : memref<{ROWS}x16xf32, #tw.hbm>",
        "tg.scalar @n : 0 to 3",
        f"stream.channel @count from vpu to [ld, ld1, st, vpu] : scalars {slots.get('count', 1)} "
        "max 3",
        f"stream.channel @table from ld to [vpu] : 1 slots of {ROWS * 4} in #tw.spm",
        f"stream.channel @out from vpu to [st] : {slots.get('out', 1)} slots of 64 in #tw.spm",
    ]
    for i in range(3):
        count = slots.get(f"in{i}", 1)
        declared.append(
            f"stream.channel @in{i} from {LOADERS[i % 2]} to [vpu, st] : {count} slots of 64 in "
            "#tw.spm"
        )
    constants = [f"%c{i} = arith.constant {i} : index" for i in range(4)]
    constants += [f"%r{i} = arith.constant {i} : index" for i in range(ROWS)]
    start = [
        *constants,
        f"%rows = arith.constant {ROWS} : index",
        "%n = tg.get @n",
        f"%t0 = stream.acquire @table on ld : memref<{ROWS}xi32, #tw.spm>",
        f"tile.load @counts[0] [{ROWS}] to %t0 on ld",
        "stream.commit %t0",
        f"%table = stream.wait @table on vpu : memref<{ROWS}xi32, #tw.spm>",
        f"%sum = tile.buffer on vpu : {SLOT}",
        "tile.vec id(0.0) to %sum on vpu",
    ]
    lines = [*start, *text.lines, "stream.release %table", "func.return"]
    return "\n".join(["builtin.module {", *declared, "func.func @main() {", *lines, "}", "}"])


def parse(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def arrays() -> dict[str, Array]:
    random = np.random.default_rng(11)
    x = random.standard_normal((ROWS, 16)).astype(np.float32)
    return {"x": x, "counts": random.integers(0, 4, ROWS).astype(np.int32)}


def has_data_counts(body: "Sequence[Job | Repeat]") -> bool:
    return any(isinstance(x, Repeat) and (not x.count or has_data_counts(x.body)) for x in body)


def bits(results: dict[str, Array]) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in results.items()}


def test_ranges() -> None:
    announce(
        "test_projection",
        {
            "program": "jobs and loops in up to 6 blocks, loads hoisted over 0 to 2 jobs, 3 rings",
            "loops": f"{', '.join(COUNTS)} trips, %n 0 to 3, or what data says",
            "slots": "as many as are needed, and 0 to 2 more",
        },
    )


@fuzzed(25)
@given(blocks, st.integers(0, 3), st.integers(0, 2), st.integers(0, 1000))
def test_every_interleaving_of_a_verified_program_gives_its_bits(
    body: "list[Job | Repeat]", n: int, spare: int, seed: int
) -> None:
    marks = verify_streams(parse(program(body, {})), check_room=False)
    module = parse(program(body, {name: mark + spare for name, mark in marks.items()}))
    verify_streams(module)
    data, parameters = arrays(), {"n": n}
    want = bits(run_tile(module, data, parameters))
    assert find_races(module, data, parameters) == []
    projected = module.clone()
    ProjectPass().apply(context(), projected)
    for number in (seed, seed + 1):
        assert bits(run_tile(module, data, parameters, seed=number)) == want
        assert bits(run_tile(projected, data, parameters, seed=number)) == want


@fuzzed(25)
@given(blocks, st.integers(0, 3))
def test_rings_one_slot_short_are_refused(body: "list[Job | Repeat]", n: int) -> None:
    marks = verify_streams(parse(program(body, {})), check_room=False)
    for name in [name for name, mark in marks.items() if mark > 1]:
        short = parse(program(body, marks | {name: marks[name] - 1}))
        with pytest.raises(StreamError, match=f"ring @{name} has {marks[name] - 1} slots"):
            verify_streams(short)


@fuzzed(25)
@given(blocks, st.integers(0, 3))
def test_erased_channels_leave_a_tiled_program_with_the_bits(
    body: "list[Job | Repeat]", n: int
) -> None:
    if has_data_counts(body):
        return
    marks = verify_streams(parse(program(body, {})), check_room=False)
    text = program(body, marks)
    data, parameters = arrays(), {"n": n}
    want = bits(run_tile(parse(text), data, parameters))
    tiled = parse("\n".join(line for line in text.split("\n") if "@count " not in line))
    erase_channels(tiled)
    tiled.verify()
    assert bits(run_tile(tiled, data, parameters)) == want
