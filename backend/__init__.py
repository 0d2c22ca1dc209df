"""The machine: descriptions, formats, arithmetic, instructions, images. Imports nothing here, so
that each part can be loaded without the others.
"""
