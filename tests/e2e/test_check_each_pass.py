"""`--check-each-pass`: every pass keeps what a model computes; one that does not is named."""

from pathlib import Path

import pytest
from models import write_huggingface
from planted import TINY, spoilt

from tilewright.compiler import compile_model
from tilewright.compiler.check import CheckError, PassChecker
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.passes import PASSES

PREFILL = EntryShape("prefill", 2, 3, 12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose format is too narrow for what quantised rows stand for."""
    return write_huggingface(tmp_path_factory.mktemp("m") / "m", TINY, "BF16", tokenizer=False)


@pytest.mark.parametrize("policy", ["exact", "bf16"])
@pytest.mark.parametrize("weights", [None, "i8", "i4z_g64"])
def test_every_pass_keeps_the_prefill(policy: str, weights: str | None, model: Path) -> None:
    module = load_model(model).build(PREFILL, policy)
    checker = PassChecker("tw-small", seed=3, launches=1)
    compile_entry(module, "tw-small", weights=weights, after_pass=[checker.after_pass])
    assert checker.passed[0] == "canonicalise"
    assert checker.passed[-1] == "select"


def test_the_driver_checks_all_entries(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "m.tw"
    compile_model(model, "tw-small", max_context=8, chunk=2, output=image, check_each_pass=True)
    assert image.exists()


BUGS: dict[str, tuple[str, str, str, str]] = {
    "epsilon": (
        "fuse",
        r"eps 1.0e-05 heads 1",
        "eps 1.0e-02 heads 1",
        "tg.kv_append at blk.{l}.kv_append gives @k_cache[",
    ),
    "mask off by one": (
        "tile",
        r"step 1 axis 0 fill 0",
        "step 0 axis 0 fill 0",
        "tile.store at blk.{l}.kv_append gives @k_cache[1, ",
    ),
    "token left out": (
        "channels",
        r"\n *stream.(signal|await) @token_embd_out_ready.*",
        "",
        "tile.gather at output on ld1",
    ),
    "release left out": (
        "skew",
        r"\n *stream.release %picked_1.*",
        "",
        "@picked ends with slots that vpu did not release",
    ),
    "layers too close": (
        "select",
        r"(alu mul %\d+), 3072",
        r"\1, 3008",
        "tw.copy at output gives @logits[",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_one_pass_is_caught(
    name: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, pattern, new, said = BUGS[name]
    monkeypatch.setitem(PASSES, wrong, spoilt(wrong, pattern, new))
    with pytest.raises(CheckError) as error:
        compile_model(model, "tw-small", max_context=12, batch=2, chunk=3, check_each_pass=True,
                      output=tmp_path / "m.tw")  # fmt: skip
    assert str(error.value).startswith(f"after {wrong}")
    assert said in str(error.value)
    assert not (tmp_path / "m.tw").exists()


DECODE = EntryShape("decode", 3, 1, 12)
ON_CHIP: dict[str, tuple[str, str]] = {
    "own key left out": ("scf.for %own = %c0 to %\\d+ ", "scf.for %own = %c0 to %c0 "),
    "own value left out": ("scf.for %own_1 = %c0 to %\\d+ ", "scf.for %own_1 = %c0 to %c0 "),
    "own score at the first position": (r"(subview %scores\[%?\w+, )%\d+", r"\1%c0"),
    "own probability of the first position": (r"(subview %p\[%?\w+, )%\d+", r"\1%c0"),
    "own key of the first sequence": (r"(subview %fresh\[)%\w+", r"\1%c0"),
    "own value of the first sequence": (r"(subview %fresh_1\[)%\w+", r"\1%c0"),
    "queries of the first sequence": (r"(subview %kv_append_out\[)%\w+", r"\1%c0"),
    "one loaded position too many": (
        r"(%\d+)( = arith.minsi %c4, )%\d+( : .*\n *%\d+ = arith.subi (%\d+), \1 )",
        r"\1\2\4\3",
    ),
    "positions behind the own one unmasked": (
        r"(band hi )%\w+( step 1 axis 0 fill .*? cols )%\w+",
        r"\1%c4\2%c4",
    ),
    "angles of the first sequence": (r"(subview %angles\[[01], )%row_start\w*", r"\1%c0"),
    "angles of the first position": (r"(load @rope_cos\[)%kv_len\w*", r"\1%c0"),
    "key stored at the first position": (r"(@k_cache\[%l, %\w+, 0, )%kv_len\w*", r"\1%c0"),
    "value stored at another sequence's": (r"(to @v_cache\[%l, )%b\w*", r"\1%c0"),
}
"""Bugs where a step's own rows are at hand: a pattern in what tile writes, and what it becomes."""


def compile_decode(model: Path) -> PassChecker:
    """The decode entry, each pass checked."""
    checker = PassChecker("tw-small", seed=2, launches=3)
    module = load_model(model).build(DECODE, "exact")
    compile_entry(module, "tw-small", kv_block=4, after_pass=[checker.after_pass])
    return checker


def test_every_pass_keeps_the_decode(model: Path) -> None:
    assert compile_decode(model).passed[-1] == "select"


@pytest.mark.parametrize("name", ON_CHIP)
def test_a_bug_with_rows_on_chip_is_caught(
    name: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PASSES, "tile", spoilt("tile", *ON_CHIP[name]))
    with pytest.raises(CheckError) as error:
        compile_decode(model)
    assert str(error.value).startswith("after tile")
    print(error.value)
