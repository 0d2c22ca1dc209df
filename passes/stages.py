"""The order of the passes, by the level that they lead to, and why each stands where it does."""

STAGES: dict[str, tuple[str, ...]] = {
    "graph": ("canonicalise", "merge"),
    "fused": ("fuse",),
    "packed": ("choose-formats", "choose-panels"),
    "tiled": ("tile", "reside"),
    "streamed": ("assign-engines", "channels", "skew", "size-rings", "verify-streams"),
    "placed": ("allocate",),
    "projected": ("project",),
    "isa": ("select",),
}
"""Level -> the passes that lead there, in order."""

UNFUSED: dict[str, tuple[str, ...]] = {**STAGES, "graph": ("canonicalise", "expand-attention")}
"""The same where every op of the graph is a kernel of its own (`fuse{unfused}`)."""

REASONS: dict[str, str] = {
    "canonicalise": "First, so that no later pass meets, merges or packs what nobody uses.",
    "merge": "Before `fuse`, which closes kernels: only here do the matmuls of one operand still "
    "stand side by side.",
    "fuse": "Before formats and panels: a format or a column order is a matter of the whole kernel "
    "that reads a parameter.",
    "choose-formats": "Before `choose-panels`: a panel's bytes follow from the format.",
    "choose-panels": "Before `tile`: a panel is what weight tiles are cut from. Behind `fuse`: "
    "which columns must meet in one panel is seen in the kernel's epilogue.",
    "tile": "The last pass that sees tensors, and the only one that chooses sizes: it needs "
    "formats, panels and all kernels at once.",
    "reside": "Behind `tile`, whose loads and stores it drops where there is no main memory. "
    "Before `channels`: what is used in place crosses no engine as a slot.",
    "assign-engines": "Before `channels`: what crosses engines is known once each op has one.",
    "channels": "Before anything that reorders or overlaps: from here on order between engines is "
    "what the channels say.",
    "skew": "Behind `channels`: what a stage hands to the next is a slot only there. Before "
    "`size-rings`, since it needs a slot more of each ring that it crosses.",
    "size-rings": "Behind `channels` and `skew`, which give each ring the slots it cannot do "
    "without; before addresses, since it uses up the scratchpad that is left.",
    "verify-streams": "Before `allocate`: what follows relies on its rules, and it needs the "
    "engines' ops still in one function.",
    "allocate": "Behind `size-rings`, before `project`: it must see the buffers of all engines.",
    "project": "Last before instructions: everything that looks at several engines is done.",
    "select": "One engine at a time, with all addresses known, so that offsets become constants.",
}
"""Pass -> why it stands where it stands."""
