"""So many actions of certain kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.text import format_lazy, get_text_list
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.problems import Reader
from scoring.rules.base import KINDS, Field, parse_kinds
from scoring.vocabulary import Vocabulary

from .base import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsDone(Criterion):
    """Earned with the ``count``-th action of these kinds."""

    kind_slugs: tuple[str, ...]

    name: ClassVar[str] = "actions"
    label: ClassVar[Any] = _("So many actions")
    fields: ClassVar[tuple[Field, ...]] = (KINDS, Field("count", "whole", _("this many times")))

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        kinds = parse_kinds(reader, vocabulary)
        return cls(
            count=reader.whole("count", least=1), kind_slugs=tuple(kind.slug for kind in kinds)
        )

    def parameters_json(self) -> Mapping[str, Any]:
        return {"kinds": list(self.kind_slugs), "count": self.count}

    def sentence(self, vocabulary: Vocabulary) -> Any:
        labels = [vocabulary.kinds[slug].label for slug in self.kind_slugs]
        return format_lazy("{} × {}", self.count, get_text_list(labels, str(_("or"))))  # noqa: RUF001

    def steps(self, vocabulary: Vocabulary) -> sql.Composable:
        return sql.SQL(
            "SELECT customer_id, local_date, 1 AS step FROM fact WHERE kind_id IN ({})"
        ).format(sql.SQL(", ").join(map(sql.Literal, self.kinds(vocabulary))))

    def kinds(self, vocabulary: Vocabulary) -> list[int]:
        return [vocabulary.kinds[slug].id for slug in self.kind_slugs]
