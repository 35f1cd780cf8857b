"""Parts of sentences that rules, limits and badges share, in the language in force when they are called."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def figure(value: int | Decimal) -> str:
    """A number as the language writes it: “1,234.5”."""
    return str(number_format(value, force_grouping=True))


def points(count: int) -> str:
    """“1 point”, “1,000 points”."""
    return ngettext("%(count)s point", "%(count)s points", count) % {"count": figure(count)}


def times(count: int, what: str) -> str:
    """“25 × Check-in”, and “Check-in” for one."""  # noqa: RUF002
    if count == 1:
        return what
    return _("%(count)s × %(actions)s") % {"count": figure(count), "actions": what}  # noqa: RUF001


def any_of(words: Sequence[str]) -> str:
    """“Soho, Camden or Hackney”."""
    return get_text_list(list(words), _("or"))


def all_of(words: Sequence[str]) -> str:
    """“a, b and c”."""
    return get_text_list(list(words), _("and"))
