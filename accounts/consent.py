"""What customers agree to, and the one gate through which a brand finds customers for a purpose.

Customers agree to each purpose by each channel, or do not. The score is no consent: it is what one joins for, and its
switch is the pause (``accounts.choices``).
"""

from dataclasses import dataclass

from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Expression,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from .models import Brand, Consent, Customer, Purpose

# The gate


class LeftOut(TextChoices):
    """Why a customer is not in an audience; of several reasons, the first."""

    PAUSED = "paused", _("score paused")
    NOT_JOINED = "not_joined", _("not joined")
    NO_CONSENT = "no_consent", _("no consent")


@dataclass(frozen=True, slots=True)
class Audience:
    """The customers of a brand who may be found for a purpose, as of each time when it is read."""

    brand: Brand
    purpose: Purpose
    channel: str

    @property
    def customers(self) -> QuerySet[Customer]:
        """They, in no order."""
        return self._people().alias(why=self._why()).filter(why=None)

    @property
    def is_member(self) -> sql.SQL:
        """For a statement in which a row of accounts_customer is called ``customer``: whether it is one of them."""
        statement, parameters = self.customers.values("pk").query.sql_with_params()
        text = connection.ops.compose_sql(statement, parameters)  # type: ignore[attr-defined]
        return sql.SQL(f"customer.id IN ({text.replace('%', '%%')})")

    def left_out(self) -> dict[LeftOut, int]:
        """How many people of the brand are not in it, by reason.

        Whoever was merged or erased is nobody, and is not counted.
        """
        people = self._people().annotate(why=self._why()).exclude(why=None)
        rows = people.values_list("why").annotate(Count("pk"))
        return {LeftOut(why): people for why, people in rows}

    def _people(self) -> QuerySet[Customer]:
        return Customer.objects.filter(brand=self.brand, merged_into=None, erased_at=None)

    def _why(self) -> Expression:
        reasons = [When(paused_at__isnull=False, then=Value(LeftOut.PAUSED.value))]
        if self.purpose != Purpose.SCORE:
            reasons += [
                When(user=None, then=Value(LeftOut.NOT_JOINED.value)),
                When(~Q(self._has_consent()), then=Value(LeftOut.NO_CONSENT.value)),
            ]
        return Case(*reasons, default=None, output_field=CharField())

    def _has_consent(self) -> Expression:
        if (self.purpose, self.channel) not in asked_for(brand=self.brand):
            return Value(value=False)
        # Grain: the last word of one customer on the purpose and channel. Index: consent_of_customer.
        last = Consent.objects.filter(
            customer=OuterRef("pk"), purpose=self.purpose, channel=self.channel
        ).order_by("-pk")
        return Coalesce(
            Subquery(last.values_list(ExpressionWrapper(_holds(self.brand), BooleanField()))[:1]),
            Value(value=False),
        )


def audience(*, brand: Brand, purpose: Purpose, channel: str = "") -> Audience:
    """THE GATE: whom the brand may find for a purpose, by a channel where the purpose has channels.

    For the score, all but those who paused it. For anything else, those who joined and whose consent to it holds.
    Nothing that reads many customers for marketing takes them from anywhere else. Raises ValueError for a channel that
    does not go with the purpose.
    """
    if bool(channel) != (purpose in BY_CHANNEL):
        raise ValueError(f"{purpose} by {channel!r} is nothing that customers are asked for")
    return Audience(brand, Purpose(purpose), channel)


# What is asked for

BY_CHANNEL = (Purpose.OFFERS, Purpose.NEWS)


def asked_for(*, brand: Brand) -> list[tuple[Purpose, str]]:
    """The purposes and channels for which the brand asks its customers, in the order of the page."""
    asked = [
        (purpose, channel)
        for purpose in BY_CHANNEL
        for channel in Brand.Channel.values
        if channel in brand.channels
    ]
    return [*asked, (Purpose.PARTNERS, "")] if brand.partners else asked


def _holds(brand: Brand) -> Q:
    """Whether a consent to a purpose, the last one, is one: sharing holds for the partners that were named."""
    return Q(given=True) & (~Q(purpose=Purpose.PARTNERS) | Q(wording__contains=brand.partners))
