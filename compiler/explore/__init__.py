"""The explorer: one HTML file in which a compiled model is looked at, from every level to time."""

from .document import Compiled, Document, document
from .page import render
from .record import Recorder

__all__ = ["Compiled", "Document", "Recorder", "document", "render"]
