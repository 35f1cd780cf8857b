"""Static files are collected when one of them is another, and only then."""

from pathlib import Path
from typing import Any

from django.conf import settings as configured

from loyalty.static_files import collect


def test_files_are_collected_again_only_when_one_changes(settings: Any, tmp_path: Path) -> None:
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "from"]
    settings.STATIC_ROOT = root = tmp_path / "to"
    settings.STORAGES = configured.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    source = tmp_path / "from" / "a.css"
    source.parent.mkdir()
    source.write_text("a { color: red; }" * 100)

    collect(root)
    [first] = root.glob("a.*.css")
    assert {path.name for path in root.glob("a.*")} == {
        first.name,
        f"{first.name}.br",
        f"{first.name}.gz",
    }
    first.unlink()
    collect(root)
    assert not first.exists()

    source.write_text("a { color: green; }" * 100)
    collect(root)
    [second] = root.glob("a.*.css")
    assert second.name != first.name


def test_without_a_place_for_them_nothing_is_collected() -> None:
    collect(None)
