"""The rule set document: reading it with every problem named, and writing it.

The document is what staff export and import and what the admin pages write (docs/scoring.md, “The rule set document”).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Brand

from .models import KEY_PATTERN, Source
from .problems import POINTS_MAX, Problem, Reader
from .rules import RULE_TYPES, RuleStage
from .vocabulary import Vocabulary

HALF_LIFE_MAX = Decimal(36500)


class RuleSetError(Exception):
    """A rule set document that cannot be used; ``problems`` lists (place, reason), all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = [(problem.place, problem.reason) for problem in problems]


@dataclass(frozen=True, slots=True)
class SourceShape:
    """How the points of one source become its part of the score.

    ``half_life_days`` None means that points never fade.
    """

    weight: int
    half_life_days: Decimal | None
    halfway_points: Decimal


@dataclass(frozen=True, slots=True)
class RuleSetDocument:
    """A whole rule set: the shape of the score and every stage of every rule, in order."""

    sources: dict[Source, SourceShape]
    rules: tuple[RuleStage, ...]
    vocabulary: Vocabulary

    def to_json(self) -> dict[str, Any]:
        """The document, with every default written out."""
        return {
            "sources": sources_json(self.sources),
            "rules": [stage.to_json() for stage in self.rules],
        }


def sources_json(sources: Mapping[Source, SourceShape]) -> dict[str, Any]:
    """The ``sources`` part of a document."""
    return {
        source.slug: {
            "weight": shape.weight,
            "half_life_days": _number(shape.half_life_days),
            "halfway_points": _number(shape.halfway_points),
        }
        for source, shape in sources.items()
    }


def _number(value: Decimal | None) -> int | str | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else f"{value.normalize():f}"


def parse_rule_set(
    document: Any, *, brand: Brand, vocabulary: Vocabulary | None = None
) -> RuleSetDocument:
    """Read a rule set document for a brand.

    Raises RuleSetError with every problem and its place, such as ``rules[2].limits[0].per``.
    """
    words = vocabulary or Vocabulary.of(brand)
    problems: list[Problem] = []
    reader = Reader.of("", document, problems)
    sources = _parse_sources(Reader.of("sources", reader.get("sources", {}), problems))
    stages: list[tuple[str, RuleStage]] = []
    for place, item in reader.items("rules"):
        stage = _parse_stage(Reader.of(place, item, problems), words)
        if stage is not None:
            stages.append((place, stage))
    reader.done()
    problems += _problems_between(stages)
    if problems:
        raise RuleSetError(problems)
    return RuleSetDocument(sources, tuple(stage for _place, stage in stages), words)


def _parse_sources(reader: Reader) -> dict[Source, SourceShape]:
    sources: dict[Source, SourceShape] = {}
    for source in Source:
        raw = reader.get(source.slug)
        if raw is None:
            reader.problem(source.slug, _("all six sources are needed"))
            continue
        part = Reader.of(reader.path(source.slug), raw, reader.problems)
        half_life = (
            part.decimal("half_life_days", most=HALF_LIFE_MAX, positive=True)
            if part.get("half_life_days") is not None
            else None
        )
        sources[source] = SourceShape(
            weight=part.whole("weight", most=100),
            half_life_days=half_life,
            halfway_points=part.decimal("halfway_points", most=Decimal(POINTS_MAX), positive=True),
        )
        part.done()
    reader.done()
    total = sum(shape.weight for shape in sources.values())
    if len(sources) == len(Source) and total != 100:
        reader.problems.append(
            Problem(
                "sources",
                _("the six weights must sum to 100; they sum to %(total)s") % {"total": total},
            )
        )
    return sources


def _parse_stage(reader: Reader, vocabulary: Vocabulary) -> RuleStage | None:
    before = len(reader.problems)
    rule_type = RULE_TYPES[reader.choice("type", RULE_TYPES)]
    if len(reader.problems) > before:
        return None
    key = reader.text("key", longest=64)
    if key and not KEY_PATTERN.fullmatch(key):
        reader.problem("key", _("use small letters, digits, hyphens and underscores"))
    starts, ends = reader.moment("starts"), reader.moment("ends")
    if starts and ends and starts >= ends:
        reader.problem("ends", _("a rule must end after it starts"))
    stage = rule_type.parse(
        reader,
        {
            "key": key,
            "title": reader.text("title"),
            "starts": starts,
            "ends": ends,
            "vocabulary": vocabulary,
        },
    )
    reader.done()
    return stage


def check_stages(stages: list[tuple[str, RuleStage]]) -> None:
    """Stages of one rule agree in what lasts, and their windows do not overlap; else RuleSetError."""
    problems = _problems_between(stages)
    if problems:
        raise RuleSetError(problems)


def _problems_between(stages: list[tuple[str, RuleStage]]) -> list[Problem]:
    problems: list[Problem] = []
    by_key: dict[str, list[tuple[str, RuleStage]]] = {}
    for place, stage in stages:
        for other_place, other in by_key.setdefault(stage.key, []):
            if other.lasting_shape() != stage.lasting_shape():
                problems.append(
                    Problem(
                        f"{place}.key",
                        _(
                            "%(key)s is another type, source or period at %(other_place)s; "
                            "the stages of one rule share these"
                        )
                        % {"key": stage.key, "other_place": other_place},
                    )
                )
            elif windows_overlap(stage, other):
                problems.append(
                    Problem(
                        f"{place}.starts",
                        _("overlaps %(other_place)s, another stage of %(key)s")
                        % {"other_place": other_place, "key": stage.key},
                    )
                )
        by_key[stage.key].append((place, stage))
    return problems


def windows_overlap(one: RuleStage, other: RuleStage) -> bool:
    """Whether there is a moment that lies in both windows."""
    return _before(one.starts, other.ends) and _before(other.starts, one.ends)


def _before(start: datetime | None, end: datetime | None) -> bool:
    return start is None or end is None or start < end
