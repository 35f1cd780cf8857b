"""The rule book, which anyone may read."""

from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Brand
from loyalty import access, theme
from scoring.documents import RuleSetDocument
from scoring.models import ActionKind, Source
from scoring.publication import current_document, current_rule_set
from scoring.rules import RuleStage


class LiveRule(NamedTuple):
    """A rule that judges what happens now: its stage, and the source that it fills."""

    stage: RuleStage
    source: str


def live_rules(document: RuleSetDocument | None, *, now: datetime) -> list[LiveRule]:
    """The rules that judge what happens now, in the document's order."""
    return [
        LiveRule(stage, _source_of(stage).slug)
        for stage in (document.rules if document else ())
        if (stage.starts is None or stage.starts <= now)
        and (stage.ends is None or now < stage.ends)
    ]


def rules_for(kind: ActionKind, *, brand: Brand, now: datetime) -> list[LiveRule]:
    """The live rules that look at actions of a kind."""
    document = current_document(brand=brand)
    return [rule for rule in live_rules(document, now=now) if kind.slug in rule.stage.all_kinds()]


def _source_of(stage: RuleStage) -> Source:
    named = getattr(stage, "source", None)
    return Source(named) if named else stage.vocabulary.kinds[stage.all_kinds()[0]].source


@require_safe
def rule_book(request: HttpRequest, slug: str) -> HttpResponse:
    """Each live rule as a sentence, and how points become the score."""
    brand = access.get_brand(slug)
    document = current_document(brand=brand)
    shapes = document.sources if document else {}
    return render(
        request,
        "pages/rules.html",
        {
            "brand": brand,
            "customer": access.find_customer(request.user, slug),
            "rule_set": current_rule_set(brand=brand),
            "rules": live_rules(document, now=timezone.now()),
            "shapes": [
                (source, shapes[source])
                for source in map(Source.from_slug, theme.SOURCE_SLUGS)
                if source in shapes
            ],
        },
    )
