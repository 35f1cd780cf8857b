"""The words that a brand's rules and records may use: its kinds, their attributes and its venues."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import Brand

from .models import ActionKind, Source, Venue

ATTRIBUTE_TYPES = ("text", "number", "yes_no", "date")


@dataclass(frozen=True, slots=True)
class Kind:
    """An action kind as rules see it. ``attributes`` maps a name to its declared type."""

    id: int
    slug: str
    label: str
    source: Source
    unit: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Kinds and venues of one brand by slug, with what its rules need to know besides."""

    brand_id: int
    time_zone: str
    currency: str
    kinds: Mapping[str, Kind]
    venues: Mapping[str, int]
    venue_names: Mapping[str, str]

    @classmethod
    def of(cls, brand: Brand) -> "Vocabulary":
        """Read a brand's words; two queries."""
        venues = list(Venue.objects.filter(brand=brand).order_by("id"))
        return cls(
            brand_id=brand.pk,
            time_zone=brand.time_zone,
            currency=brand.currency,
            kinds={
                kind.slug: Kind(
                    kind.pk, kind.slug, kind.label, Source(kind.source), kind.unit, kind.attributes
                )
                for kind in ActionKind.objects.filter(brand=brand).order_by("id")
            },
            venues={venue.slug: venue.pk for venue in venues},
            venue_names={venue.slug: venue.name for venue in venues},
        )


def attribute_type(declared: Any) -> str:
    """The type's name: ``text``, ``number``, ``yes_no``, ``date`` or ``choice``."""
    return "choice" if isinstance(declared, Mapping) else str(declared)
