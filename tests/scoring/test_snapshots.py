"""The SQL that rules become, kept as files, so that a review sees how it changes.

After a change on purpose: ``LAUREL_SNAPSHOTS=write .venv/bin/python -m pytest tests/scoring/test_snapshots.py``,
then read the difference that git shows.
"""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from accounts.models import Brand
from scoring.compiler import compile_rules
from scoring.documents import parse_rule_set
from scoring.models import Source
from scoring.rules import RULE_TYPES
from scoring.vocabulary import Kind, Vocabulary

from .world import ATTRIBUTES, Json, document, rule

FOLDER = Path(__file__).parent / "snapshots"
WORDS = Vocabulary(
    brand_id=1,
    time_zone="Europe/London",
    currency="GBP",
    kinds={
        "buy": Kind(1, "buy", "Purchase", Source.PURCHASES, "money", ATTRIBUTES),
        "visit": Kind(2, "visit", "Visit", Source.PHYSICAL_VISITS, "", {}),
    },
    venues={"soho": 1},
    venue_names={"soho": "Soho"},
)
SPEND = rule("earn", "spend", rate="1.5", limits=[{"per": "week", "points": 100}])
RULES: dict[str, list[Json]] = {
    "earn": [
        SPEND,
        rule(
            "earn",
            "visit",
            kinds=["visit"],
            points=25,
            conditions=[{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
            limits=[{"per": "day", "by": "venue", "count": 1}, {"per": "ever", "points": 500}],
        ),
        rule("earn", "welcome", points=100, limits=[{"per": "ever", "count": 1}]),
    ],
    "bonus": [
        SPEND,
        rule("bonus", "double", percent=100, starts="2026-11-01T00:00:00+00:00"),
    ],
    "combo": [
        rule(
            "combo",
            "see-and-buy",
            per="week",
            points=50,
            requires=[
                {"kinds": ["visit"], "count": 1},
                {
                    "kinds": ["buy"],
                    "count": 2,
                    "conditions": [
                        {"field": "quantity", "op": "at_least", "value": 10},
                        {"field": "attributes.topic", "op": "contains", "value": "100%"},
                    ],
                },
            ],
        )
    ],
    "streak": [rule("streak", "regular", kinds=["visit"], per="month", length=4, points=80)],
}


def compiled(name: str, *, scoped: bool) -> str:
    """What one small rule set becomes."""
    parsed = parse_rule_set(document(*RULES[name]), brand=Brand(), vocabulary=WORDS)
    rule_ids = {stage.key: number for number, stage in enumerate(parsed.rules, start=1)}
    text = compile_rules(parsed, rule_ids=rule_ids, scoped=scoped).ctes.as_string(None)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    sentences = [f"-- {stage.key}: {stage.sentence()}" for stage in parsed.rules]
    return "\n".join([*sentences, *lines, ""])


@pytest.mark.parametrize("reach", ["full", "scoped"])
@pytest.mark.parametrize("name", RULES)
def test_the_statement_is_the_one_that_was_reviewed(name: str, reach: str) -> None:
    path = FOLDER / f"{name}.{reach}.sql"
    text = compiled(name, scoped=reach == "scoped")
    if os.environ.get("LAUREL_SNAPSHOTS") == "write":
        path.write_text(text, encoding="utf-8")
    is_reviewed = path.exists() and path.read_text(encoding="utf-8") == text
    assert is_reviewed, (
        "The SQL has changed. If that is on purpose, write it anew with "
        "LAUREL_SNAPSHOTS=write .venv/bin/python -m pytest tests/scoring/test_snapshots.py"
    )


def test_numbers_stay_exact_in_it() -> None:
    parsed = parse_rule_set(
        document(rule("earn", rate="0.100000000001")), brand=Brand(), vocabulary=WORDS
    )
    [stage] = parsed.rules
    assert stage.parameters_json()["rate"] == "0.100000000001"
    text = compile_rules(parsed, rule_ids={"earn": 1}).ctes.as_string(None)
    assert str(Decimal("0.100000000001")) in text


def test_every_rule_type_has_a_snapshot() -> None:
    assert list(RULES) == list(RULE_TYPES)
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{name}.{reach}.sql" for name in RULE_TYPES for reach in ("full", "scoped")
    }
