"""A conversation to the text a chat model was trained on, by the model's own template.

Templates are programs from the internet: they run in Jinja's immutable sandbox, which reaches no
Python internals and changes nothing. Needs `jinja2`, imported at the first use.
"""

from __future__ import annotations

import datetime
import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..backend.errors import TilewrightError


class ChatError(TilewrightError):
    """A model without a chat template, or a template that refuses or fails."""


def render_chat(
    template: str | None,
    messages: Sequence[Mapping[str, Any]],
    special: Mapping[str, str] | None = None,
    generate: bool = True,
) -> str:
    """The prompt text of `messages` (each with `role` and `content`).

    `special` holds names such as `bos_token`; `generate` ends the text where the assistant's
    answer starts. Encode the result without adding special tokens.
    """
    if template is None:
        raise ChatError("the model has no chat template: give the prompt as plain text")
    for number, message in enumerate(messages):
        if not isinstance(message.get("role"), str) or "content" not in message:
            raise ChatError(f"message {number} needs a role and a content")
    try:
        sandbox = importlib.import_module("jinja2.sandbox")
    except ImportError:
        raise ChatError("chat templates need the jinja2 package: pip install jinja2") from None

    def refuse(message: str) -> NoReturn:
        raise ChatError(f"the chat template refuses the messages: {message}")

    environment: Any = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = _now
    try:
        return str(
            environment.from_string(template).render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=generate,
                **(special or {}),
            )
        )
    except ChatError:
        raise
    except Exception as error:  # a template is a program, so it may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ChatError(f"the chat template fails: {reason}") from None


def _to_json(value: object, indent: int | None = None) -> str:
    """JSON without Jinja's HTML escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _now(form: str) -> str:
    return datetime.datetime.now().strftime(form)
