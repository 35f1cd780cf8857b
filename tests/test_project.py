"""What holds of the tree itself: what is added is listed, tried and described, and nothing is switched off."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from loyalty import intake
from loyalty.exports.formats import FORMATS
from scoring.criteria import CRITERIA
from scoring.rules import RULE_TYPES
from tests.scoring import test_badges, test_rules

TREE = Path(__file__).resolve().parent.parent


def modules(folder: str) -> list[str]:
    """The files of a folder that each add one thing."""
    names = sorted(path.stem for path in (TREE / folder).glob("*.py"))
    return [name for name in names if name not in ("__init__", "base")]


def module_of(thing: object) -> str:
    return (thing if isinstance(thing, type) else type(thing)).__module__.rpartition(".")[2]


def headings() -> set[str]:
    """The headings of the algorithm in words."""
    text = (TREE / "docs" / "scoring.md").read_text(encoding="utf-8")
    return set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))


# Where one thing is added


@pytest.mark.parametrize("module", modules("scoring/rules"))
def test_a_rule_type_is_listed_tested_shown_and_described(module: str) -> None:
    listed = {module_of(rule_type): rule_type for rule_type in RULE_TYPES.values()}
    assert module in listed, f"name it in scoring/rules/__init__.py: {module}"
    name = listed[module].type
    assert name in test_rules.EXAMPLES
    assert (TREE / "tests" / "scoring" / f"test_rules_{name}.py").is_file()
    assert (TREE / "tests" / "scoring" / "snapshots" / f"{name}.full.sql").is_file()
    assert str(listed[module].label) in headings(), "give it a heading in docs/scoring.md"


@pytest.mark.parametrize("module", modules("scoring/criteria"))
def test_a_criterion_is_listed_tested_and_described(module: str) -> None:
    listed = {module_of(criterion): criterion for criterion in CRITERIA.values()}
    assert module in listed, f"name it in scoring/criteria/__init__.py: {module}"
    assert listed[module].name in test_badges.EXAMPLES
    assert str(listed[module].label) in headings(), "give it a heading in docs/scoring.md"


@pytest.mark.parametrize("module", modules("loyalty/exports/formats"))
def test_a_format_is_listed(module: str) -> None:
    assert module in {module_of(one) for one in FORMATS.values()}


@pytest.mark.parametrize("module", modules("loyalty/intake"))
def test_a_door_is_listed(module: str) -> None:
    assert f"``{module}``" in (intake.__doc__ or ""), "name it in loyalty/intake/__init__.py"
    importlib.import_module(f"loyalty.intake.{module}")


def test_names_are_listed_once_and_under_themselves() -> None:
    assert [rule_type.type for rule_type in RULE_TYPES.values()] == list(RULE_TYPES)
    assert [criterion.name for criterion in CRITERIA.values()] == list(CRITERIA)
    assert [one.name for one in FORMATS.values()] == list(FORMATS)


# Tests


def lines_of(folder: str, *suffixes: str) -> Iterator[tuple[str, str]]:
    """Every line of the text files in a folder, with its place."""
    for path in sorted((TREE / folder).rglob("*")):
        if path.suffix in suffixes and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), start=1):
                yield f"{path.relative_to(TREE)}:{number}", line


def test_no_test_is_switched_off() -> None:
    off = re.compile(
        r"^\s*#\s*(@pytest\.mark|(async )?def test_|assert )|mark\.(skip|xfail)\b|reruns"
    )
    found = [
        place
        for place, line in lines_of("tests", ".py")
        if off.search(line) and "test_project.py" not in place
    ]
    assert found == []


# What leaves the browser, and what an installation asks for


NAMESPACE = "http://www.w3.org/"


def test_pages_ask_nobody_else_for_anything() -> None:
    """No CDN and no foreign font: every address in what is served is a path of ours."""
    elsewhere = re.compile(r"""(https?:)?//[a-z0-9-]+\.[a-z]""", flags=re.IGNORECASE)
    found = []
    for folder in ("templates", "static"):
        for place, line in lines_of(folder, ".html", ".css", ".js", ".svg", ".json"):
            if elsewhere.search(line.replace(NAMESPACE, "")):
                found.append(place)
    assert found == []


@pytest.mark.parametrize("lock", sorted(path.name for path in (TREE / "requirements").iterdir()))
def test_a_lock_names_versions_and_hashes_and_no_index(lock: str) -> None:
    text = (TREE / "requirements" / lock).read_text(encoding="utf-8")
    requirements = text.replace("\\\n", "").splitlines()
    pinned = re.compile(
        r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==\S+( ;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+"
    )
    assert [line for line in requirements if not pinned.fullmatch(line.strip())] == []
    assert "://" not in text
    assert "index" not in text


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_every_test_that_the_security_document_names_is_there() -> None:
    text = (TREE / "docs" / "security.md").read_text(encoding="utf-8")
    module, named = "", []
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", text):
        module = path or module
        named.append((module, test))
    assert len(named) > 50
    for module, test in named:
        source = (TREE / module).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {test}\(", source, flags=re.MULTILINE), (
            f"{module}::{test}"
        )
