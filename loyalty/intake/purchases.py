"""The purchase door: a customer claims a purchase, which waits for review."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Brand, Customer
from loyalty.intake.forms import CHANNEL, ORIGIN, get_identifier, get_kind, record_once, refused
from scoring.actions import ActionRow, Outcome
from scoring.models import Action, ActionKind, Source

KIND = "purchase"
RECEIPT = "receipt"
"""The attribute that keeps the receipt's number, where the brand's kind declares it as text."""

MOST = Decimal(100_000)


def get_purchase_kind(*, brand: Brand) -> ActionKind | None:
    """The kind that a claim records, or None when the brand has none."""
    return get_kind(brand=brand, slug=KIND, source=Source.PURCHASES)


def offers_purchase_claims(*, brand: Brand) -> bool:
    """Whether customers of this brand can register purchases themselves."""
    return get_purchase_kind(brand=brand) is not None


def keeps_receipt_number(*, kind: ActionKind) -> bool:
    """Whether a claim of this kind has a place for the receipt's number."""
    return bool(kind.attributes.get(RECEIPT) == "text")


def record_purchase_claim(
    *,
    customer: Customer,
    amount: Decimal,
    bought_on: date,
    token: str,
    now: datetime,
    venue: str | None = None,
    receipt_number: str = "",
) -> Outcome:
    """Record a purchase that the customer reports: pending at once, until staff decide.

    ``amount`` is in the brand's currency, ``bought_on`` a local date, ``venue`` a slug. A purchase of
    today happened now; an earlier one is dated at noon, since a receipt's hour is not asked for.
    Refused with a sentence and the field's name: no amount, a day to come, and a receipt number that
    this customer registered before. The same token counts once.
    """
    brand = customer.brand
    kind = get_purchase_kind(brand=brand)
    if kind is None:
        return refused("", _("%(brand)s does not take purchases this way.") % {"brand": brand.name})
    if not amount.is_finite() or not 0 < amount <= MOST:
        return refused("amount", _("Write the total on the receipt, more than 0."))
    today = now.astimezone(brand.zone).date()
    if bought_on > today:
        return refused("bought_on", _("That day is still to come. Use the day on the receipt."))
    noon = datetime.combine(bought_on, time(12), brand.zone)
    receipt_number = receipt_number.strip()
    attributes = None
    if receipt_number and keeps_receipt_number(kind=kind):
        attributes = {RECEIPT: receipt_number}
        if _is_registered(customer, kind, bought_on, receipt_number, token):
            return refused(
                "receipt_number", _("You registered this receipt before. It counts once.")
            )
    row = ActionRow(
        origin=ORIGIN,
        external_id=token,
        identifier=get_identifier(customer=customer),
        kind=KIND,
        occurred_at=now if bought_on == today else noon,
        quantity=amount,
        channel=CHANNEL,
        venue=venue or None,
        attributes=attributes,
        state=Action.State.PENDING,
    )
    return record_once(customer=customer, row=row, now=now)


def _is_registered(
    customer: Customer, kind: ActionKind, bought_on: date, receipt_number: str, token: str
) -> bool:
    begins = datetime.combine(bought_on, time(), customer.brand.zone)
    return (
        Action.objects.filter(
            identifier__customer=customer,
            kind=kind,
            occurred_at__range=(begins, begins + timedelta(days=1)),
            attributes__contains={RECEIPT: receipt_number},
        )
        .exclude(origin=ORIGIN, external_id=token)
        .exists()
    )
