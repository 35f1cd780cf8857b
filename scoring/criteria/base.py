"""What all criteria have in common."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from psycopg import sql

from scoring.conditions import Condition, with_conditions
from scoring.documents import SourceShape
from scoring.models import Source
from scoring.problems import POINTS_MAX, Reader
from scoring.relations import column_of
from scoring.rules.base import CONDITIONS, KINDS, Field, parse_matching
from scoring.vocabulary import Vocabulary
from scoring.words import any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One badge, with all that the SQL of its criterion is made from. ``shape`` is empty before rules are published."""

    badge_id: int
    levels: tuple[int, ...]
    vocabulary: Vocabulary
    shape: Mapping[Source, SourceShape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A criterion with its parameters. How much of it earns which level is the badge's to say."""

    name: ClassVar[str]
    label: ClassVar[Any]
    # What the numbers of the levels count.
    measure: ClassVar[Any]
    fields: ClassVar[tuple[Field, ...]]
    # The highest target that makes sense.
    most: ClassVar[int] = POINTS_MAX

    @classmethod
    @abstractmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        """Read the parameters; problems are collected in the reader."""

    @abstractmethod
    def parameters_json(self) -> Mapping[str, Any]:
        """The parameters as they are stored."""

    @abstractmethod
    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        """What it takes to reach a target, for customers, in the language in force."""

    @abstractmethod
    def reached(self, judged: Judged) -> sql.Composable:
        """A SELECT of customer_id, at, reached: how far (whole, rounded down) they were at a moment.

        It reads ``fact``, or ``asked`` (customer_id, badge_id, since) and what was scored. A level is earned at the
        first moment at which ``reached`` is at least its target, and the highest ``reached`` is the progress. So
        moments that decide neither may be left out, and a row whose ``at`` is NULL tells progress only. Levels of
        ``settled`` (customer_id, badge_id, level) are not asked about; where ``since`` is given, neither is progress,
        nor are moments of more than a day before it.
        """

    def kinds(self, vocabulary: Vocabulary) -> Collection[int]:
        """The kinds that ``fact`` must hold: it is judged again when actions of these changed."""
        return ()

    def columns(self) -> Collection[str]:
        """The columns that ``fact`` must have beyond who did what when."""
        return ()

    def sources(self) -> Collection[Source]:
        """The sources whose points it looks at: it is judged again when points of these were posted."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingActions(Criterion):
    """What criteria about actions of certain kinds, which meet certain conditions, have in common."""

    kind_slugs: tuple[str, ...]
    conditions: tuple[Condition, ...]

    fields: ClassVar[tuple[Field, ...]] = (KINDS, CONDITIONS)
    # What the criterion itself asks of ``fact``.
    reads: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        kinds, conditions, _found = parse_matching(reader, vocabulary)
        return cls(kind_slugs=kinds, conditions=conditions)

    def parameters_json(self) -> Mapping[str, Any]:
        return matching_json(self.kind_slugs, self.conditions)

    def kinds(self, vocabulary: Vocabulary) -> Collection[int]:
        return [vocabulary.kinds[slug].id for slug in self.kind_slugs]

    def columns(self) -> Collection[str]:
        return {*self.reads, *(column_of(condition.field) for condition in self.conditions)}

    def matches(self, vocabulary: Vocabulary) -> sql.Composable:
        """A predicate on ``fact``."""
        return matches(self.kind_slugs, self.conditions, vocabulary)

    def what(self, vocabulary: Vocabulary) -> str:
        """The actions in words."""
        return what(self.kind_slugs, self.conditions, vocabulary)


def matching_json(kinds: Collection[str], conditions: Collection[Condition]) -> dict[str, Any]:
    """Which actions match, as parameters have it."""
    return {"kinds": list(kinds), "conditions": [condition.to_json() for condition in conditions]}


def matches(
    kinds: Collection[str], conditions: Collection[Condition], vocabulary: Vocabulary
) -> sql.Composable:
    """A predicate on ``fact``: of one of these kinds, and all conditions hold."""
    ids = sql.SQL(", ").join(sql.Literal(vocabulary.kinds[slug].id) for slug in kinds)
    return sql.SQL(" AND ").join(
        [
            sql.SQL("fact.kind_id IN ({})").format(ids),
            *(condition.to_sql(vocabulary) for condition in conditions),
        ]
    )


def what(kinds: Collection[str], conditions: Collection[Condition], vocabulary: Vocabulary) -> str:
    """“Check-in or Tasting at Soho”, “Purchase before 9:00, when items is at least 2”."""
    labels = [vocabulary.kinds[slug].label for slug in kinds]
    return with_conditions(any_of(labels), conditions, vocabulary)


# The postings of one customer on one day, ``day``. Index: postings by customer; all entries of it are looked through.
# Fenced, as all that is looked up by index is (``scoring.facts``).
POSTINGS_OF_DAY = sql.SQL("""
        SELECT * FROM scoring_posting AS one
        WHERE one.customer_id = day.customer_id AND one.local_date = day.local_date OFFSET 0
    """)


def open_levels(judged: Judged) -> sql.Composable:
    """A relation ``target`` (customer_id, level, needed): what is asked about, of the badge."""
    return sql.SQL("""(
            SELECT asked.customer_id, level.level, level.needed
            FROM asked CROSS JOIN (VALUES {levels}) AS level (level, needed)
            WHERE asked.badge_id = {badge} AND NOT EXISTS (
                SELECT FROM settled WHERE settled.customer_id = asked.customer_id AND settled.badge_id = asked.badge_id
                    AND settled.level = level.level)
        ) AS target""").format(
        badge=sql.Literal(judged.badge_id),
        levels=sql.SQL(", ").join(
            sql.SQL("({}, {}::bigint)").format(sql.Literal(level), sql.Literal(needed))
            for level, needed in enumerate(judged.levels, start=1)
        ),
    )
