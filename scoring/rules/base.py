"""What all rule types have in common: a stage, its window, and how a new type describes itself."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scoring.conditions import Condition, parse_conditions, with_conditions
from scoring.limits import Limit
from scoring.problems import Problem, Reader
from scoring.relations import Compilation, Family, Relation
from scoring.scopes import Scope
from scoring.vocabulary import Kind, Vocabulary
from scoring.words import any_of


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a rule type or badge criterion, from which forms and help are made.

    ``kind`` is ``whole``, ``decimal``, ``per``, ``source``, ``kinds``, ``conditions``, ``limits`` or ``requires``.
    ``choices`` narrows a ``per``.
    """

    name: str
    kind: str
    label: Any
    help: Any = ""
    required: bool = True
    choices: tuple[str, ...] = ()


KINDS = Field("kinds", "kinds", _("when a customer does"))
CONDITIONS = Field("conditions", "conditions", _("and all of these hold"), required=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStage:
    """One stage of one rule: what ``key`` means from ``starts`` (included) to ``ends`` (excluded)."""

    key: str
    title: str
    starts: datetime | None = None
    ends: datetime | None = None
    vocabulary: Vocabulary = field(repr=False, compare=False)

    type: ClassVar[str]
    label: ClassVar[Any]
    help: ClassVar[Any]
    fields: ClassVar[tuple[Field, ...]]

    @classmethod
    @abstractmethod
    def parse(cls, reader: Reader, common: dict[str, Any]) -> Self:
        """Read what is particular to the type; ``common`` holds the attributes of this base class."""

    @abstractmethod
    def parameters_json(self) -> dict[str, Any]:
        """What is particular to the type, as it stands in the document."""

    @abstractmethod
    def sentence(self) -> str:
        """The rule in words, for the rule book and for staff, in the language in force."""

    @abstractmethod
    def all_kinds(self) -> tuple[str, ...]:
        """The slugs of every kind that the stage looks at, each once."""

    @classmethod
    @abstractmethod
    def scope(cls, family: Family, compilation: Compilation) -> Scope:
        """The days that a change reaches, for one rule; see ``scoring.scopes``."""

    @classmethod
    def widened_scope(cls, family: Family, compilation: Compilation) -> Scope:
        """The same, once the scopes of all rules are known: what other rules need of this one."""
        return compilation.scopes[family.key]

    @classmethod
    @abstractmethod
    def relation(cls, compilation: Compilation) -> Relation:
        """The SQL that makes the type's awards, for all its rules at once."""

    def lasting_shape(self) -> tuple[Any, ...]:
        """What all stages of one rule must have in common."""
        return (self.type,)

    def to_json(self) -> dict[str, Any]:
        """The stage as its entry in the rule set document."""
        return {
            "key": self.key,
            "type": self.type,
            "title": self.title,
            **self.parameters_json(),
            "starts": self.starts.isoformat() if self.starts else None,
            "ends": self.ends.isoformat() if self.ends else None,
        }

    def what(self, kinds: Sequence[str], conditions: Sequence[Condition]) -> str:
        """Which actions match: “Check-in or Tasting at Soho”."""
        labels = [self.vocabulary.kinds[slug].label for slug in kinds]
        return with_conditions(any_of(labels), conditions, self.vocabulary)

    def with_limits(self, said: str, limits: Sequence[Limit]) -> str:
        """What was said, and “, at most …” for each limit."""
        for limit in limits:
            said = gettext("%(rule)s, %(limit)s") % {"rule": said, "limit": limit.sentence()}
        return said


def parse_kinds(reader: Reader, vocabulary: Vocabulary, key: str = "kinds") -> list[Kind]:
    """The kinds that a rule names: at least one, each known to the brand, each once."""
    items = reader.items(key)
    kinds: list[Kind] = []
    if not items:
        reader.problem(key, gettext("at least one action kind is needed here"))
    for place, slug in items:
        kind = vocabulary.kinds.get(slug) if isinstance(slug, str) else None
        if kind is None:
            reader.problems.append(
                Problem(place, gettext("the brand has no action kind %(slug)r") % {"slug": slug})
            )
        elif kind in kinds:
            reader.problems.append(
                Problem(place, gettext("%(slug)s stands here twice") % {"slug": slug})
            )
        else:
            kinds.append(kind)
    return kinds


def parse_matching(
    reader: Reader, vocabulary: Vocabulary
) -> tuple[tuple[str, ...], tuple[Condition, ...], list[Kind]]:
    """The kinds and conditions that say which actions match."""
    kinds = parse_kinds(reader, vocabulary)
    conditions = parse_conditions(reader.items("conditions"), kinds, vocabulary, reader.problems)
    return tuple(kind.slug for kind in kinds), conditions, kinds
