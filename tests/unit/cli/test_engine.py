"""The emulator's compilation is announced when it happens, and only then."""

from pathlib import Path

import pytest

from tilewright.compiler.cli import engine
from tilewright.runtime.functional import fast


def test_announced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kernels"

    def cache_folder(of: Path) -> Path:
        return folder

    monkeypatch.setattr(fast, "cache_folder", cache_folder)
    monkeypatch.setattr(fast, "compiled_run", lambda: folder.mkdir(exist_ok=True))
    engine.prepare_engine("reference")
    assert capsys.readouterr().err == ""
    assert not folder.exists()
    engine.prepare_engine("fast")
    assert capsys.readouterr().err == "compiling the emulator, once on this machine ...\n"
    engine.prepare_engine("fast")
    assert capsys.readouterr().err == ""
