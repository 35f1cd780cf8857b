"""Faces on boards, and the days of a week."""

from collections.abc import Collection
from typing import Any, NamedTuple

from django import template
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR

from loyalty.pages.avatars import engrave_face

register = template.Library()


@register.inclusion_tag("parts/avatar.html")
def avatar(seed: str) -> dict[str, Any]:
    """The face that is drawn from a seed, beside a name."""
    return {"face": engrave_face(seed)}


class Day(NamedTuple):
    """A day of the week: its name, its short name, and whether it is one of those asked for."""

    name: str
    short: str
    is_active: bool


@register.simple_tag
def week_days(active: Collection[int]) -> list[Day]:
    """The seven days from Monday, with whether each is among ``active``, 0 for Monday."""
    return [
        Day(str(WEEKDAYS[day]), str(WEEKDAYS_ABBR[day]), day in active) for day in sorted(WEEKDAYS)
    ]
