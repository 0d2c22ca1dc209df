"""`tilewright step`: the debugger executes what the emulator does, and explains where it stops."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from models import Tiny, write_huggingface

from tilewright.backend.asm import assemble, disassemble
from tilewright.backend.image import Image, read_image
from tilewright.backend.machine import Machine
from tilewright.compiler import compile_model
from tilewright.compiler.cli import main
from tilewright.runtime import Session
from tilewright.runtime.debugger import Debugger, DebuggerError, Quit, Restart
from tilewright.runtime.stepped import launch_of_prompt

IDS = [5, 7, 11]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("step")
    model = write_huggingface(folder / "model", Tiny(), tokenizer=False)
    target = folder / "tiny.tw"
    compile_model(model, "tw-small", max_context=16, chunk=4, output=target)
    return target


@pytest.fixture
def image(path: Path) -> Image:
    return read_image(path)


def logits(debugger: Debugger) -> np.ndarray:
    """Of the first row."""
    region = debugger.program.region("logits")
    return debugger.memories.read(region, np.float32)[: Tiny().vocab]


@pytest.mark.parametrize("order", ["sequential", "loads-earliest", "stores-latest", "random:3"])
def test_a_stepped_launch_has_the_bits_of_a_run(image: Image, order: str) -> None:
    session = Session(image, "reference")
    want = session.prefill(IDS)
    debugger = launch_of_prompt(image, IDS, "prefill", order)
    assert debugger.run("continue") == ["the launch has ended"]
    assert logits(debugger).tobytes() == want.tobytes()
    done = {e.name: e.executed for e in debugger.engine.engines}
    assert {name: done[name] for name in session.executed} == session.executed


def test_engines_go_on_as_told(image: Image) -> None:
    session = Session(image, "reference")
    session.prefill(IDS[:2])
    want = session.decode(IDS[2])
    debugger = launch_of_prompt(image, IDS, "decode", "sequential")
    while not debugger.ended:
        for name in reversed(debugger.loaded.engines):
            debugger.run(f"step {name} 7")
    assert logits(debugger).tobytes() == want.tobytes()


def test_what_is_shown(image: Image) -> None:
    debugger = launch_of_prompt(image, IDS, "prefill", "sequential")
    assert debugger.run("print tokens 3") == ["tokens: 4xi32: 5 7 11"]
    assert debugger.run("step")[0].startswith("ld 0 [")
    blocked = debugger.run("step mxu 9999")[-1]
    assert "blocked: wait of @" in blocked
    assert "wanted commit by" in blocked
    assert f"  {blocked}" in debugger.run("engines")
    stopped = debugger.run("continue blk.1.ffn_down")
    assert stopped[0] == "stop at blk.1.ffn_down"
    assert "[blk.1.ffn_down]" in stopped[1]
    assert debugger.run("break @weights") == []
    assert debugger.run("continue")[0] == "stop at @weights"
    assert "@weights" in debugger.where()
    assert debugger.run("delete") == []
    assert len(debugger.run("channels")) == len(debugger.program.channels)
    assert " free, " in debugger.run("print @weights")[0]
    assert "c0 = " in debugger.run("registers ld")[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fly", "'fly' is no command"),
        ("re", "is one of registers, restart"),
        ("step gpu", "no engine 'gpu'"),
        ("print tokens x", "wanted a number"),
        ("delete here", "no breakpoint 'here'"),
    ],
)
def test_what_cannot_be_followed(image: Image, line: str, said: str) -> None:
    debugger = launch_of_prompt(image, IDS, "prefill", "sequential")
    with pytest.raises(DebuggerError, match=said):
        debugger.run(line)


def test_leaving_and_beginning_again(image: Image) -> None:
    debugger = launch_of_prompt(image, IDS, "prefill", "sequential")
    with pytest.raises(Quit):
        debugger.run("quit")
    with pytest.raises(Restart):
        debugger.run("restart")


def test_a_commit_that_is_taken_out_is_named(image: Image) -> None:
    text = disassemble(image.entries["prefill"], image.opcodes)
    head, mark, body = text.partition("engine ld {")
    broken = assemble(head + mark + body.replace(" commit", "", 1))
    whole = launch_of_prompt(image, IDS, "prefill", "sequential")
    machine = Machine.from_dict(image.machine)
    debugger = Debugger(broken, machine, whole.memories, whole.engine.words)
    said = debugger.run("continue")
    assert "deadlock fault" in said[0] or "fault at" in said[0]
    assert debugger.fault is not None
    channel = body[: body.index(" commit")].rpartition("@")[2].partition("[")[0]
    assert f"@{channel}" in "\n".join(said)
    assert debugger.run("step") == said
    assert "ld" in "\n".join(debugger.run("engines"))


def test_the_command_reads_a_pipe_and_a_script(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = tmp_path / "look.txt"
    script.write_text("step 2\nrestart\nstep  # the same again\nnonsense\nquit\nstep\n")
    base = ["step", str(path), "--ids", "5,7"]
    said: list[str] = []
    for arguments in (base, [*base, "--script", str(script)]):
        monkeypatch.setattr(sys, "stdin", io.StringIO(script.read_text()))
        with pytest.raises(SystemExit) as status:
            main(arguments)
        assert status.value.code == 0
        out, err = capsys.readouterr()
        assert "'nonsense' is no command" in err
        said.append(out)
    assert said[0] == said[1]
    assert "the launch begins again" in said[0]
    assert said[0].count("ld 0 [") == 4
