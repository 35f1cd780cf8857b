"""The product-use door: a customer records that they used the product."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Brand, Customer
from loyalty.intake.forms import CHANNEL, ORIGIN, get_identifier, get_kind, record_once, refused
from scoring.actions import ActionRow, Outcome
from scoring.models import ActionKind, Source

KIND = "usage"


def get_usage_kind(*, brand: Brand) -> ActionKind | None:
    """The kind that recording a use records, or None when the brand has none."""
    return get_kind(brand=brand, slug=KIND, source=Source.PRODUCT_USAGE)


def offers_usage(*, brand: Brand) -> bool:
    """Whether customers of this brand can record product use themselves."""
    return get_usage_kind(brand=brand) is not None


def record_usage(
    *,
    customer: Customer,
    token: str,
    now: datetime,
    used_at: datetime | None = None,
    quantity: Decimal | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Outcome:
    """Record one use of the product, at ``used_at`` or now.

    ``quantity`` is in the kind's unit; ``attributes`` are those that the kind declares. What is wrong
    with either is refused with a sentence. The same token counts once.
    """
    brand = customer.brand
    if get_usage_kind(brand=brand) is None:
        return refused("", _("%(brand)s does not record product use.") % {"brand": brand.name})
    if quantity is not None and (not quantity.is_finite() or quantity < 0):
        return refused("quantity", _("Write a number of 0 or more."))
    row = ActionRow(
        origin=ORIGIN,
        external_id=token,
        identifier=get_identifier(customer=customer),
        kind=KIND,
        occurred_at=used_at or now,
        quantity=quantity,
        channel=CHANNEL,
        attributes=dict(attributes) if attributes else None,
    )
    return record_once(customer=customer, row=row, now=now)
