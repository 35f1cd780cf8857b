"""All that the Score page says, read at once: few queries, whose number does not grow with the history."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.models import Customer

from .badges import BadgeView, badges_of
from .boards import Board, around
from .foresee import Ahead, look_ahead
from .queries import Moved, ScoreView, basis_of, days_of_move, moved_of, view_of
from .rhythm import RhythmView, rhythm_of
from .statements import brand_time
from .worth import When, Worth, worth_on

WEEK = timedelta(days=7)
AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Overview:
    """A customer's score on a day with what moved it in the seven days up to it, and what lies ahead.

    ``later`` is what the awards of today are worth on ``later_on``.
    """

    score: ScoreView
    moved: Moved
    ahead: Ahead
    later: Worth
    later_on: date
    badges: list[BadgeView]
    board: Board | None
    rhythm: RhythmView


def overview(*, customer: Customer, now: datetime) -> Overview:
    """The customer's overview at a moment; at most ten queries."""
    brand = customer.brand
    on = now.astimezone(brand.zone).date()
    since = on - WEEK + timedelta(days=1)
    later_on = on + AHEAD
    # As suppositions want it; planning would cost as much again as all the rest.
    with brand_time(brand, plan_cache_mode="force_generic_plan"):
        basis = basis_of(customer=customer, on=on)
        *moves, later = worth_on(
            customer_id=customer.pk,
            rule_set_id=basis.rule_set_id,
            days=[*days_of_move(since=since, on=on), When(later_on)],
        )
        ahead = look_ahead(
            customer=customer, now=now, rule_set_id=basis.rule_set_id, pending=basis.pending
        )
        return Overview(
            score=view_of(worth=moves[-1], basis=basis, on=on),
            moved=moved_of(customer=customer, since=since, worths=moves),
            ahead=ahead,
            later=later,
            later_on=later_on,
            board=around(customer=customer, on=on, unit=ahead.unit),
            rhythm=rhythm_of(customer=customer, on=on),
            # Last: how its statement is planned holds to the end of the transaction, and is wrong for the others.
            badges=badges_of(customer=customer),
        )
