"""The explorer's views over time and memory, clicked through, beside what `time` reports."""

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page

OP = "blk.{l}.ffn_down"


@pytest.fixture(scope="session")
def timed(document: dict[str, Any]) -> dict[str, Any]:
    """The sections that the views draw."""
    return document["timed"]


def show(page: Page, **state: str) -> None:
    page.evaluate("changes => state.set(changes)", state)
    page.wait_for_function("view => document.getElementById('view').dataset.view === view",
                           arg=state["view"])  # fmt: skip


@pytest.mark.parametrize("entry", ["decode", "prefill"])
def test_spans_and_causes_add_up(page: Page, timed: dict[str, Any], entry: str) -> None:
    report = timed[entry]["report"]
    show(page, view="timeline", entry=entry)
    launch = timed[entry]["timeline"]["shown"][0]
    for engine in launch["engines"]:
        cell = page.locator(f"[data-engine='{engine['name']}'] [data-ps]")
        assert int(cell.get_attribute("data-ps") or "") == launch["recorded"]
    show(page, view="causes", entry=entry)
    total = page.locator("tfoot [data-total]")
    assert int(total.get_attribute("data-total") or "") == sum(report["launches"])


def test_layers_that_are_left_out_are_said(page: Page, timed: dict[str, Any]) -> None:
    launch = timed["decode"]["timeline"]["shown"][0]
    assert launch["left_out"] > 0
    show(page, view="timeline")
    repeats = page.locator("[data-repeats]").get_attribute("data-repeats")
    assert int(repeats or "") == launch["left_out"] + 1
    # What is drawn, and what is left out of it, are the launch.
    left_out = launch["left_out"] * launch["layer_picoseconds"]
    assert launch["recorded"] + left_out == timed["decode"]["timeline"]["launches"][0]


def test_hover_names_the_instruction(page: Page) -> None:
    show(page, view="timeline")
    canvas = page.locator("canvas.time")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 400, box["y"] + 30)
    assert "ps" in page.locator(".tip").inner_text()


def test_buffers_of_the_picked_op_are_lit(page: Page, timed: dict[str, Any]) -> None:
    show(page, view="memory", op=OP)
    memory = timed["decode"]["memory"]["spm"]
    lit = {b["name"] for b in memory["buffers"] if OP in b["ops"]}
    assert lit
    found = page.locator("tr.lit[data-buffer]").evaluate_all(
        "rows => rows.map(r => r.dataset.buffer)"
    )
    assert set(found) == lit
    assert page.locator("[data-free]").get_attribute("data-free") == str(memory["free"])
    page.locator("[data-memory=acc]").click()
    assert page.locator("[data-buffer]").count() == len(timed["decode"]["memory"]["acc"]["buffers"])


def test_the_picked_op_is_lit_under_the_roof(page: Page) -> None:
    show(page, view="roofline", op=OP)
    assert page.locator(".point.lit").get_attribute("data-op") == OP


def test_a_column_sorts(page: Page, timed: dict[str, Any]) -> None:
    show(page, view="causes", sort="time")
    found = page.locator("tbody tr[data-op]").evaluate_all("rows => rows.map(r => r.dataset.op)")
    ops = timed["decode"]["report"]["ops"]["mxu"]
    times = [sum(ops[op].values()) for op in found]
    assert len(times) == len(ops)
    assert times == sorted(times, reverse=True)


def test_parts_of_the_gap_add_up(page: Page, timed: dict[str, Any]) -> None:
    show(page, view="faster", op=OP)
    for part in ("step", "op"):
        card = page.locator(f"[data-part={part}]")
        gap = card.locator("[data-gap]").get_attribute("data-gap")
        parts = card.locator("[data-gap-part]").all_inner_texts()
        assert sum(int(text.replace(",", "")) for text in parts) == int(gap or "")
    tried = {one["what"]: one for one in timed["decode"]["experiments"]}
    first = page.locator("[data-part=step] [data-what]").first
    saved = int(first.locator("[data-saves]").get_attribute("data-saves") or "")
    whole = sum(timed["decode"]["report"]["launches"])
    assert saved == whole - tried[first.get_attribute("data-what") or ""]["picoseconds"] > 0


def test_an_image_has_the_same_views(
    browser_page: Page, image_page: str, timed: dict[str, Any]
) -> None:
    browser_page.goto("about:blank")
    browser_page.goto(image_page + "#view=causes")
    browser_page.wait_for_selector("body[data-ready]")
    total = browser_page.locator("tfoot [data-total]").get_attribute("data-total")
    assert int(total or "") == sum(timed["decode"]["report"]["launches"])


def test_recorded_spans_are_the_report(timed: dict[str, Any]) -> None:
    """Kept spans and the left out layers give each engine's time to the picosecond, and its causes
    but for the spans that the layer's borders cut: an engine that runs ahead is cut elsewhere.
    """
    found = timed["decode"]
    launch = found["timeline"]["shown"][0]
    steady = next(one for one in launch["stretches"] if one["times"] > 1)
    for engine in launch["engines"]:
        kept: Counter[str] = Counter()
        at = 0
        for kind, duration in zip(engine["kind"], engine["duration"], strict=True):
            cause = engine["kinds"][kind]["cause"]
            inside = min(at + duration, steady["end"]) - max(at, steady["begin"])
            kept[cause] += duration + launch["left_out"] * max(inside, 0)
            at += duration
        want: Counter[str] = Counter(found["report"]["causes"][engine["name"]])
        assert kept.total() == want.total()
        cut = (steady["end"] - steady["begin"]) // 1000
        assert all(abs(kept[cause] - want[cause]) <= cut for cause in kept | want)
