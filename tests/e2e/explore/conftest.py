"""The explorer's pages that tests click through: of the sample, and of its image."""

import base64
import gzip
import json
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tilewright.compiler.cli import main

SAMPLE = Path(__file__).parents[3] / "samples" / "tiny-shakespeare"
CONTEXT = 48
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


def run(*arguments: str) -> None:
    """A command of `tilewright` that succeeds."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert not stop.value.code


@pytest.fixture(scope="session")
def written_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample."""
    path = tmp_path_factory.mktemp("explore") / "page.html"
    run("explore", str(SAMPLE), "--machine", "tw-small", "--context", str(CONTEXT), "--chunk", "8",
        "-o", str(path))  # fmt: skip
    return path


@pytest.fixture(scope="session")
def document(written_page: Path) -> dict[str, Any]:
    """The data that the page of the sample carries."""
    found = re.search(r'id="data">([^<]*)<', written_page.read_text())
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


@pytest.fixture(scope="session")
def image_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of an image with the same programs."""
    folder = tmp_path_factory.mktemp("explore_image")
    image, path = folder / "small.tw", folder / "image.html"
    run("compile", str(SAMPLE), "--machine", "tw-small", "--policy", "bf16", "--chunk", "8",
        "--max-context", str(CONTEXT), "-o", str(image))  # fmt: skip
    run("explore", str(image), "--context", str(CONTEXT), "-o", str(path))
    return path.as_uri()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    """A page of headless Chromium; its tests are skipped where it is absent."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no chromium on this machine: the explorer's page is not clicked through")
        pytest.skip("no chromium on this machine; install the package chromium to run this")
    with warnings.catch_warnings(), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(10_000)
        yield page
        browser.close()


@pytest.fixture
def page(browser_page: Page, written_page: Path) -> Iterator[Page]:
    """The page of the sample, opened anew; no script of it may fail."""
    wrong: list[str] = []
    browser_page.on("pageerror", lambda error: wrong.append(str(error)))
    browser_page.goto("about:blank")
    browser_page.goto(written_page.as_uri())
    browser_page.wait_for_selector("body[data-ready]")
    yield browser_page
    assert not wrong
