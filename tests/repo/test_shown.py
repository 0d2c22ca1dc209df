"""What the FileCheck files show: ops, attributes, passes, errors. The lists come from the code."""

import re
from pathlib import Path

from diagnostics import NOT_IN_TEXT, diagnostics, exception, missing, shown

from tilewright.compiler.opt.arguments import LEVELS
from tilewright.dialects.context import DIALECTS
from tilewright.passes import PASSES

FOLDER = Path(__file__).parents[1] / "filecheck"
FILES = {path: path.read_text() for path in sorted(FOLDER.rglob("*.mlir"))}


def used(name: str, text: str) -> bool:
    """Whether a text names something, and not a longer name that begins like it."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w-])", text) is not None


def test_each_op_and_attribute_goes_round() -> None:
    """`dialects/NAME.mlir` reads and prints it; `!` and `#` may stand before a name."""
    names: list[str] = []
    for dialect in DIALECTS:
        names += [one.name for one in dialect.operations]
        names += [one.name for one in dialect.attributes]
    texts = "\n".join(
        text
        for path, text in FILES.items()
        if path.parent.name == "dialects" and not path.stem.endswith("_invalid")
    )
    missing = [name for name in names if not used(name, texts)]
    assert not missing, f"no round trip in tests/filecheck/dialects shows {', '.join(missing)}"


def test_each_pass_runs() -> None:
    runs = "\n".join(
        line for text in FILES.values() for line in text.splitlines() if "RUN:" in line
    )
    missing = [name for name in PASSES if not used(name, runs)]
    assert not missing, f"no RUN line in tests/filecheck runs {', '.join(missing)}"


def test_each_pass_has_its_file() -> None:
    stems = {path.stem for path in FILES if path.parent.name == "passes"}
    missing = [name for name in PASSES if name not in stems]
    assert not missing, f"tests/filecheck/passes lacks {', '.join(missing)}"


def test_each_level_has_its_sample() -> None:
    """`levels/matmul_LEVEL.mlir` carries one graph, the same in all, to that level."""
    texts = {level: (FOLDER / "levels" / f"matmul_{level}.mlir").read_text() for level in LEVELS}
    for level, text in texts.items():
        assert f"--to {level} " in text, f"matmul_{level}.mlir runs to another level"
    graphs = {
        text[text.index("builtin.module") : text.index("// CHECK")] for text in texts.values()
    }
    assert len(graphs) == 1, "the samples begin with different graphs"


def test_each_error_is_shown() -> None:
    """A new text needs a case, `passes/NAME_invalid.mlir` or `dialects/NAME_invalid.mlir`."""
    left = missing()
    assert not left, "errors that no file of tests/filecheck shows:\n" + "\n".join(map(str, left))


def test_exceptions_are_in_use() -> None:
    used_up = {exception(one) for one in diagnostics()}
    assert used_up >= set(NOT_IN_TEXT), f"no error is named by {set(NOT_IN_TEXT) - used_up}"


def test_an_unknown_error_would_be_found() -> None:
    """The search for quotes tells one text from another."""
    some = next(one for one in diagnostics() if one.words.startswith("no channel is named"))
    assert shown(some, ["no channel is named @w"])
    assert not shown(some, ["no global is named @w", "no launch parameter is named @m"])
