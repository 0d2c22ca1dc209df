"""Damaged files: every reader gives its one-line error or succeeds; no traceback, hang or flood.

Time and memory of each reading are limited. What was found has a regression test beside the reader.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import (
    HOSTILE_NUMBERS,
    MEMORY,
    SECONDS,
    damaged_bytes,
    damaged_json,
    damaged_numbers,
    damaged_text,
    refused,
)
from hypothesis import given
from hypothesis import strategies as st
from long_runs import announce, fuzzed, refusal
from models import Tiny, write_gguf, write_huggingface

from tilewright.backend.asm import assemble, disassemble
from tilewright.backend.bounds import ModelRecord, bound_of, decode_step
from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image, read_image, rewrite_digest
from tilewright.backend.image.container import header_bytes, read_header
from tilewright.backend.json_text import parse_json
from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler import compile_model, opt
from tilewright.compiler.frontend.builder import EntryShape
from tilewright.compiler.frontend.gguf_file import GgufFile
from tilewright.compiler.frontend.loader import load_model
from tilewright.runtime import Session
from tilewright.runtime.timing.compare import compare
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import time_step
from tilewright.runtime.tokenizer import Tokenizer

TINY = Tiny(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, ffn=16, vocab=300)
SMALL = Tiny(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, ffn=16, vocab=20)
TW_SMALL = load_machine("tw-small")
SEEDS = st.integers(0, 2**32 - 1)


def test_ranges() -> None:
    announce(
        "test_readers",
        {
            "bytes": "1 to 3 of: truncated, a bit flipped, a hostile number, a span cut or doubled",
            "text": "1 to 3 tokens left out, doubled, exchanged, replaced",
            "GGUF's tensor table": "1 to 3 lengths, ranks, extents, types, offsets near or hostile",
            "JSON": "1 to 3 values replaced, removed, moved",
            "hostile numbers": ", ".join(n[:24] for n in HOSTILE_NUMBERS),
            "limits of a reading": f"{SECONDS} s, {MEMORY >> 20} MiB",
        },
    )


class Texts:
    """Whole texts to damage, too long to be printed with a failing example."""

    def __init__(self, texts: list[str]) -> None:
        self.all = texts


def tried(read: Callable[[], object]) -> None:
    """Read, and count what came of it."""
    if refused(read) is not None:
        refusal()


def use_model(path: Path) -> None:
    """All that a front end does: tables, tokenizer, graph, every tensor's bytes."""
    model = load_model(path)
    material = model.tokenizer()
    if material is not None:
        Tokenizer(material.to_dict()).encode("the world")
    model.build(EntryShape("prefill", 1, 2, 4))
    if model.has_weights:
        for name in model.checkpoint.names:
            model.checkpoint.read(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one over the other."""
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A model as GGUF, with either kind of tokenizer."""
    root = tmp_path_factory.mktemp("gguf")
    return {
        kind: write_gguf(root / f"{kind}.gguf", TINY, "F16", tokenizer=kind).read_bytes()
        for kind in ("gpt2", "llama")
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in two shards with everything beside it."""
    return write_huggingface(tmp_path_factory.mktemp("hf") / "model", TINY, "F32", shards=2)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled image."""
    root = tmp_path_factory.mktemp("image")
    model = write_huggingface(root / "model", SMALL, "F32", tokenizer=False)
    compile_model(model, machine="tw-small", max_context=8, chunk=2, output=root / "m.tw")
    return root / "m.tw"


@pytest.fixture(scope="module")
def report(image: Path) -> str:
    """What `tilewright time --json` prints of it."""
    opened = read_image(image)
    step = time_step(opened, Machine.from_dict(opened.machine), "decode")
    return json.dumps(report_of(opened, step).to_dict())


@pytest.fixture(scope="module")
def assembly(image: Path) -> Texts:
    """The text of every entry."""
    return Texts([disassemble(program) for program in read_image(image).entries.values()])


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    """IR of every level."""
    root = tmp_path_factory.mktemp("ir")
    model = write_huggingface(root / "model", SMALL, "F32", tokenizer=False)
    compile_model(
        model, "tw-small", max_context=8, chunk=2, output=root / "m.tw", dump_ir=root / "ir"
    )
    texts = {path.read_text() for path in (root / "ir" / "prefill").glob("*.mlir")}
    return Texts(sorted(texts))


@fuzzed(200)
@given(kind=st.sampled_from(("gpt2", "llama")), seed=SEEDS)
def test_gguf(kind: str, seed: int, gguf_bytes: dict[str, bytes], folder: Path) -> None:
    path = folder / "m.gguf"
    whole = gguf_bytes[kind]
    path.write_bytes(damaged_bytes(whole, seed, head=len(whole) // 2))
    tried(lambda: use_model(path))


@pytest.fixture(scope="module")
def table(gguf_bytes: dict[str, bytes], folder: Path) -> list[tuple[int, int]]:
    """(offset, width) of the numbers of a GGUF file's tensor table, and of the counts in front: the
    lengths of names, ranks, extents, types, offsets."""
    whole, path = gguf_bytes["gpt2"], folder / "whole.gguf"
    path.write_bytes(whole)
    tensors = GgufFile(path).tensors
    first = next(iter(tensors)).encode()
    at, places = whole.index(len(first).to_bytes(8, "little") + first), [(8, 8), (16, 8)]
    for name, tensor in tensors.items():
        rank = at + 8 + len(name)
        kind = rank + 4 + 8 * len(tensor.shape)
        assert whole[at + 8 : rank] == name.encode()
        places += [(at, 8), *((offset, 8) for offset in range(rank + 4, kind, 8))]
        places += [(rank, 4), (kind, 4), (kind + 4, 8)]
        at = kind + 12
    return places


@fuzzed(100)
@given(seed=SEEDS)
def test_the_tensor_table_of_gguf(
    seed: int, gguf_bytes: dict[str, bytes], table: list[tuple[int, int]], folder: Path
) -> None:
    path = folder / "m.gguf"
    path.write_bytes(damaged_numbers(gguf_bytes["gpt2"], table, seed))
    tried(lambda: use_model(path))


FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
)


@fuzzed(200)
@given(name=st.sampled_from(FILES), seed=SEEDS)
def test_files_of_a_directory(name: str, seed: int, directory: Path, folder: Path) -> None:
    model = folder / "model"
    if not model.exists():
        shutil.copytree(directory, model)
    whole = (directory / name).read_bytes()
    if name.endswith(".json"):
        (model / name).write_text(damaged_json(whole.decode(), seed))
    elif seed % 2:
        (model / name).write_bytes(damaged_bytes(whole, seed, head=2000))
    else:
        size = int.from_bytes(whole[:8], "little")
        table = damaged_json(whole[8 : 8 + size].decode(), seed // 2).encode()
        (model / name).write_bytes(len(table).to_bytes(8, "little") + table + whole[8 + size :])
    try:
        tried(lambda: use_model(model))
    finally:
        (model / name).write_bytes(whole)


@fuzzed(100)
@given(seed=SEEDS)
def test_a_config_alone(seed: int, folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(damaged_json(json.dumps(TINY.config()), seed))
    tried(lambda: use_model(path))


def use_image(path: Path) -> None:
    """Everything that looks at an image, short of running it."""
    opened = read_image(path)
    for program in opened.entries.values():
        disassemble(program, opened.opcodes)
    if opened.tokenizer is not None:
        Tokenizer(opened.tokenizer)
    if opened.model:
        record = ModelRecord.from_dict(opened.model)
        bound_of(record.sizes, decode_step([8]), TW_SMALL, "exact", record.formats)
    Session(opened, engine="reference").check([[0]])


@fuzzed(100)
@given(seed=SEEDS)
def test_an_image(seed: int, image: Path, folder: Path) -> None:
    path, whole = folder / "m.tw", image.read_bytes()
    path.write_bytes(damaged_bytes(whole, seed, head=whole.index(b"}}") if seed % 2 else 0))
    tried(lambda: use_image(path))


@fuzzed(150)
@given(seed=SEEDS)
def test_an_image_whose_digests_fit_its_damage(seed: int, image: Path, folder: Path) -> None:
    path, header = folder / "sealed.tw", read_header(image)
    metadata, data = dict(header.metadata), image.read_bytes()[header.data_start :]
    if seed % 3:
        metadata["image"] = damaged_json(metadata["image"], seed // 3)
    else:
        data = damaged_bytes(data, seed // 3)[: len(data)].ljust(len(data), b"\0")
    path.write_bytes(header_bytes(metadata, header.tensors) + data)
    tried(lambda: (rewrite_digest(path), use_image(path)))


@fuzzed(150)
@given(seed=SEEDS)
def test_a_report_of_a_step(seed: int, report: str) -> None:
    text = damaged_json(report, seed)

    def read() -> None:
        try:
            values = parse_json(text)
        except ValueError as error:
            raise TilewrightError(str(error)) from None
        found = StepReport.from_dict(values)
        compare(found, found).to_dict()

    tried(read)


@fuzzed(60)
@given(entry=st.integers(0, 1), seed=SEEDS)
def test_assembly(entry: int, seed: int, assembly: Texts) -> None:
    text = damaged_text(assembly.all[entry], seed)

    def read() -> None:
        program = assemble(text)
        again = disassemble(program)
        assert disassemble(assemble(again)) == again
        Image(machine={}, policy="exact", entries={"main": program}).packed_regions()

    tried(read)


@fuzzed(150)
@given(number=st.integers(0, 99), seed=SEEDS)
def test_ir(number: int, seed: int, dumps: Texts, folder: Path) -> None:
    path = folder / "m.mlir"
    path.write_text(damaged_text(dumps.all[number % len(dumps.all)], seed))
    said = io.StringIO()

    def read() -> None:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = opt.main([str(path)])
        assert (status == 0) == (not said.getvalue()), said.getvalue()
        assert said.getvalue().count("\n") <= 1, said.getvalue()

    tried(read)


@pytest.fixture(scope="module")
def graph(dumps: Texts, folder: Path) -> Texts:
    """A graph that loads: a dump of the graph level without the header that makes it one."""
    dump = next(text for text in dumps.all if "tg.rope " in text and "tg.fused" not in text)
    text = "".join(line for line in dump.splitlines(True) if not line.startswith("//"))
    path = folder / "whole.mlir"
    path.write_text(text)
    load_model(path)
    return Texts([text])


@fuzzed(150)
@given(seed=SEEDS)
def test_a_graph(seed: int, graph: Texts, folder: Path) -> None:
    path = folder / "graph.mlir"
    path.write_text(damaged_text(graph.all[0], seed))
    tried(lambda: load_model(path))


@fuzzed(150)
@given(seed=SEEDS)
def test_a_machine(seed: int, folder: Path) -> None:
    path = folder / "machine.toml"
    numbers = load_machine("tw-small").to_dict()
    lines = [f"{key} = {json.dumps(value)}" for key, value in numbers.items()]
    path.write_text(damaged_text("\n".join(lines), seed))
    tried(lambda: load_machine(path).engines())
