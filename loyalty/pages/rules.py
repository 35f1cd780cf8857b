"""The rule book, which anyone may read."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_safe

from accounts.models import Brand
from loyalty import access, theme
from scoring.documents import RuleSetDocument, SourceShape
from scoring.models import ActionKind, RuleSet, Source
from scoring.publication import (
    Change,
    Publication,
    current_document,
    current_rule_set,
    first_moment_of,
    publications,
)
from scoring.rules import RuleStage

VERSIONS = 10
LONGEST_NUMBER = 8


class LiveRule(NamedTuple):
    """A rule that judges what happens now: its stage, and the source that it fills."""

    stage: RuleStage
    source: str


def live_rules(document: RuleSetDocument | None, *, now: datetime) -> list[LiveRule]:
    """The rules that judge what happens now, in the document's order."""
    return [
        LiveRule(stage, sources_of(stage)[0].slug)
        for stage in (document.rules if document else ())
        if (stage.starts is None or stage.starts <= now)
        and (stage.ends is None or now < stage.ends)
    ]


def rules_for(kind: ActionKind, *, brand: Brand, now: datetime) -> list[LiveRule]:
    """The live rules that look at actions of a kind."""
    document = current_document(brand=brand)
    return [rule for rule in live_rules(document, now=now) if kind.slug in rule.stage.all_kinds()]


def sources_of(stage: RuleStage) -> list[Source]:
    """The sources in which a rule can give points: the one that it names, or those of its kinds."""
    named = getattr(stage, "source", None)
    if named:
        return [Source(named)]
    return list(dict.fromkeys(stage.vocabulary.kinds[slug].source for slug in stage.all_kinds()))


class Chapter(NamedTuple):
    """A source in the rule book: how its points count, and the rules that give them."""

    source: Source
    shape: SourceShape
    rules: list[RuleStage]


def chapters_of(document: RuleSetDocument, stages: Sequence[RuleStage]) -> list[Chapter]:
    """The sources that count or are given points, in the order of the ring."""
    chapters = [
        Chapter(
            source,
            document.sources[source],
            [stage for stage in stages if source in sources_of(stage)],
        )
        for source in map(Source.from_slug, theme.SOURCE_SLUGS)
    ]
    return [chapter for chapter in chapters if chapter.shape.weight or chapter.rules]


@require_safe
def rule_book(request: HttpRequest, slug: str) -> HttpResponse:
    """Each live rule as a sentence under its source, what comes next, and how points become the score."""
    brand, now = access.get_brand(slug), timezone.now()
    document = current_document(brand=brand)
    live = [rule.stage for rule in live_rules(document, now=now)]
    return render(
        request,
        "pages/rules.html",
        {
            "brand": brand,
            "customer": access.find_customer(request.user, slug),
            "rule_set": current_rule_set(brand=brand),
            "chapters": chapters_of(document, live) if document else [],
            "coming": sorted(
                (
                    (stage.starts, stage)
                    for stage in (document.rules if document else ())
                    if stage.starts and stage.starts > now
                ),
                key=lambda entry: entry[0],
            ),
        },
    )


class Told(NamedTuple):
    """One change of a version: under what name, what held before, and what holds from then on."""

    what: str
    name: str
    source: str
    was: list[str]
    now: list[str]


class Entry(NamedTuple):
    """One version in the list of changes; ``since`` is the moment from which it acts, None for always."""

    rule_set: RuleSet
    since: datetime | None
    changes: list[Told] | None


def tell(change: Change, moment: datetime) -> Told:
    """A change as it is at the moment from which it acts; the past of a rule is not told again."""
    if change.what == "shape":
        name = str(Source.from_slug(change.key).label)
        return Told(
            "shape", name, change.key, change.before.splitlines(), change.after.splitlines()
        )
    name = (change.new or change.old)[-1].title
    if change.what == "retitled":
        return Told("retitled", name, "", [change.old[-1].title], [name])
    was, now = _sentences(change.old, moment), _sentences(change.new, moment)
    if was == now:
        # Only what holds later, or held long before, is another.
        was, now = change.before.splitlines(), change.after.splitlines()
        was, now = (
            [line for line in was if line not in now],
            [line for line in now if line not in was],
        )
    return Told("new" if not was else "gone" if not now else "changed", name, "", was, now)


def _sentences(stages: Sequence[RuleStage], moment: datetime) -> list[str]:
    return [
        str(stage.sentence())
        for stage in stages
        if (stage.starts is None or stage.starts <= moment)
        and (stage.ends is None or moment < stage.ends)
    ]


@require_safe
def rule_changes(request: HttpRequest, slug: str) -> HttpResponse:
    """What each published version changed, newest first; ``?before=`` goes on with older ones."""
    brand = access.get_brand(slug)
    text = request.GET.get("before", "")
    if text and not (text.isdecimal() and len(text) < LONGEST_NUMBER):
        raise Http404
    found = publications(brand=brand, limit=VERSIONS + 1, before=int(text) if text else None)
    return render(
        request,
        "pages/rule_changes.html",
        {
            "brand": brand,
            "customer": access.find_customer(request.user, slug),
            "entries": [_entry(one, brand) for one in found[:VERSIONS]],
            "older": found[VERSIONS - 1].rule_set.version if len(found) > VERSIONS else None,
            "is_first": not text,
        },
    )


def _entry(one: Publication, brand: Brand) -> Entry:
    moment = _acts_from(one.rule_set, brand)
    return Entry(
        one.rule_set,
        None if one.rule_set.effective == "always" else moment,
        None if one.changes is None else [tell(change, moment) for change in one.changes],
    )


def _acts_from(rule_set: RuleSet, brand: Brand) -> datetime:
    """The moment from which a version acts; where that is always, when it was published."""
    assert rule_set.published_at is not None
    if rule_set.effective in ("", "now", "always"):
        return rule_set.published_at
    day = parse_date(rule_set.effective)
    if day is not None:
        return first_moment_of(day, brand=brand)
    return parse_datetime(rule_set.effective) or rule_set.published_at
