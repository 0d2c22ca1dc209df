"""Chat templates: what they may use, and that they reach nothing else."""

from typing import Any

import pytest

from tilewright.runtime.chat import ChatError, render_chat

MESSAGES = [{"role": "user", "content": "<hi>"}]


def test_messages_and_names() -> None:
    template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m['content'] | trim }}\n"
        "{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    special = {"bos_token": "<s>"}
    assert render_chat(template, MESSAGES, special) == "<s>[user]<hi>\n[assistant]"
    assert render_chat(template, MESSAGES, special, generate=False) == "<s>[user]<hi>\n"


def test_blocks_take_no_lines() -> None:
    template = "{% for m in messages %}\n    {%- if true %}\nx\n{% endif %}\n{% endfor %}\n"
    assert render_chat(template, MESSAGES) == "x\n"


def test_json_is_not_escaped_and_loops_may_break() -> None:
    template = "{% for m in messages %}{{ m | tojson }}{% break %}{% endfor %}"
    assert render_chat(template, MESSAGES * 2) == '{"role": "user", "content": "<hi>"}'


def test_a_template_may_refuse() -> None:
    with pytest.raises(ChatError) as error:
        render_chat("{{ raise_exception('roles must alternate') }}", MESSAGES)
    assert str(error.value) == "the chat template refuses the messages: roles must alternate"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ undefined_name.field }}",
        "{% for %}",
        "{{ 1 / 0 }}",
        "{{ 'x' * 10 + 1 }}",
        "{% for i in range(10000000) %}{% endfor %}",
    ],
)
def test_a_template_reaches_no_python_and_fails_in_one_line(template: str) -> None:
    with pytest.raises(ChatError) as error:
        render_chat(template, MESSAGES)
    assert "\n" not in str(error.value)


def test_wrong_calls() -> None:
    with pytest.raises(ChatError) as error:
        render_chat(None, MESSAGES)
    assert str(error.value) == "the model has no chat template: give the prompt as plain text"
    wrong: list[dict[str, Any]] = [{"role": "user"}]
    with pytest.raises(ChatError) as error:
        render_chat("x", wrong)
    assert str(error.value) == "message 0 needs a role and a content"
