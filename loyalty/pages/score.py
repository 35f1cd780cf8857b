"""The Score page: where a customer stands, what moved it, and what would raise it."""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple, Protocol, TypeVar

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.views.decorators.http import require_safe

from accounts.models import Brand, Customer
from loyalty.intake import check_ins, purchases, usage
from loyalty.pages import ring
from loyalty.pages.add import ways_to_add
from loyalty.pages.badges import nearest_badges
from loyalty.pages.frame import score_page, show
from scoring import queries
from scoring.foresee import NextAction
from scoring.models import Source
from scoring.overview import WEEK, overview
from scoring.queries import Moved, MovedLine
from scoring.ranks import get_rank
from scoring.worth import Part

MOVERS = 3
BETTER_HALF = 50
ENOUGH_FOR_PERCENT = 100
# A change that the page would show as nothing.
UNSEEN = Decimal("0.5")
# The kinds that customers report themselves, and the pages on which they do.
DOORS = {check_ins.KIND: "check_in", purchases.KIND: "purchase", usage.KIND: "usage"}


@require_safe
@score_page
def score(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The score on one page: ring, what moved, what is next, six sources, forecast, rhythm, badges, board."""
    now = timezone.now()
    view = overview(customer=customer, now=now)
    movers = largest(view.moved.lines)
    accepted, later = view.ahead.accepted, view.later
    is_new = not view.score.points and not view.moved.lines
    return show(
        request,
        "pages/score.html",
        customer,
        here="score",
        score=view.score,
        standing=find_standing(customer, view.score.score),
        moved=view.moved,
        movers=movers,
        others=len(view.moved.lines) - len(movers),
        others_points=view.moved.points - sum(line.points for line in movers),
        sum=find_sum(view.moved),
        ways=ways_to_add(customer.brand, now=now) if is_new else [],
        next_actions=tickets_of(view.ahead.best(), brand=customer.brand),
        sources=in_ring_order(view.score.sources),
        accepted=accepted,
        accepted_sub_scores=_sub_scores(accepted.parts) if accepted else None,
        later=later if view.score.score - later.score >= UNSEEN else None,
        later_sub_scores=_sub_scores(later.parts),
        later_on=view.later_on,
        rhythm=view.rhythm,
        nearest=nearest_badges(view.badges),
        board=view.board,
        today=view.score.on,
    )


@require_safe
@score_page
def moved(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Everything that moved the score in seven days, line by line to the sum."""
    today = timezone.now().astimezone(customer.brand.zone).date()
    found = queries.what_moved(customer=customer, since=today - WEEK + timedelta(days=1), on=today)
    return show(
        request, "pages/moved.html", customer, here="score", moved=found, sum=find_sum(found)
    )


class NextTicket(NamedTuple):
    """A next best action and the page on which to do it, or to read more of it."""

    action: NextAction
    address: str


def tickets_of(
    actions: Iterable[NextAction], *, brand: Brand, is_on_source: bool = False
) -> list[NextTicket]:
    """These actions, each with its page; what customers do not report themselves leads to its source, or to what if."""

    def address(action: NextAction) -> str:
        if door := DOORS.get(action.step.kind):
            return reverse(door, args=[brand.slug])
        if is_on_source:
            return reverse("what_if", args=[brand.slug])
        return reverse("source", args=[brand.slug, action.step.source.slug])

    return [NextTicket(action, address(action)) for action in actions]


class HasSource(Protocol):
    """Something of one source."""

    @property
    def source(self) -> Source: ...


Sourced = TypeVar("Sourced", bound=HasSource)


def in_ring_order(parts: Sequence[Sourced]) -> list[Sourced]:
    """Things of each source in the order of the ring."""
    return sorted(parts, key=lambda part: ring.place_of(part.source))


def _sub_scores(parts: Sequence[Part]) -> list[float]:
    return [part.sub_score for part in in_ring_order(parts)]


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


def find_sum(moved: Moved) -> Sum | None:
    """How the score moved, as a sum that adds up as shown; None where it held steady."""
    terms = (moved.before, moved.earned, moved.faded, moved.after)
    for places in range(4):
        shown = [term.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) for term in terms]
        if shown[0] + shown[1] - shown[2] == shown[3]:
            break
    if not shown[1] and not shown[2]:
        return None
    return Sum(*(number_format(term, places, force_grouping=True) for term in shown))
