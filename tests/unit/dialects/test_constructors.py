"""Ops made by Python equal the ops that their text makes, and give back what they were made of."""

import pytest
from xdsl.dialects import arith
from xdsl.dialects.builtin import MemRefType, ModuleOp, f32
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from tilewright.backend.isa import dense_view
from tilewright.dialects import context, tw
from tilewright.dialects.checks import check_dominance, verify_module
from tilewright.dialects.locations import locate, location_name, named
from tilewright.dialects.spaces import ACC, SPM
from tilewright.dialects.text import float_attr, float_text, to_f32
from tilewright.dialects.tile import (
    Band,
    BufferOp,
    LoadOp,
    MatmulOp,
    VecOp,
    nbytes,
    reshape,
    root,
    subview,
)


def same(ops: list[Operation], text: str) -> None:
    """The ops print as the text, and the text verifies."""
    module = Parser(context(), text).parse_module()
    module.verify()
    made = ModuleOp(ops)
    made.verify()
    assert made.is_structurally_equivalent(module), f"{made}\n{module}"


def buffer(*shape: int) -> BufferOp:
    return BufferOp(MemRefType(f32, shape, memory_space=SPM))


def test_load_of_a_mixed_box() -> None:
    one, slot = arith.ConstantOp.from_int_and_width(1, 32), buffer(4, 64)
    index = arith.ConstantOp.create(
        result_types=[Parser(context(), "index").parse_type()],
        properties={"value": Parser(context(), "1 : index").parse_attribute()},
    )
    load = LoadOp("x", [0, index.results[0]], [index.results[0], 64], slot.result, "ld1")
    assert load.offsets == (0, index.results[0])
    assert load.sizes == (index.results[0], 64)
    assert load.global_reads() == ["x"]
    assert load.writes() == [slot.result]
    assert one.result is not slot.result
    same(
        [index, slot, load],
        """
        %c1 = arith.constant 1 : index
        %slot = tile.buffer : memref<4x64xf32, #tw.spm>
        tile.load @x[0, %c1] [%c1, 64] to %slot on ld1
        """,
    )


def test_vec_gives_back_its_sources_and_band() -> None:
    a, red = buffer(4, 8), buffer(4, 1)
    vec = VecOp(
        "exp", a.result, 0.125, op="mul", d=2.0, dst=a.result, rop="sum", red=red.result,
        band=Band(None, None, 1, 0, -1e30), engine="vpu",
    )  # fmt: skip
    assert vec.sources == (a.result, 0.125, None, 2.0)
    assert vec.band == Band(None, None, 1, 0, to_f32(-1e30))
    assert vec.shape == (4, 8)
    assert vec.reads() == [a.result]
    assert vec.writes() == [a.result, red.result]
    same(
        [a, red, vec],
        """
        %a = tile.buffer : memref<4x8xf32, #tw.spm>
        %r = tile.buffer : memref<4x1xf32, #tw.spm>
    tile.vec exp(%a * 0.125) mul 2.0 band step 1 axis 0 fill -1.0e30 to %a reduce sum to %r on vpu
        """,
    )


def test_matmul_reads_and_writes() -> None:
    a, w = buffer(4, 8), buffer(8, 16)
    acc = BufferOp(MemRefType(f32, [4, 16], memory_space=ACC))
    matmul = MatmulOp(a.result, w.result, acc.result)
    assert (matmul.reads(), matmul.writes()) == ([a.result, w.result], [acc.result])
    matmul.verify()


def test_parts_lead_back_to_their_buffer() -> None:
    slot = buffer(2, 8, 32)
    part = subview(slot.result, [1, 4, 0], [1, 4, 32], drop=[0])
    assert str(part.result.type) == "memref<4x32xf32, strided<[32, 1], offset: 384>, #tw.spm>"
    flat = reshape(part.result, [128])
    assert root(flat.result) is slot.result
    assert nbytes(flat.result.type) == 512
    module = ModuleOp([slot, part, flat])
    verify_module(module)
    with pytest.raises(VerifyException, match="axis 1: 5 from 4 on is not inside the 8"):
        subview(slot.result, [0, 4, 0], [1, 5, 32])
    with pytest.raises(VerifyException, match="only unit axes are dropped"):
        subview(slot.result, [0, 0, 0], [2, 8, 32], drop=[0])


def test_use_before_definition_is_found() -> None:
    slot = buffer(4)
    vec = VecOp("id", slot.result, dst=slot.result)
    locate(vec, named("blk.{l}.ffn"))
    module = ModuleOp([vec, slot])
    with pytest.raises(
        VerifyException, match=r"tile.vec at blk.\{l\}.ffn: operand 0 is used before"
    ):
        check_dominance(module)
    assert location_name(vec) == "blk.{l}.ffn"


@pytest.mark.parametrize("value", [0.0, 1e-5, 0.1, 1.0, -1e30, 3.4028235e38, 1e-45, 12345678.0])
def test_numbers_survive_their_text(value: float) -> None:
    rounded = to_f32(value)
    text = float_text(rounded)
    assert to_f32(float(text)) == rounded
    assert "." in text


def test_numbers_without_a_text_are_refused() -> None:
    with pytest.raises(ValueError, match="inf is no finite float32"):
        float_attr(float("inf"))


def test_instruction_gives_back_its_operands() -> None:
    count = tw.LiOp(4, tw.RegType("r0"))
    place = tw.Place("h", dense_view("f32", (4, 16), 64), 1, count.result, True, False)
    vec = tw.VecOp({"a": 0.5, "dst": place}, {"f": 3, "op": "none"}, {"rows": count.result})
    assert vec.get_places() == {"dst": place, "a": 0.5}
    assert vec.get_settings() == {"f": "exp", "op": "none"}
    assert vec.get_registers() == {"rows": count.result}
    same(
        [tw.ProgramOp("vpu", region(count, vec))],
        """
        tw.program @vpu {
          %m = tw.li 4 : r0
          tw.vec dst=@h(1)[64 + %m]<4x16xf32, [64, 4]> begin, a=0.5 f exp op none rows %m
        }
        """,
    )


def region(*ops: Operation):
    from xdsl.ir import Block, Region

    return Region(Block(ops))
