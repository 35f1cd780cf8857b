"""Every stored field is classified, and the document says so.

``LAUREL_SNAPSHOTS=write`` writes the table in docs/privacy.md anew.
"""

import os
import re
from pathlib import Path

import pytest
from django.apps import apps

from loyalty.privacy.download import SECTIONS
from loyalty.privacy.fields import CLASSIFIED, Fate, table

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "privacy.md"
BEGINS, ENDS = "<!-- fields -->\n", "\n<!-- /fields -->"


def stored() -> dict[str, set[str]]:
    """Every model of every installed application, with the fields that have a column."""
    return {
        model._meta.label: {field.name for field in model._meta.local_fields if field.column}
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
    }


def test_every_field_is_classified_and_every_classified_one_is_there() -> None:
    classified = {model: set(fields) for model, fields in CLASSIFIED.items()}
    there = stored()
    unclassified = {f"{m}.{f}" for m, fs in there.items() for f in fs - classified.get(m, set())}
    gone = {f"{m}.{f}" for m, fs in classified.items() for f in fs - there.get(m, set())}
    assert not unclassified, "say in loyalty/privacy/fields.py what they are"
    assert not gone, "take them out of loyalty/privacy/fields.py"
    assert set(classified) == set(there)


def test_what_is_not_downloaded_has_a_reason() -> None:
    sections = {section.name for section in SECTIONS}
    for model, fields in CLASSIFIED.items():
        for name, field in fields.items():
            assert not field.exported or field.exported in sections, f"{model}.{name}"
            assert field.exported or not field.personal or field.note, f"{model}.{name}"
            # What is somebody's is never just left.
            assert not (field.personal and field.erased == Fate.UNTOUCHED), f"{model}.{name}"


def test_every_section_of_the_download_has_something_or_is_made_of_what_others_have() -> None:
    exported = {field.exported for fields in CLASSIFIED.values() for field in fields.values()}
    made_of_others = {"actions", "awards"}
    assert {section.name for section in SECTIONS} - made_of_others == exported - {""}


def test_the_document_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _begins, rest = text.partition(BEGINS)
    found, _ends, after = rest.partition(ENDS)
    if os.environ.get("LAUREL_SNAPSHOTS") == "write":
        found = table()
        DOCUMENT.write_text(f"{before}{BEGINS}{found}{ENDS}{after}", encoding="utf-8")
    assert found == table(), "LAUREL_SNAPSHOTS=write writes it anew"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_the_document_describes_each_section(section: object) -> None:
    name, columns = section.name, section.columns  # type: ignore[attr-defined]
    line = re.search(
        rf"^\| `{name}` \| (.+?) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert line, f"docs/privacy.md says nothing of {name}"
    assert re.findall(r"`(\w+)`", line[1]) == list(columns)
