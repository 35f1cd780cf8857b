"""Real purchases of real customers, through the commands: the CDNOW sample, when it is at hand."""

import json
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from math import floor
from pathlib import Path

import pytest
import time_machine

from accounts.consent import audience
from accounts.models import Brand, Purpose
from scoring.queries import top_customers
from tests.loyalty.test_commands import RULES, SOURCES, run

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "CDNOW_sample.txt"
DAY = date(1998, 7, 1)
HALF_LIFE, HALFWAY, WEIGHT = 180, 200, 95

BRAND = {
    "slug": "cdnow",
    "name": "CDNOW",
    "time_zone": "America/New_York",
    "currency": "USD",
    "kinds": [
        {
            "slug": "purchase",
            "label": "Purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {"discs": "number"},
        }
    ],
    "venues": [],
}


@pytest.mark.django_db
def test_the_top_customers_of_a_real_shop_are_found(tmp_path: Path) -> None:
    """Every purchase is one action, though some share customer, day and even amount."""
    if not SAMPLE.exists():
        pytest.skip(f"NOT RUN: {SAMPLE} is missing")
    spent: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    with (tmp_path / "cdnow.jsonl").open("w") as lines:
        for number, line in enumerate(SAMPLE.read_text().splitlines()):
            _full, customer, day, discs, dollars = line.split()
            on = date.fromisoformat(day)
            identifier = f"card:{customer}"
            spent[identifier].append((on, Decimal(dollars)))
            record = {
                "origin": "cdnow",
                "external_id": f"row-{number}",
                "identifier": identifier,
                "kind": "purchase",
                "occurred_at": f"{on}T12:00:00-05:00",
                "quantity": dollars,
                "attributes": {"discs": int(discs)},
            }
            lines.write(json.dumps(record) + "\n")
    (tmp_path / "brand.json").write_text(json.dumps(BRAND))
    shape = {"weight": WEIGHT, "half_life_days": HALF_LIFE, "halfway_points": HALFWAY}
    rules = {
        "sources": {**RULES["sources"], "purchases": shape},
        "rules": RULES["rules"][:1],
    }
    (tmp_path / "rules.json").write_text(json.dumps(rules))

    with time_machine.travel(f"{DAY}T12:00:00+00:00", tick=False):
        assert run("setup_brand", str(tmp_path / "brand.json")).status == 0
        rules_file = str(tmp_path / "rules.json")
        assert run("import_rules", "cdnow", rules_file, "--effective", "always").status == 0
        loaded = run("import_actions", "cdnow", str(tmp_path / "cdnow.jsonl"))
        assert loaded.out == "6,919 accepted, 0 repeated (known already), 0 refused.\n"
        assert run("score", "cdnow").out == "2,357 customers of CDNOW were brought up to date.\n"
        exported = run("export_scores", "cdnow", "--on", str(DAY)).lines
        verified = run("verify_ledger", "cdnow")

    assert (verified.status, verified.err) == (0, "")
    expected = {customer: _score(purchases) for customer, purchases in spent.items()}
    found = {_card(line["identifiers"]): line["score"] for line in exported}
    assert found == {c: pytest.approx(float(score), abs=0.001) for c, score in expected.items()}

    brand = Brand.objects.get(slug="cdnow")
    everyone = audience(brand=brand, purpose=Purpose.SCORE)
    best = [str(row.score) for row in top_customers(audience=everyone).order_by("-score")[:20]]
    assert best == [str(score) for score in sorted(expected.values(), reverse=True)[:20]]
    assert tuple(exported[0]["sources"]) == SOURCES


def _score(purchases: list[tuple[date, Decimal]]) -> Decimal:
    """The specification's formula, for one source and the rule of a point for every dollar."""
    faded = sum(floor(dollars) * 2.0 ** -((DAY - on).days / HALF_LIFE) for on, dollars in purchases)
    score = WEIGHT * 10 * (1 - 2.0 ** (-faded / HALFWAY))
    return Decimal(score).quantize(Decimal("0.001"), ROUND_HALF_UP)


def _card(identifiers: list[str]) -> str:
    return next(name for name in identifiers if name.startswith("card:"))
