"""xDSL's terminal GUI with all passes and dialects there are.

xDSL's part shows IR beside what the chosen passes make of it. Ours: passes in pipeline order with
the options that a dumped file's head says, and a query that is a command of `tilewright-opt`.
It needs the extra `gui`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.interactive import app
from xdsl.interactive.add_arguments_screen import AddArguments
from xdsl.passes import ModulePass, get_pass_option_infos

from ...backend.errors import TilewrightError
from ..origin import read_origin
from .known import everything
from .selection import Wanted, select_passes

STYLE = Path(app.__file__).with_name("app.tcss")
"""Textual looks beside the file of the class, and xDSL's lies beside its own."""


class Terminal(app.InputApp):
    """xDSL's application; `options` are those that a pass gets where nobody says otherwise."""

    CSS_PATH = STYLE
    options: Mapping[str, Any]

    def get_query_string(self) -> str:
        """The command that makes the output."""
        words = ["tilewright-opt"]
        if self.current_file_path:
            words.append(shlex.quote(self.current_file_path))
        if self.pass_pipeline:
            passes = ",".join(str(one.pipeline_pass_spec(include_default=True)) for one in self.pass_pipeline)
            words += ["-p", shlex.quote(passes)]
        return " ".join(words)

    def get_pass_arguments(
        self,
        selected_pass_value: type[ModulePass],
        root_to_child_pass_list: tuple[ModulePass, ...],
    ) -> None:
        """Ask for the options of a pass, with those that are known filled in."""

        def chosen(made: ModulePass | None) -> None:
            if made is not None:
                self.pass_pipeline = (*self.pass_pipeline, *root_to_child_pass_list, made)

        screen = AddArguments(selected_pass_value)
        screen.argument_text_area.text = stated_options(selected_pass_value, self.options)
        self.push_screen(screen, chosen)


def stated_options(kind: type[ModulePass], options: Mapping[str, Any]) -> str:
    """`machine=tw-1 kv-block=32`: what is known, else the default, else the type that is wanted.

    An option that may be left out, and of which nothing is known, is left out.
    """
    required = kind.required_fields()
    said: list[str] = []
    for name, wanted, default in get_pass_option_infos(kind):
        field = name.replace("-", "_")
        value = options.get(field, default)
        if value is not None or field in required:
            said.append(f"{name}={_spelled(wanted if value is None else value)}")
    return " ".join(said)


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def application(path: Path | None, passes: str = "", machine: str | None = None) -> Terminal:
    """The application before it is shown: a file, the passes chosen already, a machine.

    Raises TilewrightError for a file that is no text, and for what `tilewright-opt -p` refuses.
    """
    text, origin = None, None
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise TilewrightError(f"{path}: is no text: {error}") from None
        origin = read_origin(text, str(path))
    known = everything()
    given = {"machine": machine} if machine is not None else {}
    chosen = select_passes(Wanted(passes, options=given), known, ModuleOp([]), origin)
    made = Terminal(
        tuple(known.dialects.items()),
        tuple((name, known.load(name)) for name in known.passes),
        str(path) if path is not None else None,
        text,
        tuple(chosen),
    )
    made.options = {**(origin.options() if origin is not None else {}), **given}
    return made
