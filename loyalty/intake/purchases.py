"""The purchase door: a customer claims a purchase, which waits for review."""

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from statistics import median

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Brand, Customer
from loyalty.intake.forms import CHANNEL, ORIGIN, get_identifier, get_kind, record_once, refused
from scoring.actions import ActionRow, Outcome
from scoring.models import Action, ActionKind, Amendment, Evidence, Source

KIND = "purchase"
RECEIPT = "receipt"
"""The attribute that keeps the receipt's number, where the brand's kind declares it as text."""

MOST = Decimal(100_000)

MOST_IN_A_DAY = 20
"""Claims of one customer within 24 hours: people look at each one."""

_DAY = timedelta(days=1)
DECISIONS_ENOUGH = 5
DECISIONS_SEEN = 50


@dataclass(frozen=True, slots=True)
class Claim:
    """A purchase as its customer reports it.

    ``amount`` is in the brand's currency, ``bought_on`` a local date and ``bought_at`` a local time,
    ``venue`` a slug. Without a time, a purchase of today happened now and an earlier one at noon.
    ``photo`` is what ``photos.read_photo`` made.
    """

    amount: Decimal
    bought_on: date
    bought_at: time | None = None
    venue: str | None = None
    receipt_number: str = ""
    photo: bytes | None = None

    def moment(self, brand: Brand, *, now: datetime) -> datetime:
        """When it happened."""
        if self.bought_at is None and self.bought_on == now.astimezone(brand.zone).date():
            return now
        return datetime.combine(self.bought_on, self.bought_at or time(12), brand.zone)


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
    *, customer: Customer, claim: Claim, token: str, now: datetime
) -> Outcome:
    """Record a purchase that the customer reports: pending at once, with its photo, until staff decide.

    Refused with a sentence and the field's name: no amount, and a day or time to come; also more than
    ``MOST_IN_A_DAY``. The same token counts once. Whether it was registered before is the caller's question
    (``find_alike``) and the customer's answer; staff see what is alike beside the claim.
    """
    brand = customer.brand
    kind = get_purchase_kind(brand=brand)
    if kind is None:
        return refused("", _("%(brand)s does not take purchases this way.") % {"brand": brand.name})
    if not claim.amount.is_finite() or not 0 < claim.amount <= MOST:
        return refused("amount", _("Write the total on the receipt, more than 0."))
    if claim.bought_on > now.astimezone(brand.zone).date():
        return refused("bought_on", _("That day is still to come. Use the day on the receipt."))
    moment = claim.moment(brand, now=now)
    if moment > now:
        return refused("bought_at", _("That time is still to come. Use the time on the receipt."))
    number = claim.receipt_number.strip()
    row = ActionRow(
        origin=ORIGIN,
        external_id=token,
        identifier=get_identifier(customer=customer),
        kind=KIND,
        occurred_at=moment,
        quantity=claim.amount,
        channel=CHANNEL,
        venue=claim.venue or None,
        attributes={RECEIPT: number} if number and keeps_receipt_number(kind=kind) else None,
        state=Action.State.PENDING,
    )
    if _made_enough(customer, but=token, now=now):
        return refused(
            "", _("You registered very many purchases today. Register the next one tomorrow.")
        )
    with transaction.atomic():
        outcome = record_once(customer=customer, row=row, now=now)
        if outcome.action_id is not None and outcome.status != "refused" and claim.photo:
            _keep_photo(outcome.action_id, claim.photo, now)
    return outcome


def _made_enough(customer: Customer, *, but: str, now: datetime) -> bool:
    # Index: action_of_identifier. The form itself may come twice.
    made = Action.objects.filter(
        identifier__customer=customer, origin=ORIGIN, kind__slug=KIND, received_at__gt=now - _DAY
    )
    return (
        made.exclude(external_id=but).count() >= MOST_IN_A_DAY
        and not made.filter(external_id=but).exists()
    )


def _keep_photo(action_id: int, photo: bytes, now: datetime) -> None:
    # Sent twice, the first photo stays; and what staff have decided on stays as they saw it. The form's
    # token was locked by the action's own key before.
    is_decided = Amendment.objects.filter(
        action_id=action_id, type=Amendment.Type.DECISION
    ).exists()
    if not is_decided and not Evidence.objects.filter(action_id=action_id).exists():
        Evidence.objects.create(
            action_id=action_id, photo=ContentFile(photo, name="photo.jpg"), added_at=now
        )


def find_alike(*, customer: Customer, claim: Claim, token: str) -> Action | None:
    """An action of this customer that may be the same purchase; None when there is none.

    The same total on the same local day, from whatever system, or the same receipt number at the same
    venue. What this form itself recorded is not counted.
    """
    kind = get_purchase_kind(brand=customer.brand)
    if kind is None:
        return None
    number = claim.receipt_number.strip()
    begins = datetime.combine(claim.bought_on, time(), customer.brand.zone)
    ends = datetime.combine(claim.bought_on + timedelta(days=1), time(), customer.brand.zone)
    same = Q(occurred_at__gte=begins, occurred_at__lt=ends, quantity=claim.amount)
    if number:
        same |= Q(venue__slug=claim.venue, attributes__contains={RECEIPT: number})
    return (
        Action.objects.filter(same, identifier__customer=customer, kind=kind)
        .exclude(origin=ORIGIN, external_id=token)
        .exclude(amendments__type=Amendment.Type.VOID)
        .select_related("venue", "kind")
        .order_by("-occurred_at", "-pk")
        .first()
    )


def alike_for_staff(*, claims: list[Action]) -> dict[int, list[Action]]:
    """For each of these claims, other purchases that may be the same one; for staff only.

    The same receipt number on a claim of anybody of the brand, or the same total on the same local day
    for the same customer. Two queries, however many claims.
    """
    numbers = {number for claim in claims if (number := _number_of(claim))}
    others = Action.objects.select_related("identifier__customer", "venue", "kind", "brand")
    near: list[Action] = []
    if numbers:
        # Index: action_pending holds every claim that there ever was, decided or not.
        near += others.filter(
            brand__in={claim.brand_id for claim in claims},
            state=Action.State.PENDING,
            attributes__receipt__in=numbers,
        )
    # Index: action_of_identifier.
    near += others.filter(
        identifier__customer__in={claim.identifier.customer_id for claim in claims},
        kind__in={claim.kind_id for claim in claims},
        quantity__in={claim.quantity for claim in claims},
    ).exclude(amendments__type=Amendment.Type.VOID)
    alike = {
        claim.pk: list({one.pk: one for one in near if _may_be_one(claim, one)}.values())
        for claim in claims
    }
    return {pk: actions for pk, actions in alike.items() if actions}


def _may_be_one(claim: Action, other: Action) -> bool:
    if claim.pk == other.pk or claim.brand_id != other.brand_id:
        return False
    if _number_of(claim) and _number_of(claim) == _number_of(other):
        return True
    zone = claim.brand.zone
    return (
        claim.identifier.customer_id == other.identifier.customer_id
        and claim.quantity == other.quantity
        and claim.occurred_at.astimezone(zone).date() == other.occurred_at.astimezone(zone).date()
    )


def _number_of(action: Action) -> str:
    return str((action.attributes or {}).get(RECEIPT) or "")


def usual_wait(*, brand: Brand) -> str:
    """How long the brand usually takes to decide, as a sentence: the median of its last claims."""
    waits = [
        (decided_at - received_at).total_seconds()
        for received_at, decided_at in Amendment.objects.filter(
            action__brand=brand, action__state=Action.State.PENDING, type=Amendment.Type.DECISION
        )
        # Index: action_pending, from its end.
        .order_by("-action__received_at")
        .values_list("action__received_at", "received_at")[:DECISIONS_SEEN]
    ]
    if len(waits) < DECISIONS_ENOUGH:
        return _("Usually decided within two days.")
    hours = max(1, math.ceil(median(waits) / 3600))
    if hours <= 24:
        return ngettext(
            "Usually decided within an hour.", "Usually decided within %(count)s hours.", hours
        ) % {"count": hours}
    days = -(-hours // 24)
    return ngettext(
        "Usually decided within a day.", "Usually decided within %(count)s days.", days
    ) % {"count": days}
