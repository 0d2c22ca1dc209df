"""Exact times, bytes, instructions and joules of the samples, against tests/bench/golden/.

    pytest tests/bench/test_golden.py                   fails where a figure changed
    pytest tests/bench/test_golden.py --update-golden   shows old, new and ratio, and rewrites

A figure that changes is no mistake by itself: it says what a commit did to the programs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from figures import Report

from tilewright.backend.image import sealed_image
from tilewright.backend.machine import Machine
from tilewright.compiler.driver import compile_programs
from tilewright.compiler.frontend import load_model
from tilewright.runtime.timing.report import StepReport, report_of
from tilewright.runtime.timing.steps import time_step

SAMPLES = Path(__file__).parents[2] / "samples"
GOLDEN = Path(__file__).parent / "golden"
Figures = dict[str, int | float]


@dataclass(frozen=True)
class Case:
    """A model on a machine: a token at the end of `context`, and `prompt` tokens in one launch."""

    model: str
    """Below samples/."""
    machine: str
    policy: str
    context: int
    prompt: int

    @property
    def name(self) -> str:
        """Of the test and of the file of figures."""
        model = self.model.removeprefix("configs/").removesuffix("/config.json")
        return f"{model}.{self.machine}.{self.policy}"

    @property
    def path(self) -> Path:
        """The file of figures."""
        return GOLDEN / f"{self.name}.json"


CASES = (
    Case("tiny-shakespeare", "tw-small", "bf16", 256, 128),
    Case("tiny-shakespeare", "tw-1", "bf16", 256, 128),
    Case("tiny-shakespeare", "tw-1", "exact", 256, 128),
    Case("configs/smollm2-135m/config.json", "essay-3tbs", "bf16", 1024, 512),
    Case("configs/llama-2-7b/config.json", "essay-3tbs", "bf16", 1024, 512),
    Case("configs/llama-3-70b/config.json", "essay-3tbs", "bf16", 1024, 512),
)


def figures(report: StepReport) -> Figures:
    """What is kept of a step."""
    return {
        "picoseconds": report.picoseconds,
        **{f"bytes {name}": count for name, count in report.bytes.items()},
        **{f"instructions {engine}": count for engine, count in report.instructions.items()},
        **{f"joules {name}": joules for name, joules in report.joules.items()},
    }


def measured(case: Case) -> dict[str, Figures]:
    """Figures of both phases, from one image in memory."""
    image, _ = compile_programs(
        load_model(SAMPLES / case.model),
        machine=case.machine,
        max_context=case.context,
        policy=case.policy,
        chunk=case.prompt,
    )
    image, machine = sealed_image(image), Machine.from_dict(image.machine)
    steps = {"decode": case.context, "prefill": case.prompt}
    return {
        f"{phase} {context}": figures(report_of(image, time_step(image, machine, phase, [context])))
        for phase, context in steps.items()
    }


def changes(old: dict[str, Figures], new: dict[str, Figures]) -> list[str]:
    """A line for each figure that differs: its name, old, new, ratio."""
    lines: list[str] = []
    for step in dict.fromkeys((*old, *new)):
        before, after = old.get(step, {}), new.get(step, {})
        for name in dict.fromkeys((*before, *after)):
            was, now = before.get(name), after.get(name)
            if was != now:
                ratio = f"{now / was:.4f}" if was and now is not None else "-"
                lines.append(
                    f"{step}, {name + ':':<20} {text(was):>20} -> {text(now):>20}  ratio {ratio}"
                )
    return lines


def text(figure: float | None) -> str:
    """A figure to the last digit."""
    return "none" if figure is None else f"{figure:,}"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_figures(case: Case, report: Report, request: pytest.FixtureRequest) -> None:
    old: dict[str, Figures] = json.loads(case.path.read_text()) if case.path.exists() else {}
    new = measured(case)
    lines = changes(old, new)
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        case.path.write_text(json.dumps(new, indent=2) + "\n")
        for line in lines:
            report.line(line)
        return
    assert not lines, "\n".join(
        [f"{case.path}: figures changed; if they should, add --update-golden", *lines]
    )


def test_every_file_of_figures_has_a_case() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {case.path.name for case in CASES}


def test_a_change_shows_old_new_and_ratio() -> None:
    old: dict[str, Figures] = {"decode 8": {"picoseconds": 2000, "joules hbm": 0.5, "gone": 1}}
    new: dict[str, Figures] = {"decode 8": {"picoseconds": 1500, "joules hbm": 0.5, "added": 2}}
    assert [" ".join(line.split()) for line in changes(old, new)] == [
        "decode 8, picoseconds: 2,000 -> 1,500 ratio 0.7500",
        "decode 8, gone: 1 -> none ratio -",
        "decode 8, added: none -> 2 ratio -",
    ]
    assert changes(new, new) == []
