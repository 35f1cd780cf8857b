"""So many actions of certain kinds."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.vocabulary import Vocabulary
from scoring.words import times

from .base import Judged, MatchingActions


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsDone(MatchingActions):
    """How many matching actions a customer did."""

    name: ClassVar[str] = "actions"
    label: ClassVar[Any] = _("So many actions")
    measure: ClassVar[Any] = _("actions")

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        return times(target, self.what(vocabulary))

    def reached(self, judged: Judged) -> sql.Composable:
        return sql.SQL("""
    SELECT customer_id, occurred_at AS at,
        row_number() OVER (PARTITION BY customer_id ORDER BY occurred_at) AS reached
    FROM fact WHERE {matches}
""").format(matches=self.matches(judged.vocabulary))
