"""Images in JPEG as the child decodes them: no other kind is tried, and an image states its size before it is one."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from gailkit.untrusted.container import PIECE_BYTES, Damage, Refusal

MAX_PIXELS = 2**24
_MISTAKES = (OSError, ValueError, SyntaxError, TypeError, IndexError, Image.DecompressionBombError)
"""What Pillow raises on something that is no image, or a damaged one."""

Image.MAX_IMAGE_PIXELS = None  # the bound is looked at below, where it can name the member


def decoded(name: str, encoded: np.ndarray) -> np.ndarray:
    """The image (H, W) or (H, W, 3), uint8, in the bytes of a row of ``name``."""
    try:
        image = Image.open(io.BytesIO(encoded.tobytes()), formats=["JPEG"])
        if image.width * image.height > MAX_PIXELS:
            raise Refusal(name, f"an image of it has {image.width} x {image.height} pixels; accepted are {MAX_PIXELS}")
        if image.mode not in ("L", "RGB"):
            raise Refusal(name, f"an image of it has the colours {image.mode}; accepted are L (grey) and RGB")
        return np.asarray(image, np.uint8)
    except _MISTAKES as error:
        raise Damage(f"an image of {name!r} cannot be decoded as JPEG") from error


def image_pieces(name: str, rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The images in ``rows``, all of one shape, in pieces (n, H, W) or (n, H, W, 3) of about PIECE_BYTES."""
    waiting: list[np.ndarray] = []
    shape = None
    for row in rows:
        image = decoded(name, row)
        shape = shape or image.shape
        if image.shape != shape:
            raise Refusal(name, f"its images have several shapes: {shape} and {image.shape}")
        waiting.append(image)
        if len(waiting) * image.nbytes >= PIECE_BYTES:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)
