"""Boards: members under pseudonyms, by the points of this week or season; and how a period closes.

A member is a customer who appears on boards by their own wish and does not work for the brand. Every answer is
computed from the daily points as they are when it is asked for, so whoever leaves is gone at once. Dates are the
brand's local dates; a week is Monday to Sunday, a season a calendar month or quarter (``Brand.season``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Max
from django.utils.crypto import salted_hmac
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import sql

from accounts.models import Brand, Customer, StaffRole

from .models import ClosedBoard, HomeVenue, Source, Venue
from .statements import execute

Period = ClosedBoard.Period

MEMBERS_LEAST = 10
"""With fewer members there is no board: nobody could hide among them."""
VENUE_MEMBERS_LEAST = 3
CHECK_IN = "check_in"
_DAY = timedelta(days=1)
_MONTHS = {Brand.Season.MONTH: 1, Brand.Season.QUARTER: 3}


def works_here(*, customer: Customer) -> bool:
    """Whether a customer works for the brand: then they are on no board of it."""
    return StaffRole.objects.filter(brand=customer.brand_id, user=customer.user_id).exists()


# Weeks and seasons


@dataclass(frozen=True, slots=True)
class Span:
    """A week or season, from its first local date to its last."""

    period: Period
    since: date
    until: date


def span_of(*, brand: Brand, on: date, period: str = Period.WEEK) -> Span:
    """The brand's week or season that a local date lies in.

    A season begins on the day after the last one that was closed, where that is later than the calendar says: after
    the brand has changed from months to quarters.
    """
    span = _calendar(brand, Period(period), on)
    if span.period == Period.WEEK:
        return span
    closed_until = _closed_until(brand, span.period)
    if closed_until is None or not span.since <= closed_until < on:
        return span
    return Span(span.period, closed_until + _DAY, span.until)


def _calendar(brand: Brand, period: Period, on: date) -> Span:
    if period == Period.WEEK:
        monday = on - timedelta(days=on.weekday())
        return Span(period, monday, monday + 6 * _DAY)
    months = _MONTHS[Brand.Season(brand.season)]
    first = on.replace(month=on.month - (on.month - 1) % months, day=1)
    beyond = (first + timedelta(days=31 * months)).replace(day=1)
    return Span(period, first, beyond - _DAY)


def _closed_until(brand: Brand, period: Period) -> date | None:
    found: date | None = ClosedBoard.objects.filter(brand=brand, period=period).aggregate(
        last=Max("ends_on")
    )["last"]
    return found


# Around me


@dataclass(frozen=True, slots=True)
class GapUnit:
    """The free action by which gaps are told: ``points`` are what the next one, two, ... of it give in all."""

    kind: str
    label: str
    source: Source
    points: Sequence[int]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One member on a board, under a pseudonym.

    ``rank`` is 0 for who has no points yet: nobody is told to be last. ``gap`` is empty on one's own row, and on those
    of the top that are far off. ``seed`` is what the avatar is drawn from. ``skips``: members between this row and the
    one before it are left out.
    """

    rank: int
    shared: bool
    pseudonym: str
    seed: str
    points: int
    is_me: bool
    gap: str
    skips: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The part of a board around a customer. ``missing`` members until it opens; it has no rows before.

    ``ahead`` says in a sentence what parts the customer from the next one above; empty at the top.
    """

    span: Span
    source: Source | None
    members: int
    missing: int
    rows: tuple[BoardRow, ...]
    ahead: str


def around(
    *,
    customer: Customer,
    on: date,
    period: str = Period.WEEK,
    source: Source | None = None,
    size: int = 3,
    top: int = 0,
    unit: GapUnit | None = None,
) -> Board | None:
    """The members just above and below a customer by points so far, and the ``top`` first; ties share a rank.

    None for who is not on boards, or works for the brand. Without a ``unit`` gaps are told in points.
    """
    if not customer.on_boards:
        return None
    span = span_of(brand=customer.brand, on=on, period=period)
    rows = execute(
        _AROUND,
        _parameters(customer.brand_id, span, on, source)
        | {"customer": customer.pk, "size": size, "top": top},
    )
    if not rows:
        return None
    members = rows[0][7]
    if members < MEMBERS_LEAST:
        return Board(span, source, members, MEMBERS_LEAST - members, (), "")
    my_place, mine = next((row[0], row[4]) for row in rows if row[5])
    if unit and source and unit.source != source:
        unit = None
    shown = []
    ahead, last_place = "", 0
    for place, rank, is_shared, pseudonym, points, is_me, pk, _members in rows:
        is_far = abs(place - my_place) > size
        if points > mine and not is_far:
            ahead = _ahead(points - mine, pseudonym, unit)
        shown.append(
            BoardRow(
                rank=rank if points > 0 else 0,
                shared=is_shared and points > 0,
                pseudonym=pseudonym,
                seed=_seed(pk, pseudonym),
                points=points,
                is_me=is_me,
                gap="" if is_me or is_far else _gap(points - mine, unit),
                skips=place != last_place + 1 and last_place > 0,
            )
        )
        last_place = place
    return Board(span, source, members, 0, tuple(shown), ahead)


def _seed(customer_id: int, pseudonym: str) -> str:
    # Keyed, so that nothing else about a member can be found from it; another pseudonym is another face.
    drawn = salted_hmac("laurel.avatar", f"{customer_id}:{pseudonym}", algorithm="sha256")
    return drawn.hexdigest()[:16]


def seed_of(*, customer: Customer) -> str:
    """What a customer's avatar is drawn from."""
    return _seed(customer.pk, customer.pseudonym)


def _actions(points: int, unit: GapUnit | None) -> int:
    """How many of the unit's actions make up for so many points; 0 where they do not."""
    if unit is None:
        return 0
    return next((n for n, sum_ in enumerate(unit.points, start=1) if sum_ >= points), 0)


def _gap(points: int, unit: GapUnit | None) -> str:
    if points == 0:
        return _("level with you")
    is_ahead, n = points > 0, _actions(abs(points), unit)
    if n and unit and unit.kind == CHECK_IN:
        if is_ahead:
            return ngettext("%d check-in ahead of you", "%d check-ins ahead of you", n) % n
        return ngettext("%d check-in behind you", "%d check-ins behind you", n) % n
    if n and unit:
        words = {"count": n, "action": unit.label}
        if is_ahead:
            return (
                ngettext(
                    "ahead of you by one “%(action)s”",
                    "ahead of you by %(count)d times “%(action)s”",
                    n,
                )
                % words
            )
        return (
            ngettext(
                "behind you by one “%(action)s”", "behind you by %(count)d times “%(action)s”", n
            )
            % words
        )
    if is_ahead:
        return ngettext("%(count)s point ahead of you", "%(count)s points ahead of you", points) % {
            "count": number_format(points, force_grouping=True)
        }
    return ngettext("%(count)s point behind you", "%(count)s points behind you", -points) % {
        "count": number_format(-points, force_grouping=True)
    }


def _ahead(points: int, name: str, unit: GapUnit | None) -> str:
    n = _actions(points, unit)
    if n and unit and unit.kind == CHECK_IN:
        return ngettext(
            "You are %(count)d check-in behind %(name)s.",
            "You are %(count)d check-ins behind %(name)s.",
            n,
        ) % {"count": n, "name": name}
    if n and unit:
        return ngettext(
            "You are one “%(action)s” behind %(name)s.",
            "You are %(count)d times “%(action)s” behind %(name)s.",
            n,
        ) % {"count": n, "action": unit.label, "name": name}
    return ngettext(
        "You are %(count)s point behind %(name)s.",
        "You are %(count)s points behind %(name)s.",
        points,
    ) % {"count": number_format(points, force_grouping=True), "name": name}


def _parameters(brand_id: int, span: Span, on: date, source: Source | None) -> dict[str, object]:
    return {
        "brand": brand_id,
        "since": span.since,
        "until": min(span.until, on),
        "sources": [source.value] if source else [one.value for one in Source],
    }


# Grain: one member. Index: daily points by (customer, source, local date), each source's days in one piece.
_MEMBER = sql.SQL("""
WITH member AS (
    SELECT customer.id, customer.pseudonym, customer.joined_at, coalesce(span.points, 0)::bigint AS points
    FROM accounts_customer AS customer
    LEFT JOIN LATERAL (
        SELECT sum(daily.points) AS points FROM scoring_dailypoints AS daily
        WHERE daily.customer_id = customer.id AND daily.source = ANY(%(sources)s::int[])
            AND daily.local_date BETWEEN %(since)s AND %(until)s
    ) AS span ON TRUE
    WHERE customer.brand_id = %(brand)s AND customer.on_boards AND NOT EXISTS (
        SELECT FROM accounts_staffrole AS role
        WHERE role.brand_id = customer.brand_id AND role.user_id = customer.user_id)
)""")
# Grain: one member of the board near the customer or at its top.
_AROUND = (
    sql.SQL("""{member},
ranked AS (
    SELECT *, rank() OVER (ORDER BY points DESC) AS rank, count(*) OVER (PARTITION BY points) > 1 AS is_shared,
        row_number() OVER (ORDER BY points DESC, (id = %(customer)s) DESC, pseudonym COLLATE "C", id) AS place,
        count(*) OVER () AS members
    FROM member
),
mine AS (SELECT place FROM ranked WHERE id = %(customer)s)
SELECT ranked.place, rank, is_shared, pseudonym, points, id = %(customer)s, id, members
FROM ranked CROSS JOIN mine
WHERE ranked.place <= %(top)s OR ranked.place BETWEEN mine.place - %(size)s AND mine.place + %(size)s
ORDER BY ranked.place
""")
    .format(member=_MEMBER)
    .as_string(None)
)


# What is behind my points


@dataclass(frozen=True, slots=True)
class PointsLine:
    """What one action gives to the points of a week or season."""

    action_id: int
    local_date: date
    label: str
    points: int


@dataclass(frozen=True, slots=True)
class BoardPoints:
    """A customer's points on a board, action by action, newest first."""

    span: Span
    points: int
    lines: tuple[PointsLine, ...]


def board_points(
    *, customer: Customer, on: date, period: str = Period.WEEK, source: Source | None = None
) -> BoardPoints:
    """The actions whose points add up to the customer's number on a board."""
    span = span_of(brand=customer.brand, on=on, period=period)
    rows = execute(
        _POINTS, _parameters(customer.brand_id, span, on, source) | {"customer": customer.pk}
    )
    lines = tuple(
        PointsLine(pk, local_date, label if venue is None else f"{label}, {venue}", points)
        for pk, local_date, label, venue, points in rows
    )
    return BoardPoints(span, sum(line.points for line in lines), lines)


# Grain: one action of the customer that holds points in the span. Index: postings by customer.
_POINTS = """
SELECT action.id, held.local_date, kind.label, venue.name, held.points
FROM (
    SELECT action_id, max(local_date) AS local_date, sum(points)::bigint AS points FROM scoring_posting
    WHERE customer_id = %(customer)s AND source = ANY(%(sources)s::int[])
        AND local_date BETWEEN %(since)s AND %(until)s
    GROUP BY action_id HAVING sum(points) <> 0
) AS held
JOIN scoring_action AS action ON action.id = held.action_id AND action.brand_id = %(brand)s
JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
ORDER BY action.occurred_at DESC, action.id DESC
"""


# Venue against venue


@dataclass(frozen=True, slots=True)
class VenueRow:
    """A venue by the points per member who has made it their home; ``shown`` has a decimal where it needs one."""

    rank: int
    shared: bool
    name: str
    points: Decimal
    shown: Decimal
    members: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class VenueBoard:
    """The venues of a brand for a week or season; without rows while ``missing`` members are."""

    span: Span
    missing: int
    rows: tuple[VenueRow, ...]


def venues(
    *,
    brand: Brand,
    on: date,
    period: str = Period.WEEK,
    source: Source | None = None,
    home: int | None = None,
) -> VenueBoard:
    """Venue against venue: points per member, of venues that at least three members have made their home.

    ``home`` is the id of the reader's own venue.
    """
    span = span_of(brand=brand, on=on, period=period)
    rows = execute(
        _VENUES,
        _parameters(brand.pk, span, on, source) | {"home": home, "least": VENUE_MEMBERS_LEAST},
    )
    members = rows[0][0]
    if members < MEMBERS_LEAST:
        return VenueBoard(span, MEMBERS_LEAST - members, ())
    ranked = [row[1:] for row in rows if row[3] is not None]
    averages = [row[3] for row in ranked]
    return VenueBoard(
        span,
        0,
        tuple(
            VenueRow(
                rank=rank if average > 0 else 0,
                shared=is_shared and average > 0,
                name=name,
                points=average,
                shown=_shown(average, averages[max(0, place - 1) : place + 2]),
                members=count,
                is_mine=is_mine,
            )
            for place, (rank, is_shared, name, average, count, is_mine) in enumerate(ranked)
        ),
    )


def _shown(average: Decimal, neighbours: Sequence[Decimal]) -> Decimal:
    """A whole number, unless a neighbour that differs would look the same."""
    whole = average.quantize(Decimal(1), ROUND_HALF_UP)
    is_clear = all(
        other == average or other.quantize(Decimal(1), ROUND_HALF_UP) != whole
        for other in neighbours
    )
    return whole if is_clear else average


# Grain: one venue, and one row without a venue where there is none. Averages are told and compared with one decimal.
_VENUES = (
    sql.SQL("""{member},
venue AS (
    SELECT venue.id, venue.name, round(avg(member.points), 1) AS points, count(*)::int AS members
    FROM member JOIN scoring_homevenue AS home ON home.customer_id = member.id
    JOIN scoring_venue AS venue ON venue.id = home.venue_id AND venue.brand_id = %(brand)s
    GROUP BY venue.id HAVING count(*) >= %(least)s
)
SELECT counted.members, rank() OVER (ORDER BY venue.points DESC), count(*) OVER (PARTITION BY venue.points) > 1,
    venue.name, venue.points, venue.members, (venue.id = %(home)s::bigint) IS TRUE
FROM (SELECT count(*) AS members FROM member) AS counted LEFT JOIN venue ON TRUE
ORDER BY venue.points DESC, venue.name COLLATE "C", venue.id
""")
    .format(member=_MEMBER)
    .as_string(None)
)


def home_of(*, customer: Customer) -> Venue | None:
    """The venue that a customer has made their home."""
    home = HomeVenue.objects.filter(customer=customer).select_related("venue").first()
    return home.venue if home else None


def choose_home(*, customer: Customer, venue: Venue | None) -> None:
    """Make a venue of the customer's brand their home, or none; may run twice. It counts at once."""
    if venue is None:
        HomeVenue.objects.filter(customer=customer).delete()
        return
    if venue.brand_id != customer.brand_id:
        raise ValueError("a home venue is one of the customer's brand")
    HomeVenue.objects.update_or_create(customer=customer, defaults={"venue": venue})


# Closing


def close_boards(*, brand: Brand, now: datetime) -> list[ClosedBoard]:
    """Close each week and season of the brand that is over by its local date and not closed yet, earliest first.

    Places are kept as the awards are now; what arrives later changes them no more. May run at any time, twice, and
    from several processes at once: a period is closed once. Periods are counted from the brand's first on.
    """
    today = now.astimezone(brand.zone).date()
    return [
        closed
        for period in Period
        for span in _spans_over(brand, period, today)
        if (closed := _close(brand, span, now))
    ]


def _spans_over(brand: Brand, period: Period, today: date) -> Iterator[Span]:
    closed_until = _closed_until(brand, period)
    on = closed_until + _DAY if closed_until else brand.created_at.astimezone(brand.zone).date()
    while (span := _calendar(brand, period, on)).until < today:
        yield Span(period, max(span.since, on) if closed_until else span.since, span.until)
        on = span.until + _DAY


def _close(brand: Brand, span: Span, now: datetime) -> ClosedBoard | None:
    found = execute(
        _CLOSE,
        _parameters(brand.pk, span, span.until, None)
        | {
            "period": span.period.value,
            "now": now,
            "zone": brand.time_zone,
            "least": MEMBERS_LEAST,
        },
    )
    if not found:
        return None
    return ClosedBoard(
        pk=found[0][0],
        brand=brand,
        period=span.period,
        starts_on=span.since,
        ends_on=span.until,
        closed_at=now,
    )


# Grain: one member who had joined by the end and has points. Whoever comes second finds the board closed, and writes
# nothing.
_CLOSE = (
    sql.SQL("""{member},
board AS (
    INSERT INTO scoring_closedboard (brand_id, period, starts_on, ends_on, closed_at)
    VALUES (%(brand)s, %(period)s, %(since)s, %(until)s, %(now)s)
    ON CONFLICT (brand_id, period, starts_on) DO NOTHING
    RETURNING id
),
ranked AS (
    SELECT id, points, rank() OVER (ORDER BY points DESC) AS rank, count(*) OVER () AS members
    FROM member WHERE (joined_at AT TIME ZONE %(zone)s)::date <= %(until)s
),
placed AS (
    INSERT INTO scoring_closedplace (board_id, customer_id, rank, points)
    SELECT board.id, ranked.id, ranked.rank, ranked.points FROM board CROSS JOIN ranked
    WHERE ranked.points > 0 AND ranked.members >= %(least)s
)
SELECT id FROM board
""")
    .format(member=_MEMBER)
    .as_string(None)
)


@dataclass(frozen=True, slots=True)
class ClosedRow:
    """One of the first on a closed board who still appears on boards."""

    rank: int
    shared: bool
    pseudonym: str
    is_me: bool


@dataclass(frozen=True, slots=True)
class ClosedView:
    """A closed week or season as one member sees it; ``rank`` is their own place, None without one."""

    since: date
    until: date
    rank: int | None
    shared: bool
    first: tuple[ClosedRow, ...]


def closed(*, customer: Customer, period: str = Period.WEEK, limit: int = 4) -> list[ClosedView]:
    """The closed weeks or seasons of a member's brand, newest first: their place, and the first three.

    Empty for who is not on boards or works for the brand, and while the boards have fewer than ten members. Whoever has
    left, or works for the brand by now, is in none of it.
    """
    if not customer.on_boards:
        return []
    rows = execute(
        _CLOSED,
        {
            "brand": customer.brand_id,
            "customer": customer.pk,
            "period": Period(period).value,
            "limit": limit,
            "least": MEMBERS_LEAST,
        },
    )
    return [
        ClosedView(
            since,
            until,
            rank,
            bool(is_shared),
            tuple(ClosedRow(*cells) for cells in zip(*first, strict=True)) if first[0] else (),
        )
        for since, until, rank, is_shared, *first in rows
    ]


# Grain: one closed board that has places. Index: places by (board, rank), so that only the first few are read.
_CLOSED = """
WITH member AS (
    SELECT customer.id FROM accounts_customer AS customer
    WHERE customer.brand_id = %(brand)s AND customer.on_boards AND NOT EXISTS (
        SELECT FROM accounts_staffrole AS role
        WHERE role.brand_id = customer.brand_id AND role.user_id = customer.user_id)
),
board AS (
    SELECT * FROM scoring_closedboard AS board
    WHERE board.brand_id = %(brand)s AND board.period = %(period)s
        AND EXISTS (SELECT FROM scoring_closedplace AS place WHERE place.board_id = board.id)
        AND EXISTS (SELECT FROM member WHERE id = %(customer)s)
        AND (SELECT count(*) FROM (SELECT FROM member LIMIT %(least)s) AS enough) = %(least)s
    ORDER BY board.starts_on DESC LIMIT %(limit)s
)
SELECT board.starts_on, board.ends_on, mine.rank, mine.is_shared, first.ranks, first.shared, first.pseudonyms, first.own
FROM board
LEFT JOIN LATERAL (
    SELECT place.rank, EXISTS (
        SELECT FROM scoring_closedplace AS other
        WHERE other.board_id = place.board_id AND other.rank = place.rank AND other.customer_id <> place.customer_id
    ) AS is_shared
    FROM scoring_closedplace AS place WHERE place.board_id = board.id AND place.customer_id = %(customer)s
) AS mine ON TRUE
LEFT JOIN LATERAL (
    SELECT array_agg(rank) AS ranks, array_agg(is_shared) AS shared, array_agg(pseudonym) AS pseudonyms,
        array_agg(is_me) AS own
    FROM (
        SELECT place.rank, customer.pseudonym, customer.id = %(customer)s AS is_me, EXISTS (
            SELECT FROM scoring_closedplace AS other
            WHERE other.board_id = place.board_id AND other.rank = place.rank
                AND other.customer_id <> place.customer_id
        ) AS is_shared
        FROM scoring_closedplace AS place JOIN accounts_customer AS customer ON customer.id = place.customer_id
        WHERE place.board_id = board.id AND customer.on_boards AND NOT EXISTS (
            SELECT FROM accounts_staffrole AS role
            WHERE role.brand_id = customer.brand_id AND role.user_id = customer.user_id)
        ORDER BY place.rank, customer.pseudonym COLLATE "C", customer.id LIMIT 3
    ) AS top
) AS first ON TRUE
ORDER BY board.starts_on DESC
"""
