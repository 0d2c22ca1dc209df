"""xDSL's terminal GUI with all passes and dialects there are.

xDSL's part shows IR beside what the chosen passes make of it. Ours: passes in pipeline order with
the options that a dumped file's head says, verification, errors with their line and no end of the
application, and a query that is a command of `tilewright-opt`. It needs the extra `gui`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from textual.widgets import TextArea, Tree
from xdsl.dialects.builtin import ModuleOp
from xdsl.interactive import app
from xdsl.interactive.add_arguments_screen import AddArguments
from xdsl.interactive.passes import (
    AvailablePass,
    get_condensed_pass_list,
    get_new_registered_context,
)
from xdsl.passes import ModulePass, PassPipeline, get_pass_option_infos

from ...backend.errors import TilewrightError
from ...dialects.faults import place_beside
from ...dialects.source import parse_source
from ..origin import read_origin
from .known import everything
from .selection import Wanted, select_passes
from .watch import Watch, first_line

NOT_GIVEN = "none"
"""How xDSL writes a default of None."""
STYLE = Path(app.__file__).with_name("app.tcss")
"""Textual looks beside the file of the class, and xDSL's lies beside its own."""


class Terminal(app.InputApp):
    """xDSL's application; `options` are those that a pass gets where nobody says otherwise."""

    CSS_PATH = STYLE
    options: Mapping[str, Any]
    condensed: tuple[ModuleOp, tuple[AvailablePass, ...]] | None = None
    """The passes that change a module, which textual asks for at every turn."""

    def get_query_string(self) -> str:
        """The command that makes the output."""
        words = ["tilewright-opt"]
        if self.current_file_path:
            words.append(shlex.quote(self.current_file_path))
        if self.pass_pipeline:
            passes = [
                str(one.pipeline_pass_spec(include_default=True)) for one in self.pass_pipeline
            ]
            words += ["-p", shlex.quote(",".join(passes))]
        return " ".join(words)

    def update_current_module(self) -> None:
        """Parse the input and run the chosen passes; the output shows the module or the error.

        The module is verified before the first pass and after each, as in `tilewright-opt`.
        """
        text = self.input_text_area.text
        counted = ModuleOp([])
        watch, running = Watch(), ""

        def between(
            previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
        ) -> None:
            nonlocal running
            watch.after_pass(previous, module, following)
            running = f"pass {following.name}: " if following is not None else ""

        try:
            context = get_new_registered_context(self.all_dialects)
            module = parse_source(context, text, self.current_file_path or "input")
            counted = module.clone()
            PassPipeline(self.pass_pipeline, between).apply(context, module)
            self.current_module = module if text else None
        except Exception as error:  # A pass on IR that it was not made for may raise anything.
            self.current_module = TilewrightError(explained(error, running))
        self.update_input_operation_count_tuple(counted)

    def compute_available_pass_list(self) -> tuple[AvailablePass, ...]:
        """All passes, or when condensed those that change what the output shows; none behind an
        error.
        """
        module = self.current_module
        if isinstance(module, Exception):
            return ()
        if module is None or not self.condense_mode:
            return tuple(AvailablePass(kind) for _, kind in self.all_passes)
        if self.condensed is None or self.condensed[0] is not module:
            context = get_new_registered_context(self.all_dialects)
            changing = get_condensed_pass_list(context, module, self.all_passes)
            asking = tuple(AvailablePass(_asking(one.module_pass)) for one in changing)
            self.condensed = module, asking
        return self.condensed[1]

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """In the place of xDSL's, which calls its own `update_current_module`."""
        if event.text_area.id == "input":
            event.prevent_default()
            self.update_current_module()

    def on_tree_node_expanded(
        self, event: Tree.NodeExpanded[type[ModulePass] | ModulePass]
    ) -> None:
        """As xDSL's; where the pass cannot run here, the error is shown and nothing below it."""
        event.prevent_default()
        try:
            self.expand_tree_node(event)
        except Exception as error:  # As above.
            event.node.collapse()
            said = explained(error, f"{event.node.label}: ")
            self.notify(said, severity="error", markup=False)

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


def explained(error: Exception, step: str = "") -> str:
    """An error on one line, with the line of the input in front, or else the step, if known."""
    message = first_line(error)
    place = place_beside(error, {}, message)
    return f"{place}: {message}" if place is not None else step + message


def _asking(one: type[ModulePass] | ModulePass) -> type[ModulePass] | ModulePass:
    """A pass as it asks for its options: one that is made already, by default, has its class."""
    if not isinstance(one, ModulePass) or not fields(one) or one.required_fields():
        return one
    return type(one) if one == type(one)() else one


def stated_options(kind: type[ModulePass], options: Mapping[str, Any]) -> str:
    """`machine=tw-1 kv-block=32`: what is known, else the default, else the type that is wanted.

    An option that may be missing, and of which nothing is known, is left out.
    """
    required = kind.required_fields()
    said: list[str] = []
    for name, wanted, default in get_pass_option_infos(kind):
        if (value := options.get(name)) is not None:
            said.append(f"{name}={str(value).lower() if isinstance(value, bool) else value}")
        elif default not in (None, NOT_GIVEN):
            said.append(f"{name}={default}")
        elif name in required:
            said.append(f"{name}={wanted}")
    return " ".join(said)


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
