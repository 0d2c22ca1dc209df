"""Which passes run: of `-p` or of the pipeline, from where the module stands; with what options."""

import pytest
from xdsl.dialects.builtin import ModuleOp

from tilewright.backend.errors import TilewrightError
from tilewright.compiler.opt import main
from tilewright.compiler.opt.known import everything
from tilewright.compiler.opt.selection import Wanted, select_passes
from tilewright.compiler.origin import Origin
from tilewright.dialects.context import context
from tilewright.dialects.source import parse_source

KNOWN = everything()
TILED = "%b = tile.buffer : memref<4xf32, #tw.spm>\ntile.load @x[0] [4] to %b"


def selected(wanted: Wanted, origin: Origin | None = None, text: str = "") -> list[str]:
    module = parse_source(context(), text, "x") if text else ModuleOp([])
    return [str(one.spec()) for one in select_passes(wanted, KNOWN, module, origin)]


@pytest.mark.parametrize(
    ("wanted", "origin", "names"),
    [
        (Wanted(), None, []),
        (Wanted(to="packed"), None, "canonicalise merge fuse choose-formats choose-panels"),
        (Wanted(to="packed", start_after="fuse"), None, "choose-formats choose-panels"),
        (Wanted(stop_after="merge"), None, "canonicalise merge"),
        (Wanted(start_after="allocate"), None, "project select"),
        (Wanted(to="placed"), Origin(after="skew"), "size-rings verify-streams allocate"),
        (Wanted(stop_after="skew"), Origin(after="channels"), "skew"),
        (Wanted(stop_after="skew"), Origin(after="skew"), ""),
        (Wanted("cse,dce,cse", start_after="cse", stop_after="dce"), None, "dce"),
        (Wanted(to="graph", options={"unfused": True}), None, "canonicalise expand-attention"),
        (Wanted(to="graph"), Origin(unfused=True), "canonicalise expand-attention"),
        (Wanted("builtin.module(cse,canonicalize)"), None, "cse canonicalize"),
    ],
)
def test_stretches(wanted: Wanted, origin: Origin | None, names: str) -> None:
    found = [spec.partition("{")[0] for spec in selected(wanted, origin)]
    assert found == (names.split() if names else [])


def test_options_come_from_the_list_then_the_command_line_then_the_file() -> None:
    origin = Origin(machine="tw-1", kv_block=8)
    given = Wanted("tile{machine=essay-3tbs},tile", options={"kv_block": 16, "weights": None})
    assert selected(given, origin) == [
        'tile{machine="essay-3tbs" kv_block=16}',
        'tile{machine="tw-1" kv_block=16}',
    ]
    assert selected(Wanted("tile"), origin) == ['tile{machine="tw-1" kv_block=8}']
    assert selected(Wanted("cse,tile")) == ["cse", "tile"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted("fuse", to="tiled"), "--to and -p both say where to stop: give one of them"),
        (Wanted(to="tiled", stop_after="fuse"), "--to and --stop-after both say where to stop"),
        (Wanted("cse", start_after="dce"), "--start-after dce: it is none of cse"),
        (Wanted(stop_after="dce"), "--stop-after dce: it is none of canonicalise, merge, fuse"),
        (Wanted(start_after="fusion"), "no pass is named 'fusion'; the passes are fuse, "),
        (
            Wanted("cse,dce", start_after="dce", stop_after="cse"),
            "stands behind dce, and cse",
        ),
        (
            Wanted("tile{kv-blok=3}"),
            "pass tile has no option 'kv-blok'; it has the options ",
        ),
        (Wanted("cse{fast}"), "pass cse has no option 'fast'; it has none"),
        (Wanted("tile{kv-block=big}"), "pass tile: Incompatible types: given ('big',), expected"),
        (Wanted("tile}"), "-p 'tile}' is no list of passes: "),
    ],
)
def test_refuses(wanted: Wanted, message: str) -> None:
    with pytest.raises(TilewrightError) as caught:
        selected(wanted)
    assert message in str(caught.value)


@pytest.mark.parametrize("option", ["--print-ir-before", "--print-ir-after"])
def test_what_is_printed_is_a_pass(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option, "cse,tyle"]) == 2
    assert "error: no pass is named 'tyle'; the passes are tile, " in capsys.readouterr().err


def test_a_module_that_is_no_graph_must_say_where_it_stands() -> None:
    with pytest.raises(TilewrightError, match="is tiled and does not say which pass it stands"):
        selected(Wanted(to="isa"), text=TILED)
    assert selected(Wanted(to="tiled", start_after="reside"), text=TILED) == []
    with pytest.raises(TilewrightError, match="stands behind tile, and fuse comes before it"):
        selected(Wanted(to="fused"), Origin(after="tile"), TILED)
