"""The stages of a loop over tasks around a loop that becomes a pipeline: an analysis.

A *task* is one trip of the outer loop: what stands before the inner loop, the inner loop, and what
stands behind it. A statement before belongs to the first stage that shares something with it, one
behind to the last; a statement that shares nothing is of stage 0 before, and of the last behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.stream import SlotOp
from ...dialects.tile import BufferOp, TileOp
from ..located import PassError, located
from .loop_stages import Body, Shared, Stages, read_body

OVERLAP = "tile.overlap"


@dataclass(frozen=True)
class TaskStages:
    """The loop over tasks, around a body that is cut into stages.

    Attributes:
        before: the stage of each statement before the inner loop.
        behind: the stage of each statement behind it.
        buffers: private buffers of a task, outside of the inner loop.
        shared: those that two stages use, which thus two tasks use at once.
    """

    loop: scf.ForOp
    before: dict[Operation, int]
    behind: dict[Operation, int]
    buffers: list[BufferOp]
    shared: set[BufferOp]

    @property
    def block(self) -> Block:
        """The body of the loop over tasks."""
        return self.loop.body.block


def stage_tasks(loop: scf.ForOp, stages: Stages) -> TaskStages:
    """Find them. Raises PassError where tasks cannot overlap."""
    inner, last = stages.body.loop, len(stages.cuts)
    body = read_body(loop)
    statements = body.statements()
    at = statements.index(inner)
    groups = _groups(body, [op for op in statements if op is not inner])
    before: dict[Operation, int] = {}
    behind: dict[Operation, int] = {}
    for group in groups:
        used = {v for op in group for v in body.used.get(op, ()) if _own(body, v)}
        found = [stages.of[op] for v in used for op in stages.body.users.get(v, ())]
        for op in group:
            if statements.index(op) < at:
                before[op] = min(found, default=0)
            else:
                behind[op] = max(found, default=last)
    tasks = TaskStages(loop, before, behind, [], set())
    for buffer in [op for op in body.block.ops if isinstance(op, BufferOp)]:
        tasks.buffers.append(buffer)
        if len(_stages_of(buffer.result, body, stages, tasks)) > 1:
            tasks.shared.add(buffer)
            _check_uses(buffer)
    for value in body.users:
        _check(value, body, stages, tasks)
    return tasks


def _own(body: Body, value: Shared) -> bool:
    """Whether a slot or buffer is a task's own."""
    if not isinstance(value, SSAValue) or not isinstance(value.owner, Operation):
        return False
    return value.owner.parent_block() is body.block


def _groups(body: Body, statements: list[Operation]) -> list[list[Operation]]:
    """Statements that share slots or buffers of the task, directly or through others."""
    links: dict[Shared, Shared] = {wait.slot: acquire.slot for wait, acquire in body.pairs.items()}
    left = list(statements)
    groups: list[list[Operation]] = []
    while left:
        group, values = [left.pop(0)], set[Shared]()
        for op in group:
            mine = {v for v in body.used.get(op, ()) if _own(body, v)}
            mine |= {links[v] for v in mine if v in links}
            values |= mine
            more = [
                o
                for o in left
                if any(v in values or links.get(v) in values for v in body.used.get(o, ()))
            ]
            group += more
            left = [o for o in left if o not in more]
        groups.append(group)
    return groups


def _stages_of(value: Shared, body: Body, stages: Stages, tasks: TaskStages) -> set[int]:
    """The stages that use a value."""
    found = {stages.of[op] for op in stages.body.users.get(value, ())}
    for op in body.users.get(value, ()):
        if op in tasks.before:
            found.add(tasks.before[op])
        elif op in tasks.behind:
            found.add(tasks.behind[op])
    return found


def _check_uses(buffer: BufferOp) -> None:
    for use in buffer.result.uses:
        if not isinstance(use.operation, TileOp):
            raise PassError(
                f"{located(use.operation)}: a part of %{buffer.result.name_hint or 'buffer'} would "
                f"cross tasks; drop {OVERLAP}, or use the whole buffer",
                use.operation,
            )


def _check(value: Shared, body: Body, stages: Stages, tasks: TaskStages) -> None:
    """What several stages of different tasks share is a buffer that has turns."""
    of = _stages_of(value, body, stages, tasks)
    if len(of) < 2 or (value not in body.writers and not _is_slot(value, body)):
        return
    owner = value.owner if isinstance(value, SSAValue) else None
    if isinstance(owner, BufferOp) and owner in tasks.shared:
        return
    if isinstance(owner, Operation) and owner.parent_block() is stages.body.block:
        return
    name = value if isinstance(value, str) else f"%{value.name_hint or 'value'}"
    raise PassError(
        f"{located(tasks.loop)}: stages {sorted(of)} of different tasks would use {name} at once; "
        f"drop {OVERLAP}, or declare the buffer inside the loop",
        tasks.loop,
    )


def _is_slot(value: Shared, body: Body) -> bool:
    owner = value.owner if isinstance(value, SSAValue) else None
    return isinstance(owner, SlotOp) and owner.parent_block() is body.block
