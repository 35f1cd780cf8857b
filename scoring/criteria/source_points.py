"""So many points in one source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.models import Source
from scoring.problems import Reader
from scoring.rules.base import Field
from scoring.rules.combo import parse_source
from scoring.vocabulary import Vocabulary

from .base import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePoints(Criterion):
    """Earned when the points of a source, of all time and before fading, reach ``count``."""

    source: Source

    name: ClassVar[str] = "source_points"
    label: ClassVar[Any] = _("So many points in one source")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("source", "source", _("in the source")),
        Field("count", "whole", _("points")),
    )

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        return cls(count=reader.whole("count", least=1), source=parse_source(reader))

    def parameters_json(self) -> Mapping[str, Any]:
        return {"source": self.source.slug, "count": self.count}

    def sentence(self, vocabulary: Vocabulary) -> Any:
        return format_lazy(
            "{}: {}", self.source.label, ngettext("%d point", "%d points", self.count) % self.count
        )

    def steps(self, vocabulary: Vocabulary) -> sql.Composable:
        return sql.SQL(
            "SELECT subject.customer_id, daily.local_date, daily.points AS step FROM subject "
            "JOIN scoring_dailypoints AS daily ON daily.customer_id = subject.customer_id "
            "WHERE daily.source = {} AND daily.points > 0"
        ).format(sql.Literal(self.source.value))

    def kinds(self, vocabulary: Vocabulary) -> list[int]:
        return []
