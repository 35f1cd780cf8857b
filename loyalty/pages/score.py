"""The score: the page itself, and the sum behind it."""

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty.pages import ring
from loyalty.pages.add import ways_to_add
from loyalty.pages.frame import customer_page, show
from scoring import boards, queries
from scoring.badges import BadgeView, badges_of
from scoring.queries import MovedLine
from scoring.ranks import get_rank

NEAREST = 3
MOVERS = 5
AHEAD = timedelta(days=30)
BETTER_HALF = 50
ENOUGH_FOR_PERCENT = 100
# A change that the page would show as nothing.
UNSEEN = Decimal("0.5")


@require_safe
@customer_page
def score(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The score on one page: ring, what moved, six sources, forecast, badges, board."""
    today = timezone.now().astimezone(customer.brand.zone).date()
    view = queries.get_score(customer=customer, on=today)
    sources = sorted(view.sources, key=lambda part: ring.place_of(part.source))
    moved = queries.what_moved(customer=customer, since=today - timedelta(days=6), on=today)
    movers = largest(moved.lines)
    later_on = today + AHEAD
    later = queries.forecast(customer=customer, on=later_on)
    return show(
        request,
        "pages/score.html",
        customer,
        here="score",
        score=view,
        standing=find_standing(customer, view.score),
        moved=moved,
        movers=movers,
        ways=[] if view.points or moved.lines else ways_to_add(customer.brand, now=timezone.now()),
        others=len(moved.lines) - len(movers),
        others_points=moved.points - sum(line.points for line in movers),
        sum=find_sum(moved),
        sources=sources,
        later=later if view.score - later.score >= UNSEEN else None,
        later_sub_scores=[
            part.sub_score
            for part in sorted(later.parts, key=lambda part: ring.place_of(part.source))
        ],
        later_on=later_on,
        nearest=nearest_badges(badges_of(customer=customer)),
        board=boards.around(customer=customer, on=today),
        today=today,
    )


class Standing(NamedTuple):
    """Where a customer stands; ``top_percent`` is told to the better half only."""

    place: int
    is_shared: bool
    top_percent: int | None


def find_standing(customer: Customer, score: Decimal) -> Standing | None:
    """The standing among the brand's customers; None without a score, for nobody is told they are last."""
    if not score:
        return None
    rank = get_rank(brand=customer.brand, score=score)
    percent = math.ceil(100 * rank.rank / max(1, rank.of))
    is_told = percent <= BETTER_HALF and rank.of >= ENOUGH_FOR_PERCENT
    return Standing(rank.rank, rank.shared, percent if is_told else None)


def largest(lines: Sequence[MovedLine]) -> list[MovedLine]:
    """The lines that moved most and those that wait, as many as are read, in their order."""
    if len(lines) <= MOVERS + 1:
        return list(lines)
    kept = sorted(lines, key=lambda line: (not line.pending, -abs(line.points)))[:MOVERS]
    return [line for line in lines if line in kept]


class Sum(NamedTuple):
    """before + earned - faded = after, in just as many decimals as the reader needs to see it."""

    before: str
    earned: str
    faded: str
    after: str


def find_sum(moved: queries.Moved) -> Sum | None:
    """How the score moved, as a sum that adds up as shown; None where it held steady."""
    terms = (moved.before, moved.earned, moved.faded, moved.after)
    for places in range(4):
        shown = [term.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) for term in terms]
        if shown[0] + shown[1] - shown[2] == shown[3]:
            break
    if not shown[1] and not shown[2]:
        return None
    return Sum(*(number_format(term, places, force_grouping=True) for term in shown))


def nearest_badges(badges: list[BadgeView]) -> list[BadgeView]:
    """The newest badge earned and those nearest to being earned, three in all."""
    earned = sorted((view for view in badges if view.level), key=_earned_at, reverse=True)
    to_come = [view for view in badges if not view.level]
    return [*earned[: max(1, NEAREST - len(to_come))], *to_come][:NEAREST]


def _earned_at(view: BadgeView) -> float:
    return view.earned_at.timestamp() if view.earned_at else 0.0
