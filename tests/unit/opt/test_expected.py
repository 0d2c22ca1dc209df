"""`expected-error` comments: what they announce, and what is said when it does not come."""

from pathlib import Path

import pytest

from tilewright.compiler.opt import main

HEAD = "func.func @f() {\n"
TAIL = "  func.return\n}\n"
UNKNOWN = "  %m = tg.get @m"
SAYS = "no launch parameter is named @m"
OK = "func.func @g() {\n  func.return\n}\n"


def status(path: Path, text: str, *words: str) -> int:
    path.write_text(text)
    return main([str(path), "--verify-diagnostics", *words])


@pytest.mark.parametrize(
    "body",
    [
        f"{UNKNOWN}  // expected-error {{{{{SAYS}}}}}\n",
        f"  // expected-error @below {{{{{SAYS}}}}}\n{UNKNOWN}\n",
        f"  // expected-error@+1 {{{{tg.get: {SAYS}}}}}\n{UNKNOWN}\n",
        f"{UNKNOWN}\n  // expected-error @above {{{{parameter}}}}\n",
        f"{UNKNOWN}\n\n  // expected-error @-2 {{{{parameter}}}}\n",
        "  // expected-error @+1 {{type expected}}\n  %b = tile.buffer : foo\n",
    ],
)
def test_what_is_announced_is_no_error(
    body: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f.mlir"
    assert status(path, HEAD + body + TAIL) == 0
    assert capsys.readouterr() == ("", "")
    # In a second chunk, and with a module that is right before and behind it.
    text = "// -----\n".join((OK, HEAD + body + TAIL, OK))
    assert status(path, text, "--split-input-file") == 0
    out, said = capsys.readouterr()
    assert (out.count("func.func @g"), said) == (2, "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("  // expected-error {{parameter}}\n", "f.mlir:2: the expected error 'parameter' did not"),
        (
            f"  // expected-error {{{{parameter}}}}\n{UNKNOWN}\n",
            f"f.mlir:3: unexpected error: tg.get: {SAYS}",
        ),
        (
            f"{UNKNOWN} // expected-error {{{{another}}}}\n",
            f"f.mlir:2: unexpected error: tg.get: {SAYS}",
        ),
        (
            f"{UNKNOWN} // expected-error {{{{parameter}}}}\n  // expected-error {{{{named}}}}\n",
            "f.mlir:3: the expected error 'named' did not come in line 3",
        ),
        (
            "  %b = tile.buffer : foo // expected-error {{type wanted}}\n",
            "f.mlir:2: unexpected error: type expected",
        ),
        (
            "  // expected-warning {{x}}\n",
            "f.mlir:2: found expected-warning, wanted expec",
        ),
        ("  // expected-error @nearby {{x}}\n", "f.mlir:2: found @nearby, wanted @+N, @-N, @above"),
        ("  // expected-error x\n", "f.mlir:2: wanted text in braces: expected-error {{text}}"),
    ],
)
def test_what_is_not_is_one(
    body: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tmp_path / "f.mlir", HEAD + body + TAIL) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_error_of_a_pass_has_no_line(tmp_path: Path) -> None:
    text = "// expected-error @unknown {{stands behind}}\n" + OK
    path = tmp_path / "f.mlir"
    words = ["-p", "cse,dce", "--start-after", "dce", "--stop-after", "cse"]
    assert status(path, text, *words) == 0
    assert status(path, text.replace(" @unknown", ""), *words) == 2
