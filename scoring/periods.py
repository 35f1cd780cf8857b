"""The periods that limits, combos and streaks count in, all on the brand's local date.

Weeks run from Monday to Sunday. In SQL a period is its ordinal: a whole number that grows by
one from each period to the next, so that neighbours can be told.
"""

from datetime import date, timedelta

from psycopg import sql

PERIODS = ("day", "week", "month", "year", "ever")
# 1 January of the year 1 was a Monday in the proleptic Gregorian calendar.
_ORDINALS = {
    "day": "({date} - DATE '0001-01-01')",
    "week": "(({date} - DATE '0001-01-01') / 7)",
    "month": "(date_part('year', {date}) * 12 + date_part('month', {date}))::int",
    "year": "date_part('year', {date})::int",
    "ever": "0",
}
_STARTS = {
    "day": "{date}",
    "week": "({date} - (({date} - DATE '0001-01-01') %% 7))",
    "month": "date_trunc('month', {date}::timestamp)::date",
    "year": "date_trunc('year', {date}::timestamp)::date",
    "ever": "DATE '-infinity'",
}
_ENDS = {
    "day": "{date}",
    "week": "({date} - (({date} - DATE '0001-01-01') %% 7) + 6)",
    "month": "(date_trunc('month', {date}::timestamp) + INTERVAL '1 month - 1 day')::date",
    "year": "(date_trunc('year', {date}::timestamp) + INTERVAL '1 year - 1 day')::date",
    "ever": "DATE 'infinity'",
}


def ordinal_of(per: str, date: sql.Composable) -> sql.Composable:
    """SQL for the ordinal of the period that holds a local date."""
    return sql.SQL(_ORDINALS[per]).format(date=date)


def start_of(per: str, date: sql.Composable) -> sql.Composable:
    """SQL for the first local date of the period that holds a local date."""
    return sql.SQL(_STARTS[per]).format(date=date)


def end_of(per: str, date: sql.Composable) -> sql.Composable:
    """SQL for the last local date of the period that holds a local date."""
    return sql.SQL(_ENDS[per]).format(date=date)


def next_start(per: str, on: date) -> date | None:
    """The first local date of the period after the one that holds ``on``; None where there is none."""
    match per:
        case "day":
            return on + timedelta(days=1)
        case "week":
            return on + timedelta(days=7 - on.weekday())
        case "month":
            return (on.replace(day=1) + timedelta(days=32)).replace(day=1)
        case "year":
            return date(on.year + 1, 1, 1)
        case "ever":
            return None
        case _:
            raise ValueError(per)
