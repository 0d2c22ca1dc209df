"""What no pass says, so that no FileCheck file can: of encoding, plans, parts, addresses.

`tests/repo/diagnostics.py` names this file with the reason.
"""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import MemRefType, ModuleOp, StridedLayoutAttr, f32
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from tilewright.backend.machine import load_machine
from tilewright.dialects import context
from tilewright.dialects.shaped import memref_of
from tilewright.dialects.spaces import SPM
from tilewright.dialects.stream import AcquireOp
from tilewright.dialects.tile import reshape, subview
from tilewright.passes.check_allocation import check_allocation
from tilewright.passes.encode import encode_module
from tilewright.passes.located import PassError
from tilewright.passes.tile.record import plan_of

COPIES = "\n".join(f"tw.copy dst=@x[{i}]<1xu8, [1]>, src=@x[0]<1xu8, [1]>" for i in range(1100))


def parse(text: str) -> ModuleOp:
    return Parser(context(), text).parse_module()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tg.global input @x : memref<4xf32, #tw.hbm>",
            "@x has no address: allocate comes before encode",
        ),
        (
            "stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm",
            "@a has no address: allocate comes before encode",
        ),
        ("tw.program @ld7 {}", "found ld7: project and select come before encode"),
        (
            "tw.program @ld { %c = arith.constant 1 : index }",
            "arith.constant.*: this is no instruction",
        ),
        (
            f"tg.global input @x : memref<2048xf32, #tw.hbm> at 0 tw.program @ld {{ {COPIES} }}",
            "needs more than 1024 different views",
        ),
    ],
)
def test_encode_refuses(text: str, message: str) -> None:
    with pytest.raises(PassError, match=message):
        encode_module(parse(f"builtin.module {{ {text} }}"), load_machine("tw-small"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ('"none"', "tw.plan is .*, wanted a list of kernels"),
        ("[unit]", "tw.plan holds unit; wanted numbers, strings and lists of them"),
    ],
)
def test_a_plan_that_was_edited_is_refused(plan: str, message: str) -> None:
    module = parse(f"builtin.module attributes {{tw.plan = {plan}}} {{}}")
    with pytest.raises(PassError, match=message):
        plan_of(module, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tg.global input @x : memref<4xf32, #tw.hbm>", "@x has no address"),
        ("stream.channel @a from ld to [vpu] : 1 slots of 64 in #tw.spm", "@a has no address"),
        (
            "%t = tile.buffer on vpu : memref<4xf32, #tw.spm>",
            "tile.buffer.*: this buffer has no address or no engine",
        ),
    ],
)
def test_what_is_not_placed_is_not_checked(text: str, message: str) -> None:
    with pytest.raises(PassError, match=message):
        check_allocation(parse(f"builtin.module {{ {text} }}"), load_machine("tw-small"))


def test_a_gap_forbids_another_shape() -> None:
    gaps = MemRefType(f32, [4, 4], StridedLayoutAttr([8, 1], 0), SPM)
    slot = AcquireOp("a", "ld", MemRefType(f32, [4, 8], memory_space=SPM))
    part = subview(slot.slot, [0, 0], [4, 4])
    assert part.result.type == gaps
    with pytest.raises(VerifyException, match=r"cannot be seen as \[16\] without moving bytes"):
        reshape(part.result, [16])


def test_only_memrefs_have_strides() -> None:
    with pytest.raises(VerifyException, match="f32 is no memref"):
        memref_of(f32)
