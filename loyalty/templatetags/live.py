"""What keeps a customer's page up to date while it is open."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models import Customer
from loyalty.live import issue_ticket
from loyalty.pages.frame import revision_of

register = template.Library()

# With this header a page that fetches itself anew says which score it shows.
SHOWN = "Laurel-Shown"
NUMBER = re.compile(r"\d{1,4}\.\d{3}")


@register.inclusion_tag("parts/live.html", takes_context=True)
def live(context: template.Context, customer: Customer) -> dict[str, Any]:
    """The script with its ticket, the revision that the page shows, and a sentence on what became of the score."""
    score = customer.score.score if hasattr(customer, "score") else Decimal("0.000")
    shown = context["request"].headers.get(SHOWN, "")
    return {
        "brand": customer.brand,
        "ticket": issue_ticket(customer=customer),
        "revision": revision_of(customer),
        "score": str(score),
        "news": tell_news(Decimal(shown), score) if NUMBER.fullmatch(shown) else "",
    }


def tell_news(before: Decimal, now: Decimal) -> str:
    """How a score moved, in one sentence and in whole numbers, as pages show it."""
    old, new = (int(score.quantize(Decimal(1), ROUND_HALF_UP)) for score in (before, now))
    said = {
        "score": number_format(new, force_grouping=True),
        "change": number_format(abs(new - old), force_grouping=True),
    }
    if new > old:
        return _("Your score is now %(score)s, up %(change)s.") % said
    if new < old:
        return _("Your score is now %(score)s, down %(change)s.") % said
    return _("Counted: your score is still %(score)s.") % said
