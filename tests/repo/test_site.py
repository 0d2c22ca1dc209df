"""The site is built from the pages, and a link or anchor that leads nowhere is an error."""

import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import ROOT

pytest.importorskip("sphinx", reason="the site is not built: pip install 'tilewright[docs]'")
pytest.importorskip("myst_parser", reason="the site is not built: pip install 'tilewright[docs]'")
pytest.importorskip("furo", reason="the site is not built: pip install 'tilewright[docs]'")


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """The README's command, for another source and target."""
    words = ["-q", "-W", "--keep-going", "-c", str(ROOT / "docs"), str(source), str(target)]
    command = [sys.executable, "-m", "sphinx", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path)
    hint = "a page without a place in the navigation wants a line in docs/index.md"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{hint}"
    front = (tmp_path / "docs" / "index.html").read_text()
    assert 'href="../README.html#a-tour"' in front
    assert 'src="http' not in front, "it works without a network"
    assert "searchtools.js" in (tmp_path / "search.html").read_text()
    assert 'href="docs/index.html"' in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("link", ["missing.md", "other.md#missing", "#missing"])
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, link: str) -> None:
    pages = tmp_path / "source" / "docs"
    pages.mkdir(parents=True)
    (pages / "index.md").write_text(f"# A\n\n[b]({link})\n\n```{{toctree}}\nother\n```\n")
    (pages / "other.md").write_text("# B\n\n[a](index.md#a)\n")
    done = build(tmp_path / "source", tmp_path / "site")
    assert done.returncode != 0
    assert "missing" in done.stderr
