"""The weekly rhythm: on how many days a week a customer means to be active, and how it goes.

It is the customer's own affair: it gives no points, and rests by itself. A week below the choice is a rest week, and
two of any eight weeks may be. After more than that the rhythm begins again with the next week that is kept; nothing is
lost that was ever given. A week in which none was chosen counts neither way. Dates are the brand's local dates.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from django.db import transaction

from accounts.models import Customer

from .facts import COUNTED
from .models import Rhythm
from .statements import brand_time, execute

DAYS_MOST = 3
RESTS_MOST = 2
RESTS_WITHIN = 8
SHOWN = 12
# So far back the weeks that were kept are counted.
WEEKS_MOST = 104
_WEEK = timedelta(days=7)


class WeekState(StrEnum):
    """What a week was. The present one is ``open`` until it is kept."""

    KEPT = "kept"
    REST = "rest"
    OPEN = "open"
    FREE = "free"
    """No rhythm was chosen."""


@dataclass(frozen=True, slots=True)
class Week:
    """One week from its Monday: on how many days the customer was active, of how many meant."""

    starts_on: date
    state: WeekState
    active: int
    days: int


@dataclass(frozen=True, slots=True)
class RhythmView:
    """A customer's rhythm on a day. ``days`` is 0 where none is chosen.

    ``active`` are the weekdays of this week with an accepted action, 0 for Monday. ``kept`` weeks are those since the
    rhythm began (again), with ``rests`` rest weeks among them. ``weeks`` are the last twelve, this one last.
    ``days_next`` is the choice that holds from the Monday ``next_on``, None where it stays.
    """

    days: int
    active: tuple[int, ...]
    is_met: bool
    kept: int
    rests: int
    weeks: tuple[Week, ...]
    days_next: int | None
    next_on: date


def rhythm_of(*, customer: Customer, on: date) -> RhythmView:
    """How the customer's rhythm goes on a local date."""
    monday = on - timedelta(days=on.weekday())
    with brand_time(customer.brand):
        rows = execute(
            _WEEKS,
            {
                "customer": customer.pk,
                "on": on,
                "monday": monday,
                "shown": monday - (SHOWN - 1) * _WEEK,
                "least": monday - (WEEKS_MOST - 1) * _WEEK,
            },
        )
    *_past, (_monday, days, active, days_next) = rows
    weeks, kept, rests = _told([(row[0], row[1], len(row[2])) for row in rows])
    return RhythmView(
        days=days,
        active=tuple(active),
        is_met=0 < days <= len(active),
        kept=kept,
        rests=rests,
        weeks=tuple(weeks[-SHOWN:]),
        days_next=days_next,
        next_on=monday + _WEEK,
    )


def _told(rows: Sequence[tuple[date, int, int]]) -> tuple[list[Week], int, int]:
    """The weeks with what each was, and how many are kept and rested since the rhythm began; the last is present."""
    weeks, kept, rests = [], 0, 0
    recent: deque[bool] = deque(maxlen=RESTS_WITHIN)
    for place, (starts_on, days, active) in enumerate(rows, start=1):
        if not days:
            state = WeekState.FREE
        elif active >= days:
            state, kept = WeekState.KEPT, kept + 1
            recent.append(False)
        elif place == len(rows):
            state = WeekState.OPEN
        else:
            state = WeekState.REST
            recent.append(True)
            rests += 1
            if not kept or sum(recent) > RESTS_MOST:
                kept = rests = 0
                recent.clear()
        weeks.append(Week(starts_on, state, active, days))
    return weeks, kept, rests


# Grain: one week up to the present one, twelve at least. Index: action by identifier and moment.
_WEEKS = f"""
WITH choice AS (SELECT starts_on, days FROM scoring_rhythm WHERE customer_id = %(customer)s),
beginning AS (
    SELECT greatest(least(min(starts_on), %(shown)s::date), %(least)s::date) AS monday FROM choice
),
active AS (
    SELECT DISTINCT action.occurred_at::date AS day
    FROM beginning CROSS JOIN accounts_identifier AS identifier
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    WHERE identifier.customer_id = %(customer)s AND {COUNTED}
        -- A day to spare on both sides for the index: a midnight may come twice.
        AND action.occurred_at >= beginning.monday - 1 AND action.occurred_at < %(on)s::date + 2
        AND action.occurred_at::date BETWEEN beginning.monday AND %(on)s
        AND NOT EXISTS (
            SELECT FROM scoring_amendment AS amendment
            WHERE amendment.action_id = action.id AND amendment.type = 'void')
        AND (action.state = 'accepted' OR (
            SELECT amendment.accepted FROM scoring_amendment AS amendment
            WHERE amendment.action_id = action.id AND amendment.type = 'decision'
            ORDER BY amendment.at, amendment.external_id LIMIT 1))
)
SELECT week.monday, coalesce((
        SELECT choice.days FROM choice WHERE choice.starts_on <= week.monday ORDER BY choice.starts_on DESC LIMIT 1
    ), 0)::int,
    ARRAY(
        SELECT active.day - week.monday FROM active
        WHERE active.day >= week.monday AND active.day < week.monday + 7 ORDER BY active.day
    ),
    (SELECT choice.days::int FROM choice WHERE choice.starts_on > %(monday)s::date)
FROM beginning CROSS JOIN LATERAL (
    SELECT moment::date AS monday
    FROM generate_series(beginning.monday::timestamp, %(monday)s::timestamp, INTERVAL '7 days') AS moment
) AS week
ORDER BY week.monday
"""  # noqa: S608


@transaction.atomic
def choose_rhythm(*, customer: Customer, days: int, on: date) -> None:
    """Choose 1 to 3 days a week, or 0 for no rhythm; may run twice.

    A first choice and a lighter one hold for this whole week already, a heavier one from next Monday: no week becomes
    harder while it runs. A choice that was still to come is replaced.
    """
    if not 0 <= days <= DAYS_MOST:
        raise ValueError(f"a rhythm is of at most {DAYS_MOST} days a week")
    monday = on - timedelta(days=on.weekday())
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    choices = Rhythm.objects.filter(customer=customer)
    choices.filter(starts_on__gt=monday).delete()
    held = choices.order_by("-starts_on").values_list("days", flat=True).first() or 0
    if days == held:
        return
    starts_on = monday + _WEEK if 0 < held < days else monday
    Rhythm.objects.bulk_create(
        [Rhythm(customer=customer, starts_on=starts_on, days=days)],
        update_conflicts=True,
        unique_fields=["customer", "starts_on"],
        update_fields=["days"],
    )
