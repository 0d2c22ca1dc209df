"""What the pages say, runs: commands, Python, IR, patches; and prints what they show."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page_blocks import RUN, all_pages, blocks, name
from page_runner import Compiled, PageError, Runner, refreshed, shown

RUN_PAGES = [
    path for path in all_pages() if any(one.runs for one in blocks(path, path.read_text()))
]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Models that pages compile in the same way are compiled once."""
    return Compiled(tmp_path_factory.mktemp("compiled"))


@pytest.mark.parametrize("path", RUN_PAGES, ids=name)
def test_the_page_does_what_it_says(path: Path, tmp_path: Path, compiled: Compiled) -> None:
    text = path.read_text()
    made = refreshed(path, text, tmp_path / "page", compiled)
    assert text == made, "run: python tests/repo/excerpts.py"


def test_blocks_that_are_not_run_say_why(record_property: Callable[[str, object], None]) -> None:
    found = [one for path in all_pages() for one in blocks(path, path.read_text())]
    skipped = [one for one in found if one.reason is not None]
    assert not [one.where for one in skipped if not one.reason]
    for language in RUN:
        ours = [one for one in found if one.language == language]
        record_property(language, f"{len(ours)}, of them run {sum(one.runs for one in ours)}")


def runner(tmp_path: Path) -> Runner:
    return Runner(Path(__file__), tmp_path / "page", Compiled(tmp_path / "compiled"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("```sh\nfalse\n```\n", "status 1, wanted 0"),
        ("```sh fails\ntrue\n```\n", "status 0, wanted another than 0"),
        ("```sh\ntilewright run missing.tw --ids 1\n```\n", "missing.tw"),
        ("```toml\na = 1\n```\n", "wanted `file=`"),
        ("```mlir\nfunc.func @f() {\n  %m = tg.get @m\n  func.return\n}\n```\n", "status 1"),
        ("```diff patch\n--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-x\n+y\n```\n", "apply"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_found(
    tmp_path: Path, text: str, wanted: str
) -> None:
    with pytest.raises(PageError, match=re.escape(wanted)):
        runner(tmp_path).run(text)


def test_outputs_are_refreshed_and_files_are_written(tmp_path: Path) -> None:
    page = (
        "```python file=a.py\nprint('one')\n```\n```sh\npython a.py\necho 12 s  # a comment\n```\n"
        "```text output\n{}```\n```python\nx = 3\n```\n```python\nprint(x)\n```\n"
        "```text output\n{}```\n"
    )
    assert runner(tmp_path).run(page.format("two\n... s\n", "")) == page.format(
        "one\n... s\n", "3\n"
    )


def test_an_output_may_be_some_lines_of_what_was_printed() -> None:
    (block,) = blocks(Path(__file__), "```text output from 'b' to 'd' skip 'c'\nold\n```\n")
    assert shown(block, "a\nb\nc\nd\ne\n") == "b\n// ...\nd\n"
