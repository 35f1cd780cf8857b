"""Limits of earn and bonus rules: what a period lets through, counted in order.

Up to two limits apply in order; the second sees only what the first left over. ``Counter`` says
which actions share one running count: those of all stages of a rule whose limits have equal
place in the list, ``per`` and ``by``, each action held against the numbers of its own stage.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from .conditions import Condition, field_name, field_sql, literal, type_of_field
from .facts import earlier_facts
from .periods import PERIODS, ordinal_of
from .problems import Problem, Reader
from .relations import TERM_HAS_KIND, TERM_MATCHES, Compilation, Family, Relation, values, window_of
from .scopes import Days, Scope
from .vocabulary import Kind, Vocabulary
from .words import all_of, figure, points

if TYPE_CHECKING:
    from .rules.base import RuleStage

AT_MOST = {
    "day": _("at most %(amount)s a day"),
    "week": _("at most %(amount)s a week"),
    "month": _("at most %(amount)s a month"),
    "year": _("at most %(amount)s a year"),
    "ever": _("at most %(amount)s in all"),
}
AT_MOST_BY = {
    "day": _("at most %(amount)s a day and %(field)s"),
    "week": _("at most %(amount)s a week and %(field)s"),
    "month": _("at most %(amount)s a month and %(field)s"),
    "year": _("at most %(amount)s a year and %(field)s"),
    "ever": _("at most %(amount)s in all for each %(field)s"),
}
LIMITS_MAX = 2
# More than there are days until the year 10000.
BUCKET = 4_000_000
# What the lines of a receipt are told of each limit.
LINE_COLUMNS = (
    "count_1",
    "points_1",
    "place_1",
    "kept_1",
    "count_2",
    "points_2",
    "place_2",
    "kept_2",
)
# The same, of a rule type without limits.
NO_LIMITS = sql.SQL("").join(
    sql.SQL(", NULL::bigint AS {}").format(sql.Identifier(column)) for column in LINE_COLUMNS
)
NO_JOINS = sql.SQL("")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. ``by`` is ``customer``, or a field that divides the customer's actions further."""

    per: str
    by: str
    count: int | None
    points: int | None
    by_type: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The limit as it stands in the rule set document."""
        document: dict[str, Any] = {"per": self.per}
        if self.by != "customer":
            document["by"] = self.by
        if self.count is not None:
            document["count"] = self.count
        if self.points is not None:
            document["points"] = self.points
        return document

    def sentence(self) -> str:
        """The limit in words, such as “at most once a day and venue”."""
        amounts = []
        if self.count == 1:
            amounts.append(gettext("once"))
        elif self.count is not None:
            amounts.append(
                ngettext("%(count)s time", "%(count)s times", self.count)
                % {"count": figure(self.count)}
            )
        if self.points is not None:
            amounts.append(points(self.points))
        words = {"amount": all_of(amounts), "field": field_name(self.by)}
        if self.by == "customer":
            return str(AT_MOST[self.per] % words)
        return str(AT_MOST_BY[self.per] % words)


def parse_limits(
    items: Sequence[tuple[str, Any]],
    kinds: Sequence[Kind],
    vocabulary: Vocabulary,
    problems: list[Problem],
) -> tuple[Limit, ...]:
    """Read the limits of a rule; problems are collected with their places."""
    if len(items) > LIMITS_MAX:
        problems.append(Problem(items[LIMITS_MAX][0], gettext("a rule carries at most two limits")))
    limits = []
    for place, item in items[:LIMITS_MAX]:
        reader = Reader.of(place, item, problems)
        per = reader.choice("per", PERIODS)
        by = reader.text("by", default="customer")
        count = reader.optional_whole("count", least=1)
        points = reader.optional_whole("points", least=1)
        reader.done()
        if count is None and points is None and not {"count", "points"} & reader.source.keys():
            reader.problem("count", gettext("a limit needs count or points or both"))
        by_type = None
        if by != "customer":
            try:
                by_type = type_of_field(by, kinds, vocabulary)
            except ValueError:
                reader.problem(
                    "by", gettext("%(by)s has different types in these kinds") % {"by": by}
                )
            else:
                if by_type is None:
                    reader.problem(
                        "by", gettext("must be customer or one field; it is %(by)r") % {"by": by}
                    )
        limits.append(Limit(per, by, count, points, by_type))
    return tuple(limits)


@dataclass(frozen=True, slots=True)
class Counter:
    """One running count: ``id`` is unique within a compiled rule set."""

    id: int
    per: str
    by: str
    by_type: str | None


class LimitedStage(Protocol):
    """A stage whose matching actions get points that limits then cut."""

    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    limits: tuple[Limit, ...]


def limited(stage: "RuleStage") -> LimitedStage:
    """The stage as one with limits; TypeError for a rule type that has none."""
    if not hasattr(stage, "limits"):
        raise TypeError(type(stage))
    return cast("LimitedStage", stage)


def scope_of(family: Family, changed: Days) -> Scope:
    """The scope of a rule with limits, where what comes in before them changed in ``changed``.

    Each limit carries a change on to the whole periods that it reaches, and the next limit from there.
    """
    places = _periods_by_place(family)
    is_seeded = any("ever" in pers for pers in places) and all(
        limit.per != "ever" or (place == 0 and limit.by == "customer" and limit.points is None)
        for _number, stage in family.stages
        for place, limit in enumerate(limited(stage).limits)
    )
    writes = changed
    for pers in places:
        writes = writes.widened(pers - {"ever"})
        if "ever" in pers:
            writes = writes.onwards()
    return Scope(read_for(family, writes, is_seeded=is_seeded), writes, is_seeded)


def read_for(family: Family, days: Days, *, is_seeded: bool) -> Days:
    """What must be read to know what a rule's limits let through on these days: from the last limit to the first."""
    for pers in reversed(_periods_by_place(family)):
        days = days.widened(pers - {"ever"})
        if "ever" in pers and not is_seeded:
            days = days.from_the_beginning()
    return days


def _periods_by_place(family: Family) -> list[set[str]]:
    """For each place in the lists of limits, the periods that any stage counts in there."""
    lists = [limited(stage).limits for _number, stage in family.stages]
    return [
        {limits[place].per for limits in lists if place < len(limits)}
        for place in range(max(len(limits) for limits in lists))
    ]


def limited_relation(
    name: str,
    compilation: Compilation,
    *,
    columns: Sequence[tuple[str, str]],
    cells: Callable[["RuleStage"], tuple[Any, ...]],
    raw: sql.Composable,
    joins: sql.Composable = NO_JOINS,
) -> Relation:
    """The relation of a rule type with limits.

    ``columns`` are the type's own columns of ``term`` and ``cells`` their values for a stage;
    ``raw`` is SQL for what a matching action earns before limits.
    Rules are taken in groups that need the same windows, so that what has no limit is never sorted and what is
    only counted is not summed.
    """
    groups: dict[tuple[tuple[bool, bool], ...], list[Family]] = {}
    for family in compilation.families[name]:
        groups.setdefault(_shape_of(family), []).append(family)
    ctes: list[tuple[str, sql.Composable]] = []
    ends = []
    for number, (shape, group) in enumerate(sorted(groups.items())):
        pipeline = _Pipeline(f"{name}_{number}", compilation, group)
        ctes += pipeline.ctes(columns, cells, raw, joins, len(shape))
        ends.append(pipeline.end(len(shape)))
    ctes.append((name, sql.SQL("\n    UNION ALL ").join(ends)))
    return Relation(tuple(ctes), name)


def _shape_of(family: Family) -> tuple[tuple[bool, bool], ...]:
    """Which windows a rule needs: for each place in its list of limits, whether any counts, and any sums."""
    lists = [limited(stage).limits for _number, stage in family.stages]
    return tuple(
        (
            any(limits[place].count is not None for limits in lists if place < len(limits)),
            any(limits[place].points is not None for limits in lists if place < len(limits)),
        )
        for place in range(max(len(limits) for limits in lists))
    )


@dataclass(slots=True)
class _Pipeline:
    """The CTEs of the rules with equally many limits: match, then count and keep for each limit."""

    name: str
    compilation: Compilation
    families: Sequence[Family]
    columns: list[str] = field(default_factory=list)

    def ctes(
        self,
        columns: Sequence[tuple[str, str]],
        cells: Callable[["RuleStage"], tuple[Any, ...]],
        raw: sql.Composable,
        joins: sql.Composable,
        most: int,
    ) -> list[tuple[str, sql.Composable]]:
        counters: list[dict[tuple[str, tuple[str, str]], Counter]] = [{} for _place in range(most)]
        all_columns = [
            ("kind_id", "bigint"),
            ("rule_id", "bigint"),
            ("stage", "int"),
            ("source", "int"),
            ("starts", "timestamptz"),
            ("ends", "timestamptz"),
            *columns,
        ]
        for place in range(1, most + 1):
            all_columns += [
                (f"counter_{place}", "int"),
                (f"per_{place}", "text"),
                (f"count_{place}", "int"),
                (f"points_{place}", "bigint"),
            ]
        rows = []
        words = self.compilation.vocabulary
        for family in self.families:
            for number, stage in family.stages:
                limit_cells: list[Any] = []
                for place in range(most):
                    limits = limited(stage).limits
                    if place >= len(limits):
                        limit_cells += [None, None, None, None]
                        continue
                    counter = self._counter(counters[place], family, limits[place])
                    limit_cells += [
                        counter.id,
                        counter.per,
                        limits[place].count,
                        limits[place].points,
                    ]
                for slug in limited(stage).kinds:
                    kind = words.kinds[slug]
                    rows.append(
                        (
                            kind.id,
                            family.rule_id,
                            number,
                            kind.source.value,
                            *window_of(stage),
                            *cells(stage),
                            *limit_cells,
                        )
                    )
        conditions = [
            (number, limited(stage).conditions)
            for family in self.families
            for number, stage in family.stages
        ]
        term = values(all_columns, rows)
        where = self.compilation.matches("stage", conditions)
        # What is sorted by comes first and texts come last: PostgreSQL finds the columns of a tuple by going through
        # those before them, and it sorts whole tuples.
        keys = [
            part
            for place in range(1, most + 1)
            for part in (
                sql.SQL("{} AS {}").format(
                    _bucket(place, counters[place - 1].values()), sql.Identifier(f"bucket_{place}")
                ),
            )
        ]
        seen = [
            column
            for place, limits in enumerate(counters, start=1)
            for column in (
                sql.SQL("term.{}").format(sql.Identifier(f"count_{place}")),
                sql.SQL("term.{}").format(sql.Identifier(f"points_{place}")),
                *(
                    [
                        sql.SQL("{} AS {}").format(
                            _group(place, limits.values(), self.compilation),
                            sql.Identifier(f"group_{place}"),
                        )
                    ]
                    if any(counter.by != "customer" for counter in limits.values())
                    else []
                ),
            )
        ]
        ordering: list[sql.Composable] = []
        if most:
            self.compilation.ask("origin", "external_id")
            ordering = [sql.SQL("fact.origin"), sql.SQL("fact.external_id")]
        extra: list[sql.Composable] = [sql.SQL("term.stage")] if self.compilation.with_lines else []
        if self.compilation.families["bonus"]:
            extra.append(sql.SQL("fact.kind_id"))
        if self.compilation.is_scoped:
            extra.append(sql.SQL("{} AS is_written").format(self.compilation.is_written()))
        self.columns = ["customer_id", "action_id", "rule_id", "source", "local_date", "raw"]
        self.columns += ["stage"] if self.compilation.with_lines else []
        self.columns += ["kind_id"] if self.compilation.families["bonus"] else []
        self.columns += ["is_written"] if self.compilation.is_scoped else []
        match = sql.SQL("""
    SELECT {columns}
    FROM fact JOIN {term} ON {joined}{joins}
    WHERE {where}
""").format(
            columns=sql.SQL(", ").join(
                [
                    sql.SQL("fact.customer_id"),
                    *keys,
                    *([sql.SQL("fact.occurred_at")] if most else []),
                    sql.SQL("fact.action_id, term.rule_id, term.source, fact.local_date"),
                    sql.SQL("{} AS raw").format(raw),
                    *extra,
                    *seen,
                    *ordering,
                ]
            ),
            term=term,
            joined=self.compilation.term_join(),
            joins=joins,
            where=where,
        )
        ctes: list[tuple[str, sql.Composable]] = [(f"{self.name}_match", match)]
        seed = self._seed(counters, rows, all_columns, conditions) if most else None
        if seed is not None:
            ctes.append((f"{self.name}_seed", seed))
        before = f"{self.name}_match"
        for place in range(1, most + 1):
            at_place = [
                limit
                for family in self.families
                for _number, stage in family.stages
                for limit in limited(stage).limits[place - 1 : place]
            ]
            ctes += self._limit(place, before, at_place, is_seeded=seed is not None and place == 1)
            before = f"{self.name}_kept_{place}"
        return ctes

    def end(self, most: int) -> sql.Composable:
        """What the pipeline ends in, with the columns of a relation."""
        seen: sql.Composable = sql.SQL("")
        if self.compilation.with_lines:
            seen = sql.SQL("").join(
                sql.SQL(", {} AS {}").format(
                    sql.Identifier(column) if int(column[-1]) <= most else sql.SQL("NULL::bigint"),
                    sql.Identifier(column),
                )
                for column in LINE_COLUMNS
            )
        return sql.SQL("SELECT {}, {} AS points{} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            sql.SQL("coalesce({}, 0)").format(sql.Identifier(f"kept_{most}"))
            if most
            else sql.SQL("raw"),
            seen,
            sql.Identifier(f"{self.name}_kept_{most}" if most else f"{self.name}_match"),
        )

    def _counter(
        self,
        known: dict[tuple[str, tuple[str, str]], Counter],
        family: Family,
        limit: Limit,
    ) -> Counter:
        identity = (family.key, (limit.per, limit.by))
        if identity not in known:
            known[identity] = Counter(
                self.compilation.next_counter(), limit.per, limit.by, limit.by_type
            )
        return known[identity]

    def _limit(
        self, place: int, before: str, limits: Sequence[Limit], *, is_seeded: bool
    ) -> list[tuple[str, sql.Composable]]:
        """The place of each action in its group, the running total, and what the limit keeps.

        What comes in is ``raw`` or what the limit before kept; NULL is an action that was dropped
        and is no longer seen. Both windows have one order, so that the rows are sorted once; a
        window that no limit here needs is left out.
        """
        names = {
            key: sql.Identifier(f"{key}_{place}")
            for key in ("count", "points", "place", "total", "kept", "bucket")
        }
        incoming = sql.SQL("raw") if place == 1 else sql.Identifier(f"kept_{place - 1}")
        is_grouped = any(limit.by != "customer" for limit in limits)
        window = sql.SQL(
            "PARTITION BY customer_id, {bucket}{group} ORDER BY occurred_at, origin, external_id "
            "ROWS UNBOUNDED PRECEDING"
        ).format(
            group=sql.SQL(", {}").format(sql.Identifier(f"group_{place}"))
            if is_grouped
            else sql.SQL(""),
            **names,
        )
        ctes: list[tuple[str, sql.Composable]] = []
        beyond: sql.Composable = sql.SQL("FALSE")
        if any(limit.count is not None for limit in limits):
            seed: sql.Composable = sql.SQL("")
            source: sql.Composable = sql.Identifier(before)
            if is_seeded:
                seed = sql.SQL(" + coalesce(seed_count, 0)")
                source = sql.SQL("{} LEFT JOIN {} USING (customer_id, {})").format(
                    source, sql.Identifier(f"{self.name}_seed"), names["bucket"]
                )
            counted = sql.SQL("""
    SELECT *, count(*) FILTER (WHERE {incoming} IS NOT NULL AND {count} IS NOT NULL) OVER run{seed} AS {place}
    FROM {source}
    WINDOW run AS ({window})
""").format(incoming=incoming, seed=seed, source=source, window=window, **names)
            before = f"{self.name}_counted_{place}"
            ctes.append((before, counted))
            beyond = sql.SQL("coalesce({place} > {count}, FALSE)").format(**names)
        kept: sql.Composable = incoming
        if any(limit.points is not None for limit in limits):
            summed = sql.SQL("""
    SELECT *, (sum({incoming}) FILTER (WHERE {points} IS NOT NULL AND NOT {beyond}) OVER run)::bigint AS {total}
    FROM {source}
    WINDOW run AS ({window})
""").format(
                incoming=incoming,
                beyond=beyond,
                source=sql.Identifier(before),
                window=window,
                **names,
            )
            before = f"{self.name}_summed_{place}"
            ctes.append((before, summed))
            kept = sql.SQL(
                "CASE WHEN {points} IS NULL OR {incoming} = 0 THEN {incoming} "
                "ELSE nullif(least({points}, {total}) - least({points}, {total} - {incoming}), 0) END"
            ).format(incoming=incoming, **names)
        place_seen: sql.Composable = sql.SQL("")
        if beyond == sql.SQL("FALSE"):
            place_seen = sql.SQL(", NULL::bigint AS {place}").format(**names)
        ctes.append(
            (
                f"{self.name}_kept_{place}",
                sql.SQL("""
    SELECT *{place_seen}, CASE WHEN {incoming} IS NULL OR {beyond} THEN NULL ELSE {kept_sql} END AS {kept}
    FROM {source}
""").format(
                    place_seen=place_seen,
                    incoming=incoming,
                    beyond=beyond,
                    kept_sql=kept,
                    source=sql.Identifier(before),
                    **names,
                ),
            )
        )
        return ctes

    def _seed(
        self,
        counters: Sequence[dict[tuple[str, tuple[str, str]], Counter]],
        rows: Sequence[tuple[Any, ...]],
        columns: Sequence[tuple[str, str]],
        conditions: Sequence[tuple[int, Sequence[Condition]]],
    ) -> sql.Composable | None:
        """How many matching actions lie before what is read, for counts that run for ever.

        Grain: a subject and a counter. No more are counted than the largest limit, so that a
        long history costs no more than a short one.
        """
        parts = []
        for family in self.families:
            scope = self.compilation.scopes.get(family.key)
            counter = counters[0].get((family.key, ("ever", "customer")))
            if scope is None or not scope.is_seeded or counter is None:
                continue
            counted = {
                number: limit.count
                for number, stage in family.stages
                for limit in limited(stage).limits[:1]
                if (limit.per, limit.by) == ("ever", "customer") and limit.count is not None
            }
            parts.append(
                sql.SQL("""
    SELECT key_scope.customer_id, {bucket}::bigint AS bucket_1, (
        SELECT count(*) FROM (
            SELECT FROM ({earlier}
            ) AS fact JOIN {term} ON {joined}
            WHERE {matches}
            LIMIT {most}
        ) AS earlier) AS seed_count
    FROM key_scope WHERE key_scope.rule_id = {rule}""").format(
                    bucket=sql.Literal(counter.id * BUCKET),
                    earlier=earlier_facts(
                        kinds=sorted(family.kind_ids(self.compilation.vocabulary)),
                        columns=self.compilation.columns,
                    ),
                    term=values(columns, [row for row in rows if row[2] in counted]),
                    joined=TERM_MATCHES if self.compilation.has_windows else TERM_HAS_KIND,
                    matches=self.compilation.matches(
                        "stage", [part for part in conditions if part[0] in counted]
                    ),
                    most=sql.Literal(max(counted.values())),
                    rule=sql.Literal(family.rule_id),
                )
            )
        return sql.SQL("\n    UNION ALL").join(parts) if parts else None


def _bucket(place: int, counters: Iterable[Counter]) -> sql.Composable:
    """SQL for one whole number that tells (counter, period) apart; NULL where the stage has no limit."""
    column = sql.Identifier(f"counter_{place}")
    date = sql.SQL("fact.local_date")
    pers = list(dict.fromkeys(counter.per for counter in counters))
    if len(pers) == 1:
        ordinal = ordinal_of(pers[0], date)
    else:
        ordinal = sql.SQL("CASE term.{} {} END").format(
            sql.Identifier(f"per_{place}"),
            sql.SQL(" ").join(
                sql.SQL("WHEN {} THEN {}").format(literal(per), ordinal_of(per, date))
                for per in pers
            ),
        )
    return sql.SQL("term.{}::bigint * {} + {}").format(column, sql.Literal(BUCKET), ordinal)


def _group(place: int, counters: Iterable[Counter], compilation: Compilation) -> sql.Composable:
    """SQL for the group within a period, as text; NULL is the group of those that lack the field."""
    for counter in counters:
        if counter.by != "customer":
            compilation.ask_for(counter.by)
    cases = [
        sql.SQL("WHEN {} THEN {}").format(
            sql.Literal(counter.id),
            _as_text(field_sql(counter.by, counter.by_type or "text"), counter),
        )
        for counter in counters
        if counter.by != "customer"
    ]
    return sql.SQL("CASE term.{} {} END").format(
        sql.Identifier(f"counter_{place}"), sql.SQL(" ").join(cases)
    )


def _as_text(value: sql.Composable, counter: Counter) -> sql.Composable:
    if counter.by_type == "number":
        return sql.SQL('trim_scale({})::text COLLATE "C"').format(value)
    return sql.SQL('({})::text COLLATE "C"').format(value)
