"""Photos that customers hand in: looked at by their content, bounded, and drawn anew without metadata."""

import io
import struct
import warnings
from threading import Lock
from typing import Any, BinaryIO

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.utils.translation import gettext as _
from PIL import ExifTags, Image

MOST_BYTES = 10 * 1024 * 1024
LONGEST_SIDE = 2000
THUMBNAIL_SIDE = 480
FORMATS = ("JPEG", "PNG", "WEBP")
# A JPEG is decoded small at once; the others need room for every pixel that they claim to have.
MOST_PIXELS = 50_000_000
MOST_PIXELS_UNSCALED = 25_000_000
QUALITY = 82
# The ways in which cameras say that a picture lies, and what sets it upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow only warns of a picture that is large beyond reason.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

# What Pillow's readers raise on files that are broken or made to break them.
_BROKEN = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    MemoryError,
    struct.error,
)

# One at a time in a process, so that decoding takes no more memory than one picture does.
_decoding = Lock()


class PhotoError(ValueError):
    """A file that is not taken as a photo; ``reason`` is a sentence that says what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_photo(file: UploadedFile[Any] | BinaryIO, *, size: int | None = None) -> bytes:
    """The photo as a JPEG of at most 2,000 pixels a side, upright and without any metadata.

    Raises PhotoError for a file that is too large, is none of JPEG, PNG and WEBP by its content
    (its name and declared type are not looked at), or cannot be decoded within bounds.
    """
    size = size if size is not None else getattr(file, "size", None)
    if size is not None and size > MOST_BYTES:
        raise PhotoError(
            _("That photo is larger than 10 MB. Take it again with less detail, or go on without.")
        )
    return _redraw(file, side=LONGEST_SIDE)  # type: ignore[arg-type]


def thumbnail(photo: bytes) -> bytes:
    """A small copy of a photo that ``read_photo`` made."""
    return _redraw(io.BytesIO(photo), side=THUMBNAIL_SIDE)


def _redraw(file: BinaryIO, *, side: int) -> bytes:
    too_many = PhotoError(
        _("That picture has too many pixels. Take it again with less detail, or go on without.")
    )
    try:
        with _decoding, Image.open(file, formats=FORMATS) as image:
            is_jpeg = image.format not in ("PNG", "WEBP")
            if image.width * image.height > (MOST_PIXELS if is_jpeg else MOST_PIXELS_UNSCALED):
                raise too_many
            image.draft("RGB", (side, side))
            return _encode(image, side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_many from None
    except PhotoError:
        raise
    except _BROKEN:
        raise PhotoError(
            _("That file is no photo that can be read. Use a JPEG, PNG or WEBP picture.")
        ) from None


def _encode(image: Image.Image, side: int) -> bytes:
    image.thumbnail((side, side))
    # Pillow's own turning writes the metadata anew, and fails where they are nonsense.
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    upright = image if turn is None else image.transpose(turn)
    mask = upright.convert("RGBA").getchannel("A") if upright.has_transparency_data else None
    # A new picture: whatever came along with the old one stays behind.
    clean = Image.new("RGB", upright.size, "white")
    clean.paste(upright.convert("RGB"), mask=mask)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


class Ceiling(TemporaryFileUploadHandler):
    """Puts no more than 10 MB of any uploaded file on disk.

    What is larger arrives in the view without content but with its true size, and the other fields
    of its form arrive as they were: a form with too large a photo loses nothing else.
    """

    file: TemporaryUploadedFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the data, as long as there is room."""
        if start + len(raw_data) <= MOST_BYTES:
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        """The file, or what stands in for one that was cut off."""
        if file_size <= MOST_BYTES:
            return super().file_complete(file_size)
        self.file.close()
        return UploadedFile(
            file=io.BytesIO(), name=self.file_name, size=file_size, charset=self.charset
        )
