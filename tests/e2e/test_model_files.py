"""Links and pipes in a model's directory, which may come from anybody: none leads out of it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from models import Tiny, write_huggingface

from tilewright.compiler.frontend import load_model
from tilewright.compiler.frontend.checkpoint import CheckpointError

TINY = Tiny(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, ffn=16, vocab=300)
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "model-00002-of-00002.safetensors",
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model in shards, with every file that is read."""
    folder = write_huggingface(tmp_path / "model", TINY, "F32", shards=2)
    (folder / "generation_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("hello")
    return folder


def read(path: Path) -> int:
    """Bytes of all tensors; the tokenizer is read too."""
    model = load_model(path)
    assert model.tokenizer() is not None
    return sum(model.checkpoint.read(name).codes.nbytes for name in model.checkpoint.names)


@pytest.mark.parametrize("name", FILES)
def test_what_leads_out_of_a_directory_is_refused(name: str, directory: Path) -> None:
    """Though the same bytes lie there."""
    outside = directory.parent / "elsewhere"
    shutil.move(directory / name, outside)
    (directory / name).symlink_to(outside)
    said = f"{directory / name}: is a link to {outside}, outside of {directory}; if that is"
    with pytest.raises(CheckpointError, match=re.escape(said)):
        read(directory)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_a_directory_is_not_waited_for(name: str, directory: Path) -> None:
    (directory / name).unlink()
    os.mkfifo(directory / name)
    with pytest.raises(CheckpointError, match="no file, but a directory, a pipe or a device"):
        read(directory)


def test_a_pipe_without_an_ending_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m")
    with pytest.raises(CheckpointError, match="is a pipe; give a file"):
        load_model(tmp_path / "m")


def test_links_within_and_links_that_are_named_are_followed(directory: Path) -> None:
    """Within the directory; to it; and to a file, which is its user's."""
    whole = read(directory)
    shutil.move(directory / FILES[-1], directory / "weights.bin")
    (directory / FILES[-1]).symlink_to("weights.bin")
    (named := directory.parent / "named").symlink_to(directory)
    assert read(directory) == read(named) == whole
    (config := directory.parent / "c.json").symlink_to(directory / "config.json")
    assert not load_model(config).has_weights


def test_a_cache_of_the_hub_links_to_its_blobs(directory: Path, tmp_path: Path) -> None:
    whole, cache = read(directory), tmp_path / "models--tiny"
    snapshot, blobs = cache / "snapshots" / "0a1b", cache / "blobs"
    snapshot.mkdir(parents=True)
    shutil.move(directory, blobs)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert read(snapshot) == whole
    (cache / "refs").write_text("{}")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("../../refs")
    with pytest.raises(CheckpointError, match=r"is a link to .*refs, outside of"):
        read(snapshot)


def test_links_that_lead_nowhere_are_no_files(directory: Path) -> None:
    for target in ("nothing", "model.safetensors"):
        (link := directory / "model.safetensors").symlink_to(target)
        assert read(directory)
        link.unlink()
