"""What each level means when run: tensors, tiles in order or by engine, races between engines.

`tensor` runs graph, fused and packed modules, `tile` tiled, streamed, placed and projected ones;
`races` looks for accesses that nothing orders. The isa level is run by the emulator in `runtime`.
"""
