"""What doing something now would give, in the words that stand on its button."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from accounts.models import Customer
from scoring.suppose import Gain, Scenario, Supposed, suppose


class Offer(NamedTuple):
    """The points that one action would give now; where limits take all, why, and from which day it gives again."""

    points: int
    why: str = ""
    until: date | None = None
    on: date | None = None

    @property
    def is_tomorrow(self) -> bool:
        """Whether it gives again on the next day."""
        return bool(self.until and self.on and (self.until - self.on).days <= 1)

    @property
    def is_near(self) -> bool:
        """Whether the name of a weekday tells the day from which it gives again."""
        return bool(self.until and self.on and (self.until - self.on).days <= 7)


def offers_of(*, customer: Customer, supposed: Sequence[Supposed]) -> list[Offer]:
    """What the engine would give for each of these actions, done by itself at its moment; one query."""
    brand = customer.brand
    days = [one.occurred_at.astimezone(brand.zone).date() for one in supposed]
    outcomes = suppose(
        brand=brand,
        customer=customer,
        scenarios=[Scenario([one], on) for one, on in zip(supposed, days, strict=True)],
    )
    return [_offer(outcome.gains[0], on) for outcome, on in zip(outcomes, days, strict=True)]


def _offer(gain: Gain, on: date) -> Offer:
    limit = gain.held_back
    return Offer(gain.points, limit.reason, limit.until, on) if limit else Offer(gain.points, on=on)
