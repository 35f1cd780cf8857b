"""Check-ins of somebody who is not signed in: kept in the session until they join, then counted at their own time."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.translation import ngettext

from accounts.models import Brand, Customer
from loyalty.intake.check_ins import record_visit
from scoring.models import Venue

KEPT = "check-ins"
MOST = 5
LONGEST = timedelta(days=7)


class KeptCheckIn(NamedTuple):
    """A visit whose venue's code was right; ``venue`` is a slug."""

    brand: str
    venue: str
    token: str
    visited_at: datetime


def keep_check_in(
    session: SessionBase, *, venue: Venue, brand: Brand, token: str, visited_at: datetime
) -> bool:
    """Keep a check-in for this browser; False where it keeps a handful already. Twice is once."""
    kept = _read(session)
    if any(one.token == token for one in kept):
        return True
    if len(kept) >= MOST:
        return False
    _write(session, [*kept, KeptCheckIn(brand.slug, venue.slug, token, visited_at)])
    return True


def kept_check_ins(session: SessionBase, *, brand: Brand, now: datetime) -> list[KeptCheckIn]:
    """What this browser keeps for a brand, and is not over."""
    return [one for one in _read(session) if one.brand == brand.slug and not _is_over(one, now)]


def record_kept(request: HttpRequest, *, customer: Customer, now: datetime) -> None:
    """Record what the browser kept for the customer's brand, and say so; nothing where there is nothing.

    May run twice, also at the same time: each counts once by its token.
    """
    kept = _read(request.session)
    if not any(one.brand == customer.brand.slug for one in kept):
        return
    counted = 0
    for one in kept_check_ins(request.session, brand=customer.brand, now=now):
        outcome = record_visit(
            customer=customer,
            venue=one.venue,
            token=one.token,
            visited_at=one.visited_at,
            now=now,
        )
        counted += outcome.status == "accepted"
    _write(request.session, [one for one in kept if one.brand != customer.brand.slug])
    if counted:
        messages.success(
            request,
            ngettext(
                "The check-in that was kept counts now, at its own time.",
                "%(count)s check-ins that were kept count now, each at its own time.",
                counted,
            )
            % {"count": counted},
        )


def _is_over(one: KeptCheckIn, now: datetime) -> bool:
    return now - one.visited_at > LONGEST


def _read(session: SessionBase) -> list[KeptCheckIn]:
    return [
        KeptCheckIn(brand, venue, token, datetime.fromisoformat(visited_at))
        for brand, venue, token, visited_at in session.get(KEPT, [])
    ]


def _write(session: SessionBase, kept: list[KeptCheckIn]) -> None:
    stored: list[Any] = [[*one[:3], one.visited_at.isoformat()] for one in kept]
    if stored:
        session[KEPT] = stored
    else:
        session.pop(KEPT, None)
