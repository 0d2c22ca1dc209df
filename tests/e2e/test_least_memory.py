"""A refusal names a size that would do: with it all compiles, with one alignment less nothing."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from machines import write_machine

from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend import load_model
from tilewright.compiler.frontend.builder import EntryShape
from tilewright.passes.tile.search import DoesNotFitError

SAMPLES = Path(__file__).parents[2] / "samples"
MODELS = ("tiny-shakespeare", "configs/qwen3-0.6b/config.json")
ENTRIES = (
    EntryShape("decode", 1, 1, 128),
    EntryShape("decode", 4, 1, 128),
    EntryShape("prefill", 3, 13, 128),
)


@pytest.mark.parametrize("policy", ["exact", "bf16"])
@pytest.mark.parametrize("name", ["tw-small", "tw-1"])
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.name} x {e.batch}")
@pytest.mark.parametrize("model", MODELS, ids=["tiny", "qwen3"])
def test_the_size_that_is_named_would_do(
    model: str, entry: EntryShape, name: str, policy: str, tmp_path: Path
) -> None:
    loaded = load_model(SAMPLES / model)

    def compiled(nbytes: int) -> Machine:
        machine = replace(load_machine(name), spm_bytes=nbytes)
        compile_entry(loaded.build(entry, policy), write_machine(machine, tmp_path))
        return machine

    with pytest.raises(DoesNotFitError) as caught:
        compiled(1024)
    found = re.search(r"Use a machine with at least (\d+) bytes", str(caught.value))
    assert found is not None, str(caught.value)
    machine = compiled(int(found[1]))
    with pytest.raises(DoesNotFitError):
        compiled(int(found[1]) - machine.alignment)
