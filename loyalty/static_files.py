"""Static files as they are served: named by their content, compressed, and kept by browsers for a year."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.contrib.staticfiles import finders
from django.core.management import call_command

# Names what was collected last, beside it.
MARK = "collected"


def collect(root: Path | None) -> None:
    """Collect the static files into STATIC_ROOT, if there is one, unless what lies there was made of the same files."""
    if root is None:
        return
    mark = root / MARK
    wanted = _fingerprint()
    if mark.is_file() and mark.read_text() == wanted:
        return
    mark.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    mark.write_text(wanted)


def _fingerprint() -> str:
    """Changes with every file that is changed, added or gone, without reading them."""
    return hashlib.sha256("\n".join(sorted(_files())).encode()).hexdigest()


def _files() -> Iterator[str]:
    for finder in finders.get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            yield f"{name} {found.st_size} {found.st_mtime_ns}"
