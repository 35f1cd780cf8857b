"""manage.py explain BRAND IDENTIFIER"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandParser

from accounts.identity import IdentifierError, parse_identifier
from accounts.models import Brand, Customer
from loyalty.management.terminal import ReadingCommand, Refused, get_brand, get_today, read_date
from scoring.explain import Explanation, Line, SourceReceipt, explain

WIDTH = 78


class Command(ReadingCommand):
    help = (
        "Print a customer's score as a receipt: every award, what limits took, what each is worth."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "identifier", metavar="IDENTIFIER", help="such as email:someone@example.org"
        )
        parser.add_argument("--on", metavar="DATE", help="the local day (default: today)")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(
        self, *, brand: str, identifier: str, on: str | None, as_json: bool, **options: Any
    ) -> None:
        owner = get_brand(brand)
        customer = _get_customer(owner, identifier)
        day = read_date(on) if on else get_today(owner)
        explanation = explain(customer=customer, on=day)
        if as_json:
            document = explanation.to_json()
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str))
            return
        self.stdout.write(f"{owner.name}: {identifier} on {day}")
        for line in _receipt(explanation):
            self.stdout.write(line)


def _get_customer(brand: Brand, text: str) -> Customer:
    try:
        scheme, value = parse_identifier(text)
        return Customer.objects.get(
            brand=brand, identifiers__scheme=scheme, identifiers__value=value
        )
    except IdentifierError as error:
        raise Refused(str(error)) from None
    except Customer.DoesNotExist:
        raise Refused(f"{brand.name} knows nobody as “{text}”.") from None


def _receipt(explanation: Explanation) -> Iterator[str]:
    for source in explanation.sources:
        yield ""
        yield from _source(source)
    yield ""
    yield "=" * WIDTH
    yield _columns("Score", explanation.points, explanation.score)


def _source(source: SourceReceipt) -> Iterator[str]:
    half_life = (
        f"halved every {source.half_life_days.normalize():f} days"
        if source.half_life_days
        else "never fading"
    )
    yield f"{source.source.label.upper()}  (weight {source.weight} of 100, {half_life})"
    for line in source.lines:
        yield from _line(line)
    if not source.lines:
        yield "    nothing here"
    yield "-" * WIDTH
    yield _columns(
        f"{source.faded:,.1f} of them today, {source.halfway_points.normalize():f} make half: "
        f"{source.sub_score:.1f} of 100",
        source.points,
        source.worth,
    )


def _line(line: Line) -> Iterator[str]:
    yield _columns(f"{line.local_date} {line.kind_label}: {line.title}", line.points, line.worth)
    yield f"           {line.origin} {line.external_id}, rule {line.rule_key}, version {line.version}"
    for taken in line.taken:
        yield f"           {-taken.points:+,} {taken.reason}"


def _columns(text: str, points: int, worth: Decimal) -> str:
    """One line of the receipt: what, points, worth in the score."""
    room = WIDTH - 22
    text = text if len(text) <= room else text[: room - 1] + "…"
    return f"{text:<{room}}{points:>9,} p{worth:>11.3f}"
