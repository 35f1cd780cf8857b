"""The rows of each list: one statement, read by the page that shows it and by the file that holds it.

So a file holds exactly whom the page shows, with the same filters, in the same order. Whom a list may hold, and whether
their addresses, its audience says (``accounts.consent``); nothing here finds customers in another way.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from psycopg import sql
from psycopg.rows import dict_row

from accounts.consent import Audience
from scoring.models import Source


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in files and whether its cells are texts (that people may have written)."""

    name: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows of a list as a statement, with what its file must say of itself.

    ``statement`` selects ``columns``, in that order, and sorts them; ``parameters`` are its named
    parameters. Reading it twice gives the same rows as long as nothing was scored in between.
    """

    name: str
    columns: Sequence[Column]
    statement: sql.Composed
    parameters: dict[str, Any]
    as_of: datetime.date
    rule_set_version: int | None

    def file_name(self, extension: str) -> str:
        """Such as ``corner-coffee-top-customers-2026-11-23-rules-4.csv``."""
        version = "none" if self.rule_set_version is None else self.rule_set_version
        return f"{self.name}-{self.as_of.isoformat()}-rules-{version}.{extension}"

    def rows(self) -> list[dict[str, Any]]:
        """The rows, all at once: for a page of them."""
        connection.ensure_connection()
        with connection.connection.cursor(row_factory=dict_row) as cursor:
            return list(cursor.execute(self.statement, self.parameters))


SORTS: dict[str, sql.SQL] = {
    "score": sql.SQL("ranked.score DESC"),
    "points": sql.SQL("ranked.points DESC"),
    "active": sql.SQL("active.active_on DESC NULLS LAST"),
    "joined": sql.SQL("customer.joined_at DESC NULLS LAST"),
    **{source.slug: sql.SQL(f"ranked.sub_scores[{source.value}] DESC") for source in Source},
}


@dataclass(frozen=True, slots=True)
class TopCustomersFilter:
    """Which customers of the list, and in which order. Empty: everyone, best first."""

    score: int | None = None
    sub_scores: dict[Source, int] = field(default_factory=dict)
    joined: bool | None = None
    active_days: int | None = None
    sort: str = "score"


TOP_CUSTOMERS = (
    Column("rank"),
    Column("customer", is_text=True),
    Column("pseudonym", is_text=True),
    Column("email", is_text=True),
    Column("score"),
    *(Column(source.slug) for source in Source),
    Column("points"),
    Column("last_active_on"),
    Column("joined_on"),
)


def top_customers(
    *,
    audience: Audience,
    chosen: TopCustomersFilter,
    as_of: datetime.date,
    rule_set_version: int | None,
    limit: int | None = None,
    offset: int = 0,
) -> Dataset:
    """An audience by score. Ranks are those among everyone of the brand, whoever is left out.

    The last active day is the last local day whose actions earned points. A file has a column of addresses only where
    the audience has addresses; a page, which has a ``limit``, always has one, for its caller to mask.
    """
    # Grain: a customer. ``ranked`` reads the brand's scores in the order of their index; the rest
    # hangs on the rows that the filter and the page let through. May run at any time, twice too.
    statement = sql.SQL(
        """
        WITH ranked AS (
            SELECT score.customer_id, score.score, score.points, score.sub_scores,
                   rank() OVER (ORDER BY score.score DESC) AS rank
            FROM scoring_score AS score
            WHERE score.brand_id = %(brand)s
        ),
        chosen AS (
            SELECT ranked.*, customer.public_id, customer.pseudonym, customer.user_id,
                   customer.joined_at, row_number() OVER (ORDER BY {order}, ranked.customer_id) AS place
            FROM ranked
            JOIN accounts_customer AS customer ON customer.id = ranked.customer_id
            {activity}
            WHERE {predicates}
            ORDER BY place
            LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT chosen.rank,
               chosen.public_id::text AS customer,
               chosen.pseudonym,
               {email}
               chosen.score,
               {sub_scores},
               chosen.points,
               active.active_on AS last_active_on,
               (chosen.joined_at AT TIME ZONE %(zone)s)::date AS joined_on{key}
        FROM chosen
        LEFT JOIN accounts_user AS login ON login.id = chosen.user_id
        {mail}
        LEFT JOIN {active}
        ORDER BY chosen.place
        """
    )
    brand, is_page = audience.brand, limit is not None
    with_email = is_page or audience.has_addresses
    predicates, parameters = _predicates(audience, chosen, as_of)
    parameters |= {"zone": brand.time_zone, "limit": limit, "offset": offset}
    composed = statement.format(
        order=SORTS[chosen.sort],
        activity=sql.SQL(ACTIVITY) if chosen.sort == "active" else sql.SQL(""),
        predicates=sql.SQL(" AND ").join(predicates),
        sub_scores=sql.SQL(", ").join(
            # Rounded as binary floats: a sub-score is one, and numerics take ten times as long.
            sql.SQL("round(chosen.sub_scores[{}] * 1000) / 1000 AS {}").format(
                sql.Literal(source.value), sql.Identifier(source.slug)
            )
            for source in Source
        ),
        # Who agreed to be written to has joined, with an address.
        email=sql.SQL(
            "coalesce(login.email, mail.value, '') AS email,"
            if is_page
            else ("login.email," if with_email else "")
        ),
        mail=sql.SQL(MAIL_OF_ONE if is_page else ""),
        # A page looks up each last day; a file joins them all at once.
        active=sql.SQL(ACTIVE_OF_ONE if is_page else ACTIVE_OF_ALL),
        key=sql.SQL(", chosen.customer_id" if is_page else ""),
    )
    return Dataset(
        name="-".join(
            filter(None, [brand.slug, "top-customers", audience.purpose, audience.channel])
        ),
        columns=[column for column in TOP_CUSTOMERS if with_email or column.name != "email"],
        statement=composed,
        parameters=parameters,
        as_of=as_of,
        rule_set_version=rule_set_version,
    )


def _predicates(
    audience: Audience, chosen: TopCustomersFilter, as_of: datetime.date
) -> tuple[list[sql.SQL], dict[str, Any]]:
    """Which rows of ``ranked`` and their ``customer`` are in the list, and the parameters of that."""
    predicates = [audience.is_member]
    parameters: dict[str, Any] = {"brand": audience.brand.pk}
    if chosen.score is not None:
        predicates.append(sql.SQL("ranked.score >= %(score)s"))
        parameters["score"] = chosen.score
    for source, least in chosen.sub_scores.items():
        predicates.append(sql.SQL(f"ranked.sub_scores[{source.value}] >= %({source.slug})s"))
        parameters[source.slug] = least
    if chosen.joined is not None:
        predicates.append(
            sql.SQL("customer.user_id IS NOT NULL" if chosen.joined else "customer.user_id IS NULL")
        )
    if chosen.active_days is not None:
        predicates.append(
            sql.SQL(
                "EXISTS (SELECT FROM scoring_dailypoints AS daily"
                " WHERE daily.customer_id = ranked.customer_id AND daily.local_date > %(since)s)"
            )
        )
        parameters["since"] = as_of - datetime.timedelta(days=chosen.active_days)
    return predicates, parameters


ACTIVE_OF_ONE = """LATERAL (
            SELECT max(daily.local_date) AS active_on
            FROM scoring_dailypoints AS daily
            WHERE daily.customer_id = chosen.customer_id
        ) AS active ON true"""
ACTIVE_OF_ALL = """(
            SELECT daily.customer_id, max(daily.local_date) AS active_on
            FROM scoring_dailypoints AS daily
            JOIN scoring_score AS score ON score.customer_id = daily.customer_id
            WHERE score.brand_id = %(brand)s
            GROUP BY daily.customer_id
        ) AS active ON active.customer_id = chosen.customer_id"""
# The last active day as something to sort by, before the page is cut.
ACTIVITY = f"LEFT JOIN {ACTIVE_OF_ALL.replace('chosen.', 'ranked.')}"
MAIL_OF_ONE = """LEFT JOIN LATERAL (
            SELECT min(identifier.value) AS value
            FROM accounts_identifier AS identifier
            WHERE identifier.customer_id = chosen.customer_id AND identifier.scheme = 'email'
        ) AS mail ON true"""


def members_of_top_customers(
    *, audience: Audience, chosen: TopCustomersFilter, as_of: datetime.date
) -> list[int]:
    """The ids of those whom the filter lets through."""
    return [row[0] for row in _members(sql.SQL("ranked.customer_id"), audience, chosen, as_of)]


def count_top_customers(
    *, audience: Audience, chosen: TopCustomersFilter, as_of: datetime.date
) -> int:
    """How many the filter lets through."""
    [(count,)] = _members(sql.SQL("count(*)"), audience, chosen, as_of)
    return int(count)


def _members(
    what: sql.SQL, audience: Audience, chosen: TopCustomersFilter, as_of: datetime.date
) -> list[tuple[int]]:
    predicates, parameters = _predicates(audience, chosen, as_of)
    # Grain: a customer with a score. Index: scores of a brand.
    statement = sql.SQL(
        """
        SELECT {what} FROM scoring_score AS ranked
        JOIN accounts_customer AS customer ON customer.id = ranked.customer_id
        WHERE ranked.brand_id = %(brand)s AND {predicates}
        """
    ).format(what=what, predicates=sql.SQL(" AND ").join(predicates))
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        return list(cursor.execute(statement, parameters).fetchall())
