"""Formats go by one name; users have more."""

import pytest

from tilewright.backend.formats import FORMATS, FormatError, format_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("int8", "i8"),
        ("int4-g128", "i4_g128"),
        ("INT4_G32", "i4_g32"),
        ("int4z-g64", "i4z_g64"),
        ("i4-g64", "i4_g64"),
        ("bfloat16", "bf16"),
        ("fp16", "f16"),
        ("Q4_0", "q4_0"),
    ],
)
def test_other_spellings(text: str, name: str) -> None:
    assert format_name(text) == name


def test_each_row_has_its_own_names() -> None:
    names = [name for row in FORMATS.values() for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))
    for row in FORMATS.values():
        assert {format_name(name) for name in (row.name, *row.aliases)} == {row.name}


@pytest.mark.parametrize("text", ["int4", "q9", ""])
def test_an_unknown_one_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(FormatError, match=f"weights: found '{text}', wanted one of f32, f16, bf16"):
        format_name(text)
