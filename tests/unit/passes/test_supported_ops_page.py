"""docs/supported-ops.md leaves no op out, and its levels are those of real programs."""

import re
from pathlib import Path

import pytest

from tilewright.compiler.cli import main
from tilewright.dialects import tg
from tilewright.passes.stages import STAGES
from tilewright.passes.tile.page import levels_of, messages, page

ROOT = Path(__file__).parents[3]
LEVELS = {name: level for level, names in STAGES.items() for name in names}
OPS = {kind.name: kind for kind in tg.Tg.operations}


def test_every_op_is_lowered_somewhere() -> None:
    rows = dict(re.findall(r"^\| `(tg\.\w+)` \| [^|]* \| ([^|]*) \| \w+, ", page(), re.M))
    assert set(rows) == set(OPS)
    assert all(rows.values())
    files = set(re.findall(r"`(\w+\.py)`", " ".join(rows.values())))
    assert all((ROOT / "passes" / "tile" / file).exists() for file in files)


@pytest.mark.parametrize("options", [[], ["--unfused"]])
def test_ops_stand_at_their_levels(options: list[str], tmp_path: Path) -> None:
    graph = ROOT / "tests" / "filecheck" / "levels" / "a_graph.mlir"
    command = ["compile", str(graph), "--machine", "tw-small", "--dump-ir", str(tmp_path / "ir")]
    with pytest.raises(SystemExit) as stop:
        main([*command, *options, "-o", str(tmp_path / "a.tw")])
    assert not stop.value.code
    seen: dict[str, set[str]] = {}
    for dump in (tmp_path / "ir").glob("**/*.mlir"):
        level = LEVELS.get(dump.stem.split("-", 1)[1], "graph")
        names = set(re.findall(r"\btg\.\w+", dump.read_text())) & set(OPS)
        seen[level] = seen.get(level, set()) | names
    assert set(seen) == set(STAGES)
    for level, names in seen.items():
        assert {name for name in names if level not in levels_of(OPS[name])} == set()


def test_messages_are_those_of_the_source() -> None:
    source = 'raise PassError(f"{located(op)}: found {x}, " f"wanted `a`")\nraise Other("no")'
    assert list(messages(source, "PassError")) == ["found {x}, wanted 'a'"]
