"""The tokenizer of a Hugging Face directory: tokenizer.json with what its config files add."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from ...backend.json_text import parse_json
from .checkpoint import CheckpointError, TokenizerMaterial
from .model_files import file_in


def huggingface_tokenizer(
    folder: Path, model_config: Mapping[str, object]
) -> TokenizerMaterial | None:
    """The material of `tokenizer.json`, or None if there is none in the folder.

    End tokens are those of config.json and generation_config.json together. Raises
    CheckpointError when a file is not the JSON that it should be, or leads out of the folder.
    """
    path = file_in(folder, "tokenizer.json")
    if not path.exists():
        return None
    text = _text(path)
    _parsed(path, text)
    settings = _optional(file_in(folder, "tokenizer_config.json"))
    special = {
        name: word
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (word := _word(settings.get(name))) is not None
    }
    generation = _optional(file_in(folder, "generation_config.json"))
    ends = dict.fromkeys(
        number
        for source in (model_config, generation)
        for number in _numbers(source.get("eos_token_id"), folder)
    )
    starts = _numbers(model_config.get("bos_token_id"), folder)
    return TokenizerMaterial(
        json=text,
        bos=starts[0] if starts else None,
        eos=tuple(ends),
        chat_template=_template(folder, settings),
        special=special,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def _parsed(path: Path, text: str) -> dict[str, object]:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is not a JSON object")
    return cast(dict[str, object], value)


def _optional(path: Path) -> dict[str, object]:
    return _parsed(path, _text(path)) if path.exists() else {}


def _word(value: object) -> str | None:
    """A token's text, which files write as a string or as an object with `content`."""
    match value:
        case str():
            return value
        case {"content": str(word)}:
            return word
        case _:
            return None


def _numbers(value: object, folder: Path) -> list[int]:
    items = cast(list[object], value) if isinstance(value, list) else [value]
    numbers = [item for item in items if isinstance(item, int) and not isinstance(item, bool)]
    if len(numbers) != len(items) and value is not None:
        raise CheckpointError(f"{folder}: a token id is {value!r}, wanted an integer or a list")
    return numbers


def _template(folder: Path, settings: Mapping[str, object]) -> str | None:
    """The chat template: chat_template.jinja, or a string or the `default` in the settings.

    Raises CheckpointError for what is neither.
    """
    path = file_in(folder, "chat_template.jinja")
    if path.exists():
        return _text(path)
    found = settings.get("chat_template")
    if found is None or isinstance(found, str):
        return found
    if not isinstance(found, list):
        raise _no_template(folder, found)
    return dict(_named(folder, item) for item in cast(list[object], found)).get("default")


def _named(folder: Path, item: object) -> tuple[str, str]:
    """One of several templates: its name and its text."""
    match item:
        case {"name": str(name), "template": str(text)}:
            return name, text
        case _:
            raise _no_template(folder, item)


def _no_template(folder: Path, found: object) -> CheckpointError:
    return CheckpointError(
        f"{folder / 'tokenizer_config.json'}: chat_template is {repr(found)[:200]}, wanted a "
        "string, or a list of objects with a name and a template"
    )
