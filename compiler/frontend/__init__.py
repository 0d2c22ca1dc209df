"""Front ends: a checkpoint, a config or graph-level text becomes one module for each entry."""
