"""What a customer lets be scored: pausing the score, and switching sources off. One step either way.

Nothing is lost by it: actions and points are kept, and what is switched on again is scored as if it had never been off.
``choice_made`` tells higher floors that the customer must be scored anew.
"""

from datetime import datetime

from django.db import transaction
from django.dispatch import Signal

from .models import Customer, Identifier
from .pseudonyms import leave_boards

# Sent inside the transaction, with: customer, now.
choice_made = Signal()


@transaction.atomic
def pause_score(*, customer: Customer, now: datetime) -> None:
    """No score, no rank, off the boards and out of every list of the brand, from now on; may run twice.

    Points and badges stay. On the boards a customer is again only after joining them again.
    """
    held = _lock(customer)
    if held.paused_at is None:
        leave_boards(customer=held)
        held.paused_at = now
        held.save(update_fields=["paused_at"])
        choice_made.send(sender=Customer, customer=held, now=now)
    customer.paused_at, customer.on_boards = held.paused_at, held.on_boards


@transaction.atomic
def resume_score(*, customer: Customer, now: datetime) -> None:
    """The score is what it would be without the pause; may run twice."""
    held = _lock(customer)
    if held.paused_at is not None:
        held.paused_at = None
        held.save(update_fields=["paused_at"])
        choice_made.send(sender=Customer, customer=held, now=now)
    customer.paused_at = None


@transaction.atomic
def switch_source(*, customer: Customer, source: int, on: bool, now: datetime) -> None:
    """Switch one source (1 to 6) on or off; may run twice.

    Off, its actions are kept and neither scored nor shown. On again, the score is as if it had never been off.
    """
    held = _lock(customer)
    bit = 1 << source
    wanted = held.sources_off & ~bit if on else held.sources_off | bit
    if wanted != held.sources_off:
        held.sources_off = wanted
        held.save(update_fields=["sources_off"])
        # Scoring reads the copy: it knows identifiers, and would have to look each customer up.
        Identifier.objects.filter(customer=held).update(sources_off=wanted)
        choice_made.send(sender=Customer, customer=held, now=now)
    customer.sources_off = held.sources_off


def is_off(*, customer: Customer, source: int) -> bool:
    """Whether the customer has switched a source off."""
    return bool(customer.sources_off & 1 << source)


def _lock(customer: Customer) -> Customer:
    """The customer as they are now; whoever scores, moves or chooses for them waits."""
    return (
        Customer.objects.select_related("brand")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=customer.pk)
    )
