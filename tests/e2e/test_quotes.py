"""What is refused, or goes wrong as it runs, is quoted: file and line, model op, channel."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from machines import write_machine
from models import Tiny, write_huggingface

from tilewright.backend.asm import assemble, disassemble
from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image, read_image
from tilewright.backend.isa import Program
from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler import compile_model
from tilewright.compiler.opt import main as opt
from tilewright.compiler.resume import resume_model
from tilewright.passes.tile.search import DoesNotFitError
from tilewright.runtime import Session
from tilewright.runtime.functional.faults import Fault
from tilewright.runtime.timing import TimingError, time_program

SMALL = {"max_context": 8, "chunk": 4}
PARAMETERS = {"rows": 1, "logit_rows": 1, "row_start": [0], "q_len": [1], "kv_len": [3]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model `model`, its image `m.tw` and its dumped IR `ir`."""
    found = tmp_path_factory.mktemp("quotes")
    write_huggingface(found / "model", Tiny(), "F32", tokenizer=False)
    compile_model(found / "model", "tw-small", output=found / "m.tw", dump_ir=found / "ir", **SMALL)
    return found


@pytest.fixture
def image(folder: Path) -> Image:
    return read_image(folder / "m.tw")


def dumped(folder: Path, stage: str) -> str:
    (path,) = (folder / "ir" / "decode").glob(f"[0-9][0-9]-{stage}.mlir")
    return path.read_text()


def without(text: str, pattern: str) -> str:
    """A text without the first line that a pattern is in."""
    lines = text.splitlines(keepends=True)
    lines.remove(next(line for line in lines if re.search(pattern, line)))
    return "".join(lines)


def line_of(text: str, pattern: str) -> int:
    """The number of the first line that a pattern is in."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if re.search(pattern, line))


FFN_BUFFER = r'%sums\S* = tile\.buffer : .* loc\("blk\.\{l\}\.ffn_down"\)'
FFN_MATMUL = r'tile\.matmul .* loc\("blk\.\{l\}\.ffn_down"\)'
SUMS_LOST = (
    r"tile\.buffer at blk\.\{l\}\.ffn_down \(" + "{path}:{line}" + r":\d+\): this accumulator is "
    r"touched by vpu alone"
)


def sums_lost(path: Path) -> str:
    """What must be said of a file that `ffn_down` has no matmul in: its sums' line and name."""
    line = line_of(path.read_text(), FFN_BUFFER)
    return SUMS_LOST.replace("{path}", re.escape(str(path))).replace("{line}", str(line))


@pytest.mark.parametrize(
    ("stage", "passes", "edit", "at"),
    [
        ("tile", "channels", r"nothing", r'tile\.load .* loc\("blk'),
        ("fuse", "channels", r"nothing", r"tg\.fused"),
        ("tile", "project", r"nothing", r"tile\.buffer"),
        ("size-rings", "verify-streams", r'stream\.commit .* loc\("blk\.\{l\}\.ffn_down"\)', ""),
    ],
    ids=["no engine", "another level", "no channel", "no commit"],
)
def test_a_pass_that_fails_names_line_and_model_op(
    stage: str,
    passes: str,
    edit: str,
    at: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = dumped(folder, stage)
    path = tmp_path / "edited.mlir"
    path.write_text(text if edit == "nothing" else without(text, edit))
    assert opt([str(path), "-p", passes]) != 0
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    place = re.search(rf"(\w+\.\w+) at (\S+) \({re.escape(str(path))}:(\d+):\d+\)", said)
    assert place is not None, said
    line = path.read_text().splitlines()[int(place[3]) - 1]
    assert place[1] in line
    assert f'loc("{place[2]}")' in line
    if at:
        assert re.search(at, line)
    else:
        assert place[2] == "blk.{l}.ffn_down"


def test_a_pass_behind_an_edit_by_hand_names_line_and_model_op(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`resume` and `tilewright-opt` say the same of the same text."""
    path = tmp_path / "06-tile.mlir"
    path.write_text(without(dumped(folder, "tile"), FFN_MATMUL))
    with pytest.raises(TilewrightError, match=rf"^{path}: pass channels: {sums_lost(path)}"):
        resume_model([path], output=tmp_path / "m.tw")
    assert opt([str(path), "--to", "streamed"]) == 2
    assert re.search(sums_lost(path), capsys.readouterr().err)


def test_verification_of_an_edit_by_hand_names_line_and_model_op(
    folder: Path, tmp_path: Path
) -> None:
    text = dumped(folder, "tile")
    matmul = re.search(FFN_MATMUL, text)
    assert matmul is not None
    path = tmp_path / "06-tile.mlir"
    path.write_text(text.replace(matmul[0], matmul[0].replace("tile.matmul ", "tile.matmul tn ")))
    line = line_of(path.read_text(), "tile.matmul tn")
    with pytest.raises(TilewrightError, match=rf"^{path}:{line}:\d+: "):
        resume_model([path], output=tmp_path / "m.tw")


def test_what_does_not_fit_names_the_op_and_what_would(folder: Path, tmp_path: Path) -> None:
    def compiled(nbytes: int) -> None:
        machine = replace(load_machine("tw-small"), name="narrow", spm_bytes=nbytes)
        compile_model(folder / "model", write_machine(machine, tmp_path), **SMALL)

    with pytest.raises(DoesNotFitError) as caught:
        compiled(1024)
    said = re.search(
        r"scratchpad of machine narrow too small: 1024 bytes, .* need (\d+); `blk\.\{l\}\.\w+` "
        r"needs most .* at least (\d+) bytes",
        str(caught.value),
    )
    assert said is not None, str(caught.value)
    assert said[1] == said[2]
    compiled(int(said[1]))


def test_allocate_names_the_ops_and_what_would_do(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rings.mlir"
    path.write_text(dumped(folder, "verify-streams"))

    def allocated(nbytes: int) -> str:
        machine = replace(load_machine("tw-small"), name="narrow", spm_bytes=nbytes)
        opt([str(path), "-p", f'allocate{{machine="{write_machine(machine, tmp_path)}"}}'])
        return capsys.readouterr().err

    said = allocated(4096)
    named = re.findall(rf"at (\S+) \({re.escape(str(path))}:(\d+):\d+\)", said)
    assert named, said
    for name, line in named:
        assert f'loc("{name}")' in path.read_text().splitlines()[int(line) - 1]
    would = re.search(r"or a machine with (\d+) bytes of spm", said)
    assert would is not None, said
    alignment = load_machine("tw-small").alignment
    assert allocated(int(would[1])) == ""
    assert "bytes of spm" in allocated(int(would[1]) - alignment)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_fault_names_engine_instruction_and_layer(engine: str, image: Image) -> None:
    """The weights of ffn_down end behind layer 0, so that layer 1 reads beyond them."""

    def shortened(program: Program) -> Program:
        layers = Tiny().layers
        return replace(
            program,
            regions=[
                replace(one, nbytes=one.nbytes // layers) if one.name == "ffn_down" else one
                for one in program.regions
            ],
        )

    with pytest.raises(Fault) as caught:
        shorter = {name: shortened(program) for name, program in image.entries.items()}
        Session(replace(image, entries=shorter), engine).prefill([5, 7])
    said = re.match(
        r"bounds fault at ld instruction (\d+) \(counters 1\b.*\), blk\.1\.ffn_down: copy src "
        r"touches bytes \d+ to \d+ of region 'ffn_down', which has \d+ bytes",
        str(caught.value),
    )
    assert said is not None, str(caught.value)
    place = image.entries["prefill"].locations["ld"][int(said[1])]
    assert place == "blk.{l}.ffn_down"


@pytest.mark.parametrize("engine", ["fast", "events"])
def test_a_deadlock_in_time_names_channel_and_model_op(engine: str, image: Image) -> None:
    """The probabilities are not committed: the matrix unit waits for them for ever."""
    text = disassemble(image.entries["decode"], image.opcodes)
    head, mark, body = text.partition("engine vpu {")
    broken = re.sub(r"(@p\[\S.*?) commit", r"\1", body, count=1)
    assert broken != body
    machine = Machine.from_dict(image.machine)
    program = assemble(head + mark + broken)
    with pytest.raises(TimingError) as caught:
        time_program(program, machine, PARAMETERS, image.opcodes, engine)
    said = str(caught.value)
    assert said.startswith("the program blocks for ever: ")
    waiting = r"mxu at instruction (\d+) \(\w+, blk\.\{l\}\.attention\) is at wait of 'p'"
    found = re.search(waiting, said)
    assert found is not None, said
    assert program.locations["mxu"][int(found[1])] == "blk.{l}.attention"
