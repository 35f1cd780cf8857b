"""What becomes due when an identifier moves, or a customer chooses what is scored."""

from datetime import datetime
from typing import Any

from accounts.models import Customer

from .actions import mark_due
from .models import Posting


def mark_moved(
    *, from_customer: Customer, to_customer: Customer, now: datetime, **_more: Any
) -> None:
    """Mark both customers of a moved identifier, inside the transaction that moves it."""
    mark_due(
        brand=to_customer.brand,
        customers=[from_customer.pk, to_customer.pk],
        why=Posting.Why.IDENTITY,
        now=now,
    )


def mark_chosen(*, customer: Customer, now: datetime, **_more: Any) -> None:
    """Mark a customer who paused, resumed or switched a source, inside the transaction that says so."""
    mark_due(brand=customer.brand, customers=[customer.pk], why=Posting.Why.CHOICE, now=now)
