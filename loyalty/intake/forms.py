"""What the doors on our own pages share: the kind they record, whose name they use, and the form token.

A page puts a fresh token into each form. The token becomes the action's ``external_id``, so that a form
sent twice, by a double tap or after a lost answer, is one action.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import Brand, Customer
from scoring.actions import ActionRow, Outcome, record_actions
from scoring.models import Action, ActionKind, Source

ORIGIN = "laurel"
CHANNEL = "web"
MOST_IN_A_DAY = 200
"""What one customer may report by our forms within 24 hours, whatever rules make of it: only a program does more."""


def get_kind(*, brand: Brand, slug: str, source: Source) -> ActionKind | None:
    """The brand's kind of that name, if it has one and it belongs to that source.

    Both must agree: a kind that only shares the source may be one that systems report, and customers
    must not be able to report it themselves.
    """
    return ActionKind.objects.filter(brand=brand, slug=slug, source=source).first()


def get_identifier(*, customer: Customer) -> str:
    """Laurel's own identifier of the customer, under which our pages report."""
    return f"laurel:{customer.public_id}"


def refused(field: str, reason: str) -> Outcome:
    """An answer that keeps nothing and says why, for the field of the form that it is about."""
    return Outcome(status="refused", field=field, reason=reason)


def record_once(*, customer: Customer, row: ActionRow, now: datetime) -> Outcome:
    """Record the row unless its token was used before; may run twice, also at the same time.

    The second of two equal submits carries another moment than the first. That is no contradiction
    to the person who tapped twice: it is answered as ``repeated``, with the first one's action.
    """
    before = _find_recorded(customer=customer, row=row)
    if before is not None:
        return before
    if _did_enough(customer=customer, now=now):
        return refused("", _("That was very much for one day. Go on tomorrow."))
    [outcome] = record_actions(brand=customer.brand, rows=[row], now=now)
    if outcome.status == "refused":
        # Another request may have stored the same token since we looked.
        return _find_recorded(customer=customer, row=row) or outcome
    return outcome


def _did_enough(*, customer: Customer, now: datetime) -> bool:
    # Index: action_of_identifier.
    done = Action.objects.filter(
        identifier__customer=customer, origin=ORIGIN, received_at__gt=now - timedelta(days=1)
    )
    return done.count() >= MOST_IN_A_DAY


def _find_recorded(*, customer: Customer, row: ActionRow) -> Outcome | None:
    action = (
        Action.objects.filter(brand=customer.brand, origin=row.origin, external_id=row.external_id)
        .select_related("identifier", "kind", "venue")
        .first()
    )
    if action is None:
        return None
    venue = action.venue.slug if action.venue else None
    is_theirs = str(action.identifier) == row.identifier
    is_same = (action.kind.slug, action.quantity, venue) == (row.kind, row.quantity, row.venue)
    if is_theirs and is_same:
        return Outcome(status="repeated", action_id=action.pk)
    answer = refused("", _("This form was sent before, with other content. Please open it again."))
    # The number of somebody else's action is nobody's business.
    return replace(answer, action_id=action.pk) if is_theirs else answer
