"""A sample score on a brand's first page: sliders that run the real engine for somebody who did nothing yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.cache import cache
from django.http import HttpRequest, QueryDict

from accounts.models import Brand
from loyalty.pages import ring
from loyalty.pages.patience import is_within, neighbourhood
from loyalty.theme import SOURCE_SLUGS
from scoring import foresee
from scoring.foresee import Step
from scoring.models import Source
from scoring.publication import current_rule_set
from scoring.worth import Worth

DAYS = 28
MOST = 20
# What the sliders show before anybody touched them: somebody who comes once a week.
USUAL = 4
KEPT = 3600
# How many samples one address has worked out in a minute; those that were worked out before cost nothing.
ALLOWED, WINDOW = 60, 60


@dataclass(frozen=True, slots=True)
class SamplePart:
    """One source of a sample, as the ring draws it."""

    source: Source
    weight: int
    sub_score: float
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Slider:
    """One thing to do, and how often in four weeks."""

    step: Step
    count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The sliders with what they make; no score where too many were asked for just now."""

    sliders: Sequence[Slider]
    score: Decimal | None
    parts: Sequence[SamplePart]


def find_sample(request: HttpRequest, brand: Brand, *, now: datetime) -> Sample | None:
    """What the counts in the address make in four weeks; None where no rule gives points."""
    rule_set = current_rule_set(brand=brand)
    if rule_set is None:
        return None
    steps = one_for_each_source(foresee.steps_of(brand=brand, customer=None, now=now))
    if not steps:
        return None
    sliders = [Slider(step, _read_count(request.GET, step)) for step in steps]
    # The rules may look at the hour and the weekday.
    key = ":".join(
        ("sample", str(rule_set.pk), now.strftime("%Y%m%d%H"), *(str(one.count) for one in sliders))
    )
    worth: Worth | None = cache.get(key)
    asker = f"sample:{neighbourhood(request)}"
    if worth is None and is_within(asker, allowed=ALLOWED, window=WINDOW):
        worth = foresee.what_if(
            brand=brand,
            customer=None,
            counts={one.step.kind: one.count for one in sliders},
            days=DAYS,
            now=now,
        ).then
        cache.set(key, worth, KEPT)
    if worth is None:
        return Sample(sliders, None, ())
    return Sample(sliders, worth.score, parts_of(worth))


def one_for_each_source(steps: Sequence[Step]) -> list[Step]:
    """The first thing to do of each source, in the order of the ring."""
    first: Mapping[Source, Step] = {step.source: step for step in reversed(steps)}
    return [first[source] for source in map(Source.from_slug, SOURCE_SLUGS) if source in first]


def parts_of(worth: Worth) -> list[SamplePart]:
    """The sources that count, in the order of the ring."""
    return [
        SamplePart(part.source, part.shape.weight, part.sub_score, part.worth)
        for part in sorted(worth.parts, key=lambda part: ring.place_of(part.source))
        if part.shape.weight
    ]


def _read_count(data: QueryDict, step: Step) -> int:
    text = data.get(f"n-{step.kind}", "")
    if not text.isdecimal() or len(text) > len(str(MOST)):
        return USUAL
    return min(MOST, int(text))
