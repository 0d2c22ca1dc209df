"""The explorer's page, clicked through in Chromium, and what it shows."""

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tilewright.compiler.cli import main

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
OP = "blk.{l}.ffn_down"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
STEP = ["--machine", "tw-small", "--context", "48", "--chunk", "8"]


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert not stop.value.code


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
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


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("explore") / "page.html"
    run("explore", str(SAMPLE), *STEP, "-o", str(path))
    return path.as_uri()


@pytest.fixture
def page(browser_page: Page, model_page: str) -> Iterator[Page]:
    wrong: list[str] = []
    browser_page.on("pageerror", lambda error: wrong.append(str(error)))
    browser_page.goto("about:blank")
    browser_page.goto(model_page)
    browser_page.wait_for_selector("body[data-ready]")
    yield browser_page
    assert not wrong


def test_passes_lead_to_a_difference_by_op(page: Page) -> None:
    rows = page.locator("#passes tr[data-pass]")
    expect(rows.first).to_contain_text("input")
    expect(rows.last).to_contain_text("select")
    page.click(f'#ops li[data-op="{OP}"]')
    page.click('#passes tr[data-pass="tile"]')
    expect(page.locator('#passes tr[data-pass="tile"]')).to_have_class("pick chosen lit")
    lit = page.locator("#pass-diff .line.add.lit")
    expect(lit.filter(has_text="tile.matmul")).not_to_have_count(0)
    page.click("text=side by side")
    expect(page.locator("#view")).to_have_attribute("data-view", "levels")
    expect(page.locator("#right")).to_have_value("06-tile")


def test_a_fragment_opens_two_levels_and_a_line_picks_its_op(page: Page) -> None:
    page.evaluate(
        "f => { location.hash = f }",
        f"view=levels&entry=prefill&op={OP}&left=06-tile&right=09-channels",
    )
    expect(page.locator("#entry")).to_have_value("prefill")
    expect(page.locator("#left-pane .line.lit").filter(has_text="scf.for")).not_to_have_count(0)
    expect(page.locator("#right-pane .line.add.lit").filter(has_text="stream.wait")
           ).not_to_have_count(0)  # fmt: skip
    expect(page.locator("#map .m-lit")).not_to_have_count(0)
    page.locator('#right-pane .line[data-op="output"]').first.click()
    expect(page.locator("#ops li.lit")).to_have_text("output")
    page.go_back()
    expect(page.locator("#ops li.lit")).to_have_text(OP)


def test_one_op_is_shown_on_every_level_with_its_time(page: Page) -> None:
    page.click(f'#ops li[data-op="{OP}"]')
    page.keyboard.press("3")
    for level in ("graph", "fused", "packed", "tiled", "streamed", "placed", "projected", "isa"):
        expect(page.locator(f'details[data-level="{level}"] .line')).not_to_have_count(0)
    graph = page.locator('details[data-level="graph"] .line')
    expect(graph.filter(has_text="tg.matmul")).to_have_count(1)
    mm = page.locator('details[data-engine="mxu"] .line').filter(has_text="mm @")
    expect(mm).not_to_have_count(0)
    expect(page.locator("#op-time")).to_contain_text("wait @weights")
    expect(page.locator('#op-passes tr[data-pass="tile"]')).to_have_count(1)


def test_keys_walk_the_ops_and_light_their_instructions(page: Page) -> None:
    page.keyboard.press("4")
    ops = page.locator("#ops li").all_text_contents()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#ops li.lit")).to_have_text(ops[1])
    page.keyboard.press("k")
    expect(page.locator("#ops li.lit")).to_have_text(ops[0])
    page.keyboard.press("/")
    page.keyboard.type("ffn_down")
    page.keyboard.press("Enter")
    expect(page.locator("#ops li.lit")).to_have_text(OP)
    lit = page.locator('[data-engine="mxu"] .line.lit')
    expect(lit.filter(has_text="mm @")).not_to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("next op of the model")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#ops li.lit")).to_have_count(0)


def test_an_image_has_instructions_but_says_that_it_holds_no_ir(
    browser_page: Page, tmp_path: Path
) -> None:
    image, path = tmp_path / "small.tw", tmp_path / "image.html"
    run("compile", str(SAMPLE), "--machine", "tw-small", "--max-context", "48", "--chunk", "8",
        "-o", str(image))  # fmt: skip
    run("explore", str(image), "-o", str(path))
    browser_page.goto(path.as_uri())
    expect(browser_page.locator("#view .notice")).to_contain_text("An image holds no IR")
    browser_page.click(f'#ops li[data-op="{OP}"]')
    browser_page.keyboard.press("4")
    expect(browser_page.locator('[data-engine="mxu"] .line.lit')).not_to_have_count(0)
    browser_page.keyboard.press("3")
    expect(browser_page.locator("#op-time")).to_contain_text("mxu")
