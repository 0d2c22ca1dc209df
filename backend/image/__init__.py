"""Images: one safetensors file with programs, tables, tokenizer and packed weights."""

from .container import ImageError
from .image import LOAD_ENTRY, Image
from .read import read_image, tensor_span
from .write import VERSION, rewrite_digest, sealed_image, write_image

__all__ = [
    "LOAD_ENTRY",
    "VERSION",
    "Image",
    "ImageError",
    "read_image",
    "rewrite_digest",
    "sealed_image",
    "tensor_span",
    "write_image",
]
