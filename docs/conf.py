"""The site of these pages: `sphinx-build -W -c docs . build/site` (decisions/038-site.md).

The source is the repository's root, so that links between pages, folders' READMEs and files are the
ones that work in a plain listing of the repository, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygments.lexer import RegexLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text

ROOT = Path(__file__).parents[1]

project = "Tilewright"
root_doc = "docs/index"
FOLDERS = ("backend", "compiler", "passes", "runtime", "samples")
include_patterns = [
    "README.md",
    "docs/*.md",
    "docs/decisions/*.md",
    *(f"{folder}/README.md" for folder in FOLDERS),
    *(f"{folder}/**/README.md" for folder in FOLDERS),
]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Tilewright"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_css_files = ["site.css"]
html_static_path = ["static"]
html_extra_path = ["front"]
html_theme_options = {"navigation_with_keys": True}


class MlirLexer(RegexLexer):
    """Enough of MLIR's text to read it with colours."""

    name = "MLIR"
    aliases = ("mlir",)
    tokens = {  # noqa: RUF012
        "root": [
            (r"//.*$", Comment.Single),
            (r'"(?:\\.|[^"\\])*"', String),
            (r"%[\w.$-]+(?:#\d+)?", Name.Variable),
            (r"@[\w.$-]+", Name.Function),
            (r"\^[\w.$-]+", Name.Label),
            (r"[!#][\w.$-]+", Keyword.Type),
            (r"\b[a-z_]\w*\.[a-z_][\w.]*", Keyword),
            (r"\b(?:memref|tensor|index|[fiu]\d+|bf16)\b", Keyword.Type),
            (r"-?\b\d[\w.+-]*", Number),
            (r"->|[=:<>+*,()\[\]{}?-]", Operator),
            (r"\s+", Text),
            (r"\w+", Text),
            (r".", Text),
        ]
    }


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.add_lexer("mlir", MlirLexer)
