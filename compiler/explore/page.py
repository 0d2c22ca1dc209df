"""One HTML file from a document: scripts, styles and data inside, nothing loaded from elsewhere.

The data is JSON, compressed by gzip, as base64; the browser unpacks it
(`DecompressionStream`).
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent / "page"
LIBRARIES = ("vendor/d3.min.js", "vendor/diff.min.js")
SHELL = ("shell.js", "lines.js", "time.js")
VIEWS = (
    "passes.js",
    "levels.js",
    "op.js",
    "instructions.js",
    "timeline.js",
    "scratchpad.js",
    "roofline.js",
    "causes.js",
    "faster.js",
)
"""Scripts of views, in the order of their tabs; each calls `views.add`."""
START = "start.js"
"""The last script: it unpacks the data and draws."""


def render(found: dict[str, Any]) -> str:
    """The page of a document, as text of an HTML file."""
    packed = gzip.compress(json.dumps(found, separators=(",", ":")).encode(), mtime=0)
    scripts = (*LIBRARIES, *SHELL, *VIEWS, START)
    text = part("page.html")
    for place, value in (
        ("TITLE", html.escape(f"Tilewright: {found['about']['name']}")),
        ("STYLE", part("style.css") + part("time.css")),
        ("SCRIPTS", "\n".join(f"<script>\n{part(name)}</script>" for name in scripts)),
        ("DATA", base64.b64encode(packed).decode()),
    ):
        text = text.replace(f"@{place}@", value)
    return text


def part(name: str) -> str:
    """A file of the page."""
    return (PARTS / name).read_text(encoding="utf-8")
