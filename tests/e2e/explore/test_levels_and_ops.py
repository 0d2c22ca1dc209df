"""The explorer's page, clicked through in Chromium, and what it shows."""

import re
from typing import Any

from playwright.sync_api import Page, expect

OP = "blk.{l}.ffn_down"


def test_passes_lead_to_a_difference_by_op(page: Page) -> None:
    rows = page.locator("#passes tr[data-pass]")
    expect(rows.first).to_contain_text("input")
    expect(rows.last).to_contain_text("select")
    # The loop of layers has a name, and is no op.
    last = page.locator('#passes tr[data-pass="select"] td').last
    expect(last).to_contain_text(re.compile(r"^\d+: token_embd, blk\.\{l\}\.\w+, "))
    page.click(f'#ops li[data-op="{OP}"]')
    page.click('#passes tr[data-pass="tile"]')
    expect(page.locator('#passes tr[data-pass="tile"]')).to_have_class("pick chosen lit")
    lit = page.locator("#pass-diff .line.add.lit")
    expect(lit.filter(has_text="tile.matmul")).not_to_have_count(0)
    page.click("text=side by side")
    expect(page.locator("#view")).to_have_attribute("data-view", "levels")
    expect(page.locator("#right")).to_have_value("06-tile")


def test_a_pass_differs_in_the_ops_that_it_is_said_to_touch(
    page: Page, document: dict[str, Any]
) -> None:
    """A line whose values the printer only counts anew is no change, here and in the table."""
    said: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for number, row in enumerate(document["levels"]["entries"]["prefill"][1:], start=1):
        said[row["name"]] = set(row["ops"])
        page.evaluate(
            "f => { location.hash = f }",
            f"view=passes&entry=prefill&pass={number:02}-{row['name']}",
        )
        expect(page.locator("#view h2").first).to_have_text(f"{number:02}-{row['name']}")
        changed = "nodes => nodes.map(node => node.dataset.op || '')"
        found[row["name"]] = set(
            page.locator("#pass-diff .add, #pass-diff .del").evaluate_all(changed)
        )
    assert found == said
    assert all("attention" in op for op in said["skew"])


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
    browser_page: Page, image_page: str
) -> None:
    browser_page.goto(image_page)
    expect(browser_page.locator("#view .notice")).to_contain_text("An image holds no IR")
    browser_page.click(f'#ops li[data-op="{OP}"]')
    browser_page.keyboard.press("4")
    expect(browser_page.locator('[data-engine="mxu"] .line.lit')).not_to_have_count(0)
    browser_page.keyboard.press("3")
    expect(browser_page.locator("#op-time")).to_contain_text("mxu")
