"""The customer's say: one objection to how an action was counted or decided, and one answer by staff."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Customer, User
from loyalty.intake.forms import ORIGIN, refused
from scoring.actions import ActionRow, Outcome, record_actions
from scoring.models import Action, Amendment, Objection

LONGEST = 500
MOST_IN_A_DAY = 10
"""Objections of one customer within 24 hours: people answer each one."""


def record_objection(
    *, customer: Customer, action: Action, text: str, now: datetime
) -> Objection | None:
    """Keep what a customer says is wrong with an action of theirs. The first text stays; may run twice.

    None where they have said so of very many actions within a day.
    """
    made = Objection.objects.filter(
        action__identifier__customer=customer, made_at__gt=now - timedelta(days=1)
    )
    if made.exclude(action=action).count() >= MOST_IN_A_DAY:
        return None
    objection, _is_new = Objection.objects.get_or_create(
        action=action, defaults={"text": text[:LONGEST], "made_at": now}
    )
    return objection


def may_be_accepted(*, action: Action) -> bool:
    """Whether the action counts for nothing because it was refused or cancelled."""
    amendments = list(action.amendments.all())
    if any(a.type == Amendment.Type.VOID for a in amendments):
        return True
    decisions = [a for a in amendments if a.type == Amendment.Type.DECISION]
    first = min(decisions, key=lambda a: (a.at, a.external_id), default=None)
    return first is not None and not first.accepted


@transaction.atomic
def answer_objection(
    *, objection: Objection, answer: str, accept: bool, user: User, now: datetime
) -> Outcome:
    """Answer an objection, once; with ``accept`` what was refused counts after all.

    The record stays as it is. What counts is a new action that says the same, of Laurel's own origin
    and named after the objection, so that it exists once. Refused where somebody else has answered.
    """
    action = objection.action
    answered = Objection.objects.filter(pk=objection.pk, answered_at=None).update(
        answer=answer[:LONGEST], answered_at=now, answered_by=user
    )
    if not answered:
        return refused("", _("Somebody else has answered this in the meantime."))
    if not accept:
        return Outcome("accepted", action_id=action.pk)
    row = ActionRow(
        origin=ORIGIN,
        external_id=f"objection:{action.pk}",
        identifier=str(action.identifier),
        kind=action.kind.slug,
        occurred_at=action.occurred_at,
        quantity=_quantity(action),
        channel=action.channel,
        venue=action.venue.slug if action.venue else None,
        attributes=action.attributes,
    )
    [outcome] = record_actions(brand=action.brand, rows=[row], now=now)
    if outcome.status == "refused":
        # Nothing is answered then: a venue or an attribute has gone since.
        transaction.set_rollback(True)
    return outcome


def _quantity(action: Action) -> Decimal | None:
    corrections = [a for a in action.amendments.all() if a.type == Amendment.Type.CORRECTION]
    last = max(corrections, key=lambda a: (a.at, a.external_id), default=None)
    return last.quantity if last else action.quantity
