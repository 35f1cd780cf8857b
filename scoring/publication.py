"""Rule set versions: the draft, publishing it, and what a publication changes (docs/scoring.md, “Versions”)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.models import Brand, User, validate_time_zone

from .actions import mark_due
from .documents import RuleSetDocument, RuleSetError, check_stages, parse_rule_set, sources_json
from .models import Posting, Rule, RuleKey, RuleSet, Source
from .rules import RuleStage
from .vocabulary import Vocabulary

Effective = Literal["now", "always"] | datetime | date


def current_rule_set(*, brand: Brand) -> RuleSet | None:
    """The published version in force, or None."""
    published = RuleSet.objects.filter(brand=brand, version__isnull=False)
    return published.select_related("brand").order_by("-version").first()


def current_id(*, brand: Brand) -> int | None:
    """The number of the published version in force, or None; by it what was made of that version is found again."""
    rule_set = current_rule_set(brand=brand)
    return None if rule_set is None else rule_set.pk


def document_of(rule_set: RuleSet) -> dict[str, Any]:
    """A stored rule set as its document."""
    return {
        "sources": rule_set.sources,
        "rules": [rule.definition for rule in rule_set.rules.all()],
    }


@lru_cache(maxsize=64)
def published_document(rule_set_id: int) -> RuleSetDocument:
    """The document of a published version, parsed; it is kept, since a version never changes."""
    rule_set = RuleSet.objects.select_related("brand").get(pk=rule_set_id)
    return parse_rule_set(document_of(rule_set), brand=rule_set.brand)


def current_document(*, brand: Brand) -> RuleSetDocument | None:
    """The document in force, parsed, or None."""
    rule_set = current_rule_set(brand=brand)
    return None if rule_set is None else parse_rule_set(document_of(rule_set), brand=brand)


@transaction.atomic
def get_draft(*, brand: Brand) -> RuleSet:
    """The one draft of a brand; copied from the version in force where there is none yet."""
    Brand.objects.select_for_update(no_key=True).get(pk=brand.pk)
    draft = RuleSet.objects.filter(brand=brand, version=None).first()
    if draft is not None:
        return draft
    current = current_rule_set(brand=brand)
    if current is None:
        return _store(brand, STARTING_SOURCES, [], RuleSet(brand=brand))
    return _store(brand, current.sources, document_of(current)["rules"], RuleSet(brand=brand))


def save_draft(*, brand: Brand, document: dict[str, Any]) -> RuleSet:
    """Make this document the brand's draft. Raises RuleSetError; then the former draft stays."""
    parsed = parse_rule_set(document, brand=brand)
    with transaction.atomic():
        Brand.objects.select_for_update(no_key=True).get(pk=brand.pk)
        RuleSet.objects.filter(brand=brand, version=None).delete()
        plain = parsed.to_json()
        return _store(brand, plain["sources"], plain["rules"], RuleSet(brand=brand))


def discard_draft(*, brand: Brand) -> None:
    """Forget the draft; the next one begins from the version in force."""
    RuleSet.objects.filter(brand=brand, version=None).delete()


@transaction.atomic
def publish(
    *,
    brand: Brand,
    document: dict[str, Any],
    effective: Effective,
    user: User | None = None,
    note: str = "",
    now: datetime,
) -> RuleSet:
    """Make a document the version in force and mark every customer due.

    ``effective`` is "now" (from now on), "always" (rewrite the past), a local date, or a moment.
    Raises RuleSetError, and then nothing changes.
    """
    # One publication of a brand at a time, so that versions have no gaps and each builds on the last. The lock also
    # waits for new customers that are not committed yet, which would otherwise not be marked.
    Brand.objects.select_for_update().get(pk=brand.pk)
    parsed = effective_document(brand=brand, document=document, effective=effective, now=now)
    known = set(RuleKey.objects.filter(brand=brand).values_list("key", flat=True))
    RuleKey.objects.bulk_create(
        RuleKey(brand=brand, key=key)
        for key in dict.fromkeys(stage.key for stage in parsed.rules)
        if key not in known
    )
    last = RuleSet.objects.filter(brand=brand).aggregate(last=Max("version"))["last"] or 0
    plain = parsed.to_json()
    rule_set = _store(brand, plain["sources"], plain["rules"], RuleSet(brand=brand), is_draft=False)
    RuleSet.objects.filter(pk=rule_set.pk).update(
        version=last + 1,
        published_at=now,
        published_by=user,
        note=note,
        effective=effective if isinstance(effective, str) else effective.isoformat(),
    )
    discard_draft(brand=brand)
    mark_due(brand=brand, customers=None, why=Posting.Why.RULES, now=now)
    rule_set.refresh_from_db()
    return rule_set


@transaction.atomic
def change_time_zone(*, brand: Brand, time_zone: str, now: datetime) -> None:
    """Give a brand another time zone and mark every customer due: their whole history gets other local dates.

    Raises ValidationError for a name that is no time zone. What it does to whom, ``preview_time_zone`` tells before.
    """
    validate_time_zone(time_zone)
    Brand.objects.select_for_update().get(pk=brand.pk)
    Brand.objects.filter(pk=brand.pk).update(time_zone=time_zone)
    mark_due(brand=brand, customers=None, why=Posting.Why.RULES, now=now)


def effective_document(
    *, brand: Brand, document: dict[str, Any], effective: Effective, now: datetime
) -> RuleSetDocument:
    """What publishing a document would put in force. Raises RuleSetError."""
    parsed = parse_rule_set(document, brand=brand)
    current = current_document(brand=brand)
    if effective == "always" or current is None:
        return parsed
    if effective == "now":
        moment = now
    elif isinstance(effective, datetime):
        moment = effective
    else:
        assert isinstance(effective, date)
        moment = first_moment_of(effective, brand=brand)
    return take_effect(current, parsed, moment)


def first_moment_of(day: date, *, brand: Brand) -> datetime:
    """The moment at which a local date begins: midnight, or the first moment where clocks skip it."""
    # Minute by minute and then second by second: clocks may skip midnight, or show it twice.
    moment = datetime.combine(day, time(), tzinfo=UTC) - timedelta(days=1, hours=2)
    for step in (timedelta(minutes=1), timedelta(seconds=1)):
        while (moment + step).astimezone(brand.zone).date() < day:
            moment += step
    return moment + timedelta(seconds=1)


def take_effect(
    current: RuleSetDocument, draft: RuleSetDocument, moment: datetime
) -> RuleSetDocument:
    """The draft from a moment on, and what holds now until then (docs/scoring.md, “Versions”).

    Rules that did not change stay as they are. A rule that changed or went away keeps a copy of its
    old stages that ends at ``moment``, and its new stages start there. Raises RuleSetError where the two cannot be
    stages of one rule.
    """
    old_stages = _by_key(current.rules)
    stages: list[RuleStage] = []
    for key, new in _by_key(draft.rules).items():
        old = old_stages.pop(key, [])
        if [_substance(stage) for stage in old] == [_substance(stage) for stage in new]:
            stages += new
            continue
        unchanged = {_substance(stage) for stage in old} & {_substance(stage) for stage in new}
        titles = {_substance(stage): stage for stage in new}
        for stage in old:
            if _substance(stage) in unchanged:
                stages.append(titles[_substance(stage)])
            else:
                stages += _ending(stage, moment)
        stages += [
            part
            for stage in new
            if _substance(stage) not in unchanged
            for part in _starting(stage, moment)
        ]
    for old in old_stages.values():
        stages += [part for stage in old for part in _ending(stage, moment)]
    check_stages([(f"rules[{place}]", stage) for place, stage in enumerate(stages)])
    return replace(draft, rules=tuple(stages))


def _by_key(stages: Iterable[RuleStage]) -> dict[str, list[RuleStage]]:
    by_key: dict[str, list[RuleStage]] = {}
    for stage in stages:
        by_key.setdefault(stage.key, []).append(stage)
    return by_key


def _substance(stage: RuleStage) -> RuleStage:
    """The stage but for its title."""
    return replace(stage, title="")


def _ending(stage: RuleStage, moment: datetime) -> list[RuleStage]:
    ends = moment if stage.ends is None else min(stage.ends, moment)
    return [] if stage.starts and stage.starts >= ends else [replace(stage, ends=ends)]


def _starting(stage: RuleStage, moment: datetime) -> list[RuleStage]:
    starts = moment if stage.starts is None else max(stage.starts, moment)
    return [] if stage.ends and starts >= stage.ends else [replace(stage, starts=starts)]


def _store(
    brand: Brand,
    sources: dict[str, Any],
    rules: list[dict[str, Any]],
    rule_set: RuleSet,
    *,
    is_draft: bool = True,
) -> RuleSet:
    if not is_draft:
        # The one draft makes room; the caller turns this row into a version in the same transaction.
        discard_draft(brand=brand)
    rule_set.sources = sources
    rule_set.save()
    Rule.objects.bulk_create(
        Rule(
            rule_set=rule_set,
            position=position,
            key=rule["key"],
            type=rule["type"],
            title=rule["title"],
            starts=rule.get("starts"),
            ends=rule.get("ends"),
            definition=rule,
        )
        for position, rule in enumerate(rules)
    )
    return rule_set


STARTING_SOURCES: dict[str, Any] = {
    source.slug: {"weight": weight, "half_life_days": half_life, "halfway_points": halfway}
    for source, weight, half_life, halfway in (
        (Source.ONLINE_ENGAGEMENT, 10, 30, 80),
        (Source.PURCHASES, 30, 180, 400),
        (Source.MARKETING_ATTENTION, 10, 30, 60),
        (Source.PHYSICAL_VISITS, 20, 90, 150),
        (Source.SOCIAL_MEDIA, 10, 30, 60),
        (Source.PRODUCT_USAGE, 20, 60, 200),
    )
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two rule sets, in words; ``before`` or ``after`` is empty where there is none.

    ``old`` and ``new`` are the rule's stages; where the shape changed there are none.
    """

    key: str
    what: Literal["new", "changed", "gone", "retitled", "shape"]
    before: str
    after: str
    old: tuple[RuleStage, ...] = field(default=(), compare=False, repr=False)
    new: tuple[RuleStage, ...] = field(default=(), compare=False, repr=False)


def compare(old: RuleSetDocument | None, new: RuleSetDocument) -> list[Change]:
    """What changed from one rule set to the next, rule by rule, and in the score's shape."""
    old_stages = _by_key(old.rules) if old else {}
    new_stages = _by_key(new.rules)
    changes = []
    for key in dict.fromkeys([*new_stages, *old_stages]):
        before, after = old_stages.get(key, []), new_stages.get(key, [])
        if before == after:
            continue
        what: Literal["new", "changed", "gone", "retitled"] = "changed"
        if not before:
            what = "new"
        elif not after:
            what = "gone"
        elif [_substance(s) for s in before] == [_substance(s) for s in after]:
            what = "retitled"
        changes.append(
            Change(key, what, _words(before), _words(after), tuple(before), tuple(after))
        )
    shapes = sources_json(old.sources) if old else {}
    for slug, shape in sources_json(new.sources).items():
        if shapes.get(slug) != shape:
            changes.append(
                Change(slug, "shape", _shape_words(shapes.get(slug)), _shape_words(shape))
            )
    return changes


def _words(stages: list[RuleStage]) -> str:
    return "\n".join(f"{stage.title}: {stage.sentence()}{_window_words(stage)}" for stage in stages)


def _window_words(stage: RuleStage) -> str:
    zone = stage.vocabulary.time_zone
    words = ""
    if stage.starts:
        words += _(", from %(moment)s") % {"moment": _local(stage.starts, zone)}
    if stage.ends:
        words += _(", until %(moment)s") % {"moment": _local(stage.ends, zone)}
    return words


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _shape_words(shape: dict[str, Any] | None) -> str:
    if shape is None:
        return ""
    half_life = shape["half_life_days"]
    return _("weight %(weight)s, halfway at %(halfway)s points, %(fading)s") % {
        "weight": shape["weight"],
        "halfway": shape["halfway_points"],
        "fading": _("half-life %(days)s days") % {"days": half_life}
        if half_life
        else _("no fading"),
    }


@dataclass(frozen=True, slots=True)
class Publication:
    """A published version and what it changed; None where the two can no longer be compared."""

    rule_set: RuleSet
    changes: tuple[Change, ...] | None


def publications(*, brand: Brand, limit: int, before: int | None = None) -> list[Publication]:
    """The published versions with what each changed, newest first; ``before`` is the last version seen."""
    published = RuleSet.objects.filter(brand=brand, version__isnull=False)
    if before is not None:
        published = published.filter(version__lt=before)
    # One more than is told of, which the last is compared with.
    rule_sets = list(published.order_by("-version").prefetch_related("rules")[: limit + 1])
    vocabulary = Vocabulary.of(brand)
    documents = [_read_again(rule_set, brand, vocabulary) for rule_set in rule_sets]
    told = []
    for place, rule_set in enumerate(rule_sets[:limit]):
        new, changes = documents[place], None
        if rule_set is rule_sets[-1]:
            changes = None if new is None else tuple(compare(None, new))
        else:
            old = documents[place + 1]
            changes = None if new is None or old is None else tuple(compare(old, new))
        told.append(Publication(rule_set, changes))
    return told


def _read_again(rule_set: RuleSet, brand: Brand, vocabulary: Vocabulary) -> RuleSetDocument | None:
    try:
        return parse_rule_set(document_of(rule_set), brand=brand, vocabulary=vocabulary)
    except RuleSetError:
        # A kind that it names is gone, or means something else today.
        return None
