"""So many different venues."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.vocabulary import Vocabulary
from scoring.words import figure

from .base import Judged, MatchingActions


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuesVisited(MatchingActions):
    """At how many different venues a customer did matching actions."""

    name: ClassVar[str] = "venues"
    label: ClassVar[Any] = _("So many different venues")
    measure: ClassVar[Any] = _("different venues")
    reads: ClassVar[tuple[str, ...]] = ("venue_id",)

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        return ngettext(
            "%(actions)s at %(count)s venue", "%(actions)s at %(count)s different venues", target
        ) % {"actions": self.what(vocabulary), "count": figure(target)}

    def reached(self, judged: Judged) -> sql.Composable:
        return sql.SQL("""
    SELECT customer_id, at, row_number() OVER (PARTITION BY customer_id ORDER BY at) AS reached
    FROM (
        SELECT customer_id, min(occurred_at) AS at FROM fact WHERE venue_id IS NOT NULL AND {matches}
        GROUP BY customer_id, venue_id
    ) AS first_time
""").format(matches=self.matches(judged.vocabulary))
