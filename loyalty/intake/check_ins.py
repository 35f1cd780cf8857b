"""The check-in door: the code on a venue's poster becomes a visit."""

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Brand, Customer
from loyalty.intake.forms import CHANNEL, ORIGIN, get_identifier, get_kind, record_once, refused
from scoring.actions import ActionRow, Outcome
from scoring.models import ActionKind, Source, Venue

KIND = "check_in"


def get_check_in_kind(*, brand: Brand) -> ActionKind | None:
    """The kind that a check-in records, or None when the brand has none."""
    return get_kind(brand=brand, slug=KIND, source=Source.PHYSICAL_VISITS)


def offers_check_ins(*, brand: Brand) -> bool:
    """Whether customers of this brand can check in: it has the kind and a venue with a code."""
    return (
        get_check_in_kind(brand=brand) is not None
        and Venue.objects.filter(brand=brand).exclude(check_in_code="").exists()
    )


def get_venue(*, brand: Brand, code: str) -> Venue | None:
    """The venue whose poster shows this code. Case, blanks and hyphens make no difference."""
    wanted = _plain(code)
    if not wanted:
        return None
    venues = Venue.objects.filter(brand=brand).exclude(check_in_code="")
    return next((venue for venue in venues if _plain(venue.check_in_code) == wanted), None)


def record_check_in(
    *,
    customer: Customer,
    code: str,
    token: str,
    now: datetime,
    visited_at: datetime | None = None,
) -> Outcome:
    """Record a visit, at ``visited_at`` or now, at the venue whose code was typed or scanned.

    A wrong code is refused with a sentence for the field ``code``. The same token counts once.
    """
    if get_check_in_kind(brand=customer.brand) is None:
        return refuse_check_in(brand=customer.brand)
    venue = get_venue(brand=customer.brand, code=code)
    if venue is None:
        return refuse_code(brand=customer.brand)
    return record_visit(
        customer=customer, venue=venue.slug, token=token, visited_at=visited_at or now, now=now
    )


def record_visit(
    *, customer: Customer, venue: str, token: str, visited_at: datetime, now: datetime
) -> Outcome:
    """Record a visit to a venue whose code was right at that time. The same token counts once."""
    row = ActionRow(
        origin=ORIGIN,
        external_id=token,
        identifier=get_identifier(customer=customer),
        kind=KIND,
        occurred_at=visited_at,
        channel=CHANNEL,
        venue=venue,
    )
    return record_once(customer=customer, row=row, now=now)


def refuse_check_in(*, brand: Brand) -> Outcome:
    """The answer of a brand that has no check-ins."""
    return refused("", _("%(brand)s does not take check-ins.") % {"brand": brand.name})


def refuse_code(*, brand: Brand) -> Outcome:
    """The answer to a code that no venue of the brand shows."""
    return refused(
        "code",
        _("That code belongs to no place of %(brand)s. It is on the poster by the till.")
        % {"brand": brand.name},
    )


def _plain(code: str) -> str:
    return "".join(code.replace("-", "").split()).casefold()
