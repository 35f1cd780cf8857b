"""So many different venues."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.models import Source
from scoring.problems import Reader
from scoring.rules.base import Field
from scoring.vocabulary import Vocabulary

from .base import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuesVisited(Criterion):
    """Earned with the first visit to the ``count``-th different venue."""

    name: ClassVar[str] = "venues"
    label: ClassVar[Any] = _("So many different venues")
    columns: ClassVar[tuple[str, ...]] = ("venue_id",)
    fields: ClassVar[tuple[Field, ...]] = (Field("count", "whole", _("different venues")),)

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        return cls(count=reader.whole("count", least=1))

    def parameters_json(self) -> Mapping[str, Any]:
        return {"count": self.count}

    def sentence(self, vocabulary: Vocabulary) -> Any:
        return ngettext("Visit %d venue", "Visit %d different venues", self.count) % self.count

    def steps(self, vocabulary: Vocabulary) -> sql.Composable:
        kinds = self.kinds(vocabulary)
        return sql.SQL(
            "SELECT customer_id, min(local_date) AS local_date, 1 AS step FROM fact "
            "WHERE kind_id IN ({}) AND venue_id IS NOT NULL GROUP BY customer_id, venue_id"
        ).format(sql.SQL(", ").join(map(sql.Literal, kinds)) if kinds else sql.SQL("NULL"))

    def kinds(self, vocabulary: Vocabulary) -> list[int]:
        return [
            kind.id for kind in vocabulary.kinds.values() if kind.source == Source.PHYSICAL_VISITS
        ]
