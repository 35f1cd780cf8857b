"""So much in all: the sum of the quantities of certain actions."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.models import ActionKind
from scoring.problems import Reader
from scoring.rules.base import parse_matching
from scoring.vocabulary import Vocabulary
from scoring.words import figure

from .base import Judged, MatchingActions


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityReached(MatchingActions):
    """What the quantities of all matching actions add up to, in the unit that their kinds share."""

    name: ClassVar[str] = "quantity"
    label: ClassVar[Any] = _("So much in all")
    measure: ClassVar[Any] = _("in the unit of the actions")
    reads: ClassVar[tuple[str, ...]] = ("quantity",)

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        kinds, conditions, found = parse_matching(reader, vocabulary)
        if len({kind.unit for kind in found}) > 1:
            reader.problem("kinds", gettext("quantities of different units cannot be added up"))
        return cls(kind_slugs=kinds, conditions=conditions)

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        unit = vocabulary.kinds[self.kind_slugs[0]].unit
        words = {"actions": self.what(vocabulary), "amount": figure(target), "unit": unit}
        if unit == ActionKind.MONEY:
            words["unit"] = vocabulary.currency
        if not unit:
            return gettext("%(actions)s: %(amount)s in all") % words
        return pgettext("an amount and its unit", "%(actions)s: %(amount)s %(unit)s in all") % words

    def reached(self, judged: Judged) -> sql.Composable:
        return sql.SQL("""
    SELECT customer_id, occurred_at AS at,
        floor(sum(quantity) OVER (PARTITION BY customer_id ORDER BY occurred_at))::bigint AS reached
    FROM fact WHERE quantity IS NOT NULL AND {matches}
""").format(matches=self.matches(judged.vocabulary))
