"""Dumped IR, edited or not, goes on to an image; what does not fit it is refused in one line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from models import Tiny, write_gguf, write_huggingface

from tilewright.backend.errors import TilewrightError
from tilewright.compiler import compile_model
from tilewright.compiler.check import pass_checker
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.opt import main as opt
from tilewright.compiler.origin import Origin, pipeline_order, read_origin, weights_digest
from tilewright.compiler.resume import resume_model
from tilewright.runtime import Session

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
STAGES = ["input", *pipeline_order()]
TOKENS = [12, 7, 99, 4]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder with the sample's dumped IR and image, and the image's digest."""
    folder = tmp_path_factory.mktemp("sample")
    report = compile_model(
        SAMPLE, "tw-small", 64, chunk=16, output=folder / "m.tw", dump_ir=folder / "ir"
    )
    return folder, report.digest


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model `model` and its dumped IR `ir`."""
    folder = tmp_path_factory.mktemp("tiny")
    write_huggingface(folder / "model", Tiny(), "F32", tokenizer=False)
    compile_model(
        folder / "model", "tw-small", 8, chunk=4, output=folder / "m.tw", dump_ir=folder / "ir"
    )
    return folder


def dumped(folder: Path, entry: str, stage: str) -> Path:
    (path,) = (folder / "ir" / entry).glob(f"[0-9][0-9]-{stage}.mlir")
    return path


def logits(image: Path) -> np.ndarray:
    return Session.load(image).prefill(TOKENS)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_gives_the_image_again(
    stage: str, sample: tuple[Path, str], tmp_path: Path
) -> None:
    folder, digest = sample
    files = [dumped(folder, entry, stage) for entry in ("decode", "prefill")]
    assert resume_model(files, output=tmp_path / "both.tw").digest == digest
    # A file of one entry: the other is compiled anew.
    one = files[STAGES.index(stage) % 2]
    assert resume_model([one], output=tmp_path / "one.tw").digest == digest


def test_an_edit_before_tiling_keeps_the_values(sample: tuple[Path, str], tmp_path: Path) -> None:
    """Launch parameters are declared in the other order."""
    folder, digest = sample
    text = dumped(folder, "prefill", "choose-panels").read_text()
    scalars = re.findall(r"  tg\.scalar .*\n", text)
    edited = text.replace("".join(scalars), "".join(reversed(scalars)))
    assert edited != text
    path = tmp_path / "edited.mlir"
    path.write_text(edited)
    report = resume_model([path], output=tmp_path / "edited.tw")
    assert report.digest != digest
    assert (logits(tmp_path / "edited.tw") == logits(folder / "m.tw")).all()


def test_an_edit_behind_tiling_keeps_the_values(sample: tuple[Path, str], tmp_path: Path) -> None:
    """Two independent loads of one tile are swapped, and a ring gets one slot less."""
    folder, digest = sample
    tiled = dumped(folder, "decode", "tile").read_text()
    loads = re.search(r"(.* = .*\n.*load @rope_cos.*\n)(.* = .*\n.*load @rope_sin.*\n)", tiled)
    assert loads is not None
    swapped = tiled.replace(loads[0], loads[2] + loads[1])
    sized = dumped(folder, "prefill", "size-rings").read_text()
    ring = re.search(r"stream\.channel @weights .*? (\d+) slots of", sized)
    assert ring is not None
    fewer = f" {int(ring[1]) - 1} slots of"
    smaller = sized.replace(ring[0], ring[0].replace(f" {ring[1]} slots of", fewer))
    paths = [tmp_path / "decode.mlir", tmp_path / "prefill.mlir"]
    for path, text in zip(paths, (swapped, smaller), strict=True):
        path.write_text(text)
    assert resume_model(paths, output=tmp_path / "edited.tw").digest != digest
    before, after = Session.load(folder / "m.tw"), Session.load(tmp_path / "edited.tw")
    assert (before.prefill(TOKENS) == after.prefill(TOKENS)).all()
    assert (before.decode(5) == after.decode(5)).all()


def test_a_pass_run_by_hand_moves_the_file_on(sample: tuple[Path, str], tmp_path: Path) -> None:
    """tilewright-opt takes the machine from the file's head and writes where it stands now."""
    folder, digest = sample
    path = tmp_path / "skewed.mlir"
    given = str(dumped(folder, "decode", "tile"))
    assert opt([given, "--stop-after", "skew", "-o", str(path)]) == 0
    assert path.read_text() == dumped(folder, "decode", "skew").read_text()
    assert resume_model([path], output=tmp_path / "again.tw").digest == digest


@pytest.mark.parametrize("entry", ["decode", "prefill"])
def test_passes_by_hand_tile_as_compile_did(
    entry: str, sample: tuple[Path, str], tmp_path: Path
) -> None:
    """One entry chooses the KV block for all: the heads say what it needs, and what others take."""
    folder = sample[0] / "ir" / entry
    tiled = next(folder.glob("*-tile.mlir"))
    made = tmp_path / "tiled.mlir"
    words = [str(folder / "00-input.mlir"), "--stop-after", "tile", "-o", str(made)]
    assert opt(words) == 0
    assert made.read_text() == tiled.read_text()


def test_each_pass_that_is_left_is_checked(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def compare(module: object, name: str, *rest: object) -> None:
        checked.append(name)

    monkeypatch.setattr(pass_checker, "compare", compare)
    paths = [dumped(tiny, entry, "project") for entry in ("decode", "prefill")]
    resume_model(paths, output=tmp_path / "m.tw", check_each_pass=True)
    assert set(checked) == {"select"}
    assert len(checked) == len(paths) * pass_checker.LAUNCHES


def test_options_of_the_model_come_back(tiny: Path, tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", Tiny(), {"": "Q8_0"})
    report = compile_model(
        tmp_path / "m.gguf", "tw-small", 8, "bf16", 2, 4, tmp_path / "a.tw", tmp_path / "ir",
        kv_block=4, weights="int8", unfused=True,
    )  # fmt: skip
    path = dumped(tmp_path, "prefill", "expand-attention")
    origin = read_origin(path.read_text(), "x")
    assert origin is not None
    assert (origin.after, origin.policy, origin.batch, origin.weights) == (
        "expand-attention", "bf16", 2, "int8"
    )  # fmt: skip
    assert read_origin(origin.text(), "x") == origin
    assert resume_model([path], output=tmp_path / "b.tw").digest == report.digest


def test_weights_are_found_by_their_digest(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    write_huggingface(folder / "a-other", Tiny(vocab=40), "F32", tokenizer=False)
    (folder / "b-broken").mkdir()
    (folder / "b-broken" / "config.json").write_text("{")
    shutil.copytree(tiny / "model", folder / "model")
    path = dumped(tiny, "decode", "fuse")
    text = path.read_text().replace(str(tiny / "model"), str(tiny / "gone"))
    moved = tmp_path / "moved.mlir"
    moved.write_text(text)
    with pytest.raises(TilewrightError, match=r"gone: does not exist: say where the model with "):
        resume_model([moved])
    report = resume_model([moved], folder, tmp_path / "m.tw")
    assert report.digest == resume_model([path], output=tmp_path / "n.tw").digest
    digest = weights_digest(load_model(folder / "a-other"))
    with pytest.raises(TilewrightError, match=rf"wanted weights of SHA-256 \w+; .* has {digest}: "):
        resume_model([moved], folder / "a-other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TilewrightError, match=r"holds no model: wanted a \.gguf file or a folder"):
        resume_model([moved], tmp_path / "empty")


def test_digest_of_shards_is_that_of_their_list(tmp_path: Path) -> None:
    write_huggingface(tmp_path / "m", Tiny(), "F32", shards=2, tokenizer=False)
    model = load_model(tmp_path / "m")
    assert len(model.checkpoint.files) == 2
    first = weights_digest(model)
    with model.checkpoint.files[1].open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    assert weights_digest(load_model(tmp_path / "m")) != first


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("// tilewright dump\n", "", "no lines at its head say what it belongs to"),
        ("// after: tile\n", "// after: tyle\n", "wanted input or a pass of the pipeline: canon"),
        ("// batch: 1\n", "// batch: one\n", "'// batch: one' at its head: wanted a number"),
        ("// batch: 1\n", "// butch: 1\n", "'// butch: 1' at its head: wanted one line each of "),
        ("// batch: 1\n", "", "its head has no line '// batch: ...'"),
        ("// machine: tw-small", "// machine: tw-1", "machine tw-1 is not the one that it was "),
        ("// machine: tw-small", "// machine: tw-0", "tw-0: no such machine"),
        ("// policy: exact", "// policy: bf16", 'head says policy bf16, its module "exact"'),
        ("@decode attributes", "@verify attributes", "is @verify; the model has prefill, decode"),
        ("tile.load @", "tile.lode @", "Operation tile.lode is not registered"),
        ("tile.load @weights", "tile.load @wights", None),
    ],
)
def test_what_cannot_go_on_is_refused(
    old: str, new: str, message: str | None, tiny: Path, tmp_path: Path
) -> None:
    text = dumped(tiny, "decode", "tile").read_text()
    if message is None:  # A name that is not declared: the place in the file is said.
        name = re.search(r"tile\.load @(\w+)", text)
        assert name is not None
        line = text[: name.start()].count("\n") + 1
        old, new, message = name[0], "tile.load @nobody", f"edited.mlir:{line}:"
    assert old in text
    path = tmp_path / "edited.mlir"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TilewrightError) as caught:
        resume_model([path], output=tmp_path / "m.tw")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.tw").exists()


@pytest.mark.parametrize("stage", ["channels", "verify-streams", "allocate"])
@pytest.mark.parametrize("step", ["release", "commit", "await", "signal"])
def test_broken_synchronisation_is_named(step: str, stage: str, tiny: Path, tmp_path: Path) -> None:
    """One step taken out by hand, before or behind the pass that proves that none is missing; a
    step of one sequence needs no tokens, a prompt does."""
    entry = "prefill" if step in ("await", "signal") else "decode"
    text = dumped(tiny, entry, stage).read_text()
    line = re.search(rf" *stream\.{step} .*\n", text)
    assert line is not None
    path = tmp_path / "broken.mlir"
    path.write_text(text.replace(line[0], "", 1))
    with pytest.raises(TilewrightError, match=r"'?@?\w+'? .*(slot|token|commit|release|wait)"):
        resume_model([path], output=tmp_path / "m.tw")


def test_a_pass_that_cannot_go_on_is_named(tiny: Path, tmp_path: Path) -> None:
    """A slot is committed before it is filled: no verifier sees it behind `project`."""
    text = dumped(tiny, "decode", "project").read_text()
    pair = re.search(r"( *tile\.load .* to (%\w+) .*\n)( *stream\.commit \2 .*\n)", text)
    assert pair is not None
    path = tmp_path / "edited.mlir"
    path.write_text(text.replace(pair[0], pair[3] + pair[1]))
    with pytest.raises(TilewrightError, match=r"edited\.mlir: pass select") as caught:
        resume_model([path], output=tmp_path / "m.tw")
    assert "\n" not in str(caught.value)


def test_bytes_that_two_own_are_named(tiny: Path, tmp_path: Path) -> None:
    text = dumped(tiny, "decode", "allocate").read_text()
    places = re.findall(r"stream\.channel .* at \d+ in #tw\.spm|stream\.channel .* at \d+", text)
    assert len(places) > 1
    path = tmp_path / "placed.mlir"
    path.write_text(text.replace(places[1], re.sub(r" at \d+", " at 0", places[1])))
    with pytest.raises(TilewrightError, match=r"placed\.mlir: "):
        resume_model([path], output=tmp_path / "m.tw")


def test_files_that_do_not_belong_together_are_refused(tiny: Path, tmp_path: Path) -> None:
    decode, prefill = (dumped(tiny, entry, "tile") for entry in ("decode", "prefill"))
    with pytest.raises(TilewrightError, match=r"are both @decode: name one"):
        resume_model([decode, decode])
    other = tmp_path / "other.mlir"
    other.write_text(prefill.read_text().replace("// chunk: 4", "// chunk: 8"))
    with pytest.raises(TilewrightError, match=r"head says chunk: 8, that of .* says 4: files of"):
        resume_model([decode, other])
    other.write_text(re.sub(r"tw\.kv_block = \d+", "tw.kv_block = 4096", prefill.read_text()))
    with pytest.raises(TilewrightError, match=r"tw.kv_block is one for all entries of an image: "):
        resume_model([decode, other])
    text = prefill.read_text()
    other.write_text(text.replace("'model.norm.weight'", "'model.layers.0.input_layernorm.weight'"))
    assert other.read_text() != text
    with pytest.raises(TilewrightError, match=r"entries share it, so edit and give a file of each"):
        resume_model([other], output=tmp_path / "m.tw")


def test_a_dumped_file_is_no_model(tiny: Path) -> None:
    with pytest.raises(TilewrightError, match="is dumped IR, no model: `tilewright resume` goes"):
        compile_model(dumped(tiny, "decode", "tile"))


def test_a_pass_outside_of_the_pipeline_moves_nothing() -> None:
    assert Origin(after="tile").behind("canonicalize") == Origin(after="tile")
    assert Origin(after="tile").behind("fuse") == Origin(after="tile")
    assert Origin(after="tile").behind("channels") == Origin(after="channels")
