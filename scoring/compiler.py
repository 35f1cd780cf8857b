"""Rule set → one SELECT of awards. The same SELECT scores one customer, many, all, and a preview.

The statement is a chain of common table expressions named as nouns. It reads ``subject`` (who is
computed: ``customer_id`` and, where only some days changed, ``since`` and ``until``) and then also
``changed_kind`` (``customer_id`` and ``kind_id`` of what changed), which the caller puts before it. It
ends in ``award``: customer_id, action_id, rule_id, source, local_date, points. Stages are
numbered by their place in the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from .documents import RuleSetDocument
from .facts import amended, facts, supposed_facts
from .limits import LINE_COLUMNS
from .relations import Compilation, Family
from .rules import RULE_TYPES, RuleStage


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """A compiled rule set: the CTEs that follow ``subject``, up to and with ``award`` (or ``line``)."""

    document: RuleSetDocument
    rule_ids: Mapping[str, int]
    ctes: sql.Composable
    is_scoped: bool


def families_of(document: RuleSetDocument, rule_ids: Mapping[str, int]) -> dict[str, list[Family]]:
    """The rules of a document by type, the stages of each together."""
    by_key: dict[str, list[tuple[int, RuleStage]]] = {}
    for number, stage in enumerate(document.rules):
        by_key.setdefault(stage.key, []).append((number, stage))
    families: dict[str, list[Family]] = {name: [] for name in RULE_TYPES}
    for key, stages in by_key.items():
        families[stages[0][1].type].append(Family(key, rule_ids[key], tuple(stages)))
    return families


def compile_rules(
    document: RuleSetDocument, *, rule_ids: Mapping[str, int], scoped: bool = False
) -> CompiledRules:
    """Compile a rule set. ``rule_ids`` maps each key to its number in the ledger.

    With ``scoped`` the statement reads only what a change between ``since`` and ``until`` can
    bear on, and its awards are only those that such a change can move.
    """
    compilation = Compilation(document.vocabulary, scoped, families_of(document, rule_ids))
    chain = _chain(compilation)
    ends: list[sql.Composable] = [
        sql.SQL("SELECT {} FROM {} WHERE points > 0{}").format(
            sql.SQL(AWARD_COLUMNS),
            sql.Identifier(relation.name),
            sql.SQL(" AND is_written" if scoped else ""),
        )
        for relation in compilation.relations.values()
    ]
    awards = sql.SQL("{},\naward AS ({})").format(
        chain, sql.SQL("\n    UNION ALL ").join(ends or [_nothing(AWARD_COLUMNS)])
    )
    return CompiledRules(document, rule_ids, awards, scoped)


def compile_lines(
    document: RuleSetDocument, *, rule_ids: Mapping[str, int], supposed: bool = False
) -> CompiledRules:
    """The same rules, ending in ``line``: every match, also of 0 points, with what each limit saw.

    With ``supposed`` the subjects are scenarios, and the statement reads ``person`` and ``supposed`` (see
    ``scoring.suppose``).
    """
    compilation = Compilation(
        document.vocabulary,
        is_scoped=False,
        families=families_of(document, rule_ids),
        with_lines=True,
        is_supposed=supposed,
    )
    chain = _chain(compilation)
    columns = ", ".join((AWARD_COLUMNS, "stage", "raw", *LINE_COLUMNS))
    ends: list[sql.Composable] = [
        sql.SQL("SELECT {} FROM {}").format(sql.SQL(columns), sql.Identifier(relation.name))
        for relation in compilation.relations.values()
    ]
    lines = sql.SQL("{},\nline AS ({})").format(
        chain, sql.SQL("\n    UNION ALL ").join(ends or [_nothing(columns)])
    )
    return CompiledRules(document, rule_ids, lines, is_scoped=False)


AWARD_COLUMNS = "customer_id, action_id, rule_id, source, local_date, points"


def _nothing(columns: str) -> sql.Composable:
    """No rows of these columns, for a rule set without rules."""
    return sql.SQL("SELECT {} WHERE FALSE").format(
        sql.SQL(", ").join(
            sql.SQL("NULL::{} AS {}").format(
                sql.SQL("date" if column == "local_date" else "bigint"), sql.Identifier(column)
            )
            for column in columns.split(", ")
        )
    )


def _chain(compilation: Compilation) -> sql.Composable:
    """Every CTE from the scopes to the relations of the rule types."""
    if compilation.is_scoped:
        for name, rule_type in RULE_TYPES.items():
            for family in compilation.families[name]:
                compilation.scopes[family.key] = rule_type.scope(family, compilation)
        for name, rule_type in RULE_TYPES.items():
            for family in compilation.families[name]:
                compilation.scopes[family.key] = rule_type.widened_scope(family, compilation)
    for name, rule_type in RULE_TYPES.items():
        if compilation.families[name]:
            compilation.relations[name] = rule_type.relation(compilation)
    kinds = sorted(
        {
            kind
            for families in compilation.families.values()
            for family in families
            for kind in family.kind_ids(compilation.vocabulary)
        }
    )
    return sql.SQL(",").join(
        [
            *(_scopes(compilation) if compilation.is_scoped else []),
            *_facts(compilation, kinds),
            *(
                sql.SQL("\n{} AS {}({})").format(
                    sql.Identifier(name),
                    sql.SQL("MATERIALIZED " if name.endswith("_seed") else ""),
                    cte,
                )
                for relation in compilation.relations.values()
                for name, cte in relation.ctes
            ),
        ]
    )


def _facts(compilation: Compilation, kinds: list[int]) -> list[sql.Composable]:
    """The CTEs that end in ``fact``."""
    if compilation.is_supposed:
        return [
            amended(scoped=False, whose="person AS subject"),
            supposed_facts(kinds=kinds, columns=compilation.columns),
        ]
    return [
        amended(scoped=compilation.is_scoped),
        facts(kinds=kinds, columns=compilation.columns, scoped=compilation.is_scoped),
    ]


def _scopes(compilation: Compilation) -> list[sql.Composable]:
    """The days that each rule, and each kind for all rules, reads and writes.

    Grain: a subject and a rule; a subject and a kind. Most subjects of a run changed on the same days, so what
    these reach is computed once for each pair of days; the fence keeps it from being computed again.
    """
    families = [family for group in compilation.families.values() for family in group]
    days: sql.Composable = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}, {}, {}, {})").format(
            sql.Literal(family.rule_id),
            compilation.scopes[family.key].reads.first_sql(),
            compilation.scopes[family.key].reads.last_sql(),
            compilation.scopes[family.key].writes.first_sql(),
            compilation.scopes[family.key].writes.last_sql(),
            sql.Literal(compilation.scopes[family.key].is_seeded),
        )
        for family in families
    )
    kinds: sql.Composable = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(family.rule_id), sql.Literal(kind))
        for family in families
        for kind in sorted(family.kind_ids(compilation.vocabulary))
    )
    borne: sql.Composable = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(kind), sql.Literal(rule_id))
        for kind, rule_id in _bearing(compilation)
    )
    if not families:
        days = sql.SQL("(0, NULL::date, NULL::date, NULL::date, NULL::date, FALSE)")
        kinds = borne = sql.SQL("(0, 0)")
    return [
        sql.SQL("""
key_scope AS MATERIALIZED (
    SELECT subject.customer_id, reach.rule_id, reach.read_from, reach.read_until, reach.write_from, reach.write_until,
        reach.is_seeded
    FROM (
        SELECT DISTINCT changed_kind.customer_id, borne.rule_id
        FROM changed_kind JOIN (VALUES {borne}) AS borne (kind_id, rule_id) ON borne.kind_id = changed_kind.kind_id
    ) AS bearing
    JOIN subject ON subject.customer_id = bearing.customer_id
    JOIN (
        SELECT subject.since, subject.until, days.*
        FROM (SELECT DISTINCT since, until FROM subject) AS subject
        CROSS JOIN LATERAL (VALUES {days}) AS days (
            rule_id, read_from, read_until, write_from, write_until, is_seeded)
        OFFSET 0
    ) AS reach ON reach.since = subject.since AND reach.until = subject.until AND reach.rule_id = bearing.rule_id
)""").format(borne=borne, days=days),
        sql.SQL("""
kind_scope AS MATERIALIZED (
    SELECT key_scope.customer_id, kinds.kind_id,
        min(key_scope.read_from) AS read_from, max(key_scope.read_until) AS read_until
    FROM key_scope JOIN (VALUES {}) AS kinds (rule_id, kind_id) ON kinds.rule_id = key_scope.rule_id
    GROUP BY key_scope.customer_id, kinds.kind_id
)""").format(kinds),
    ]


def _bearing(compilation: Compilation) -> list[tuple[int, int]]:
    """Which rules must be computed when an action of a kind changes: pairs of a kind and a rule.

    Those that look at the kind; bonuses on any kind that shares a limit with it in an earn rule; and the
    earn rules that such a bonus adds to.
    """
    kinds_of = {
        family.rule_id: family.kind_ids(compilation.vocabulary)
        for families in compilation.families.values()
        for family in families
    }
    earns = [family.rule_id for family in compilation.families["earn"]]
    bonuses = [family.rule_id for family in compilation.families["bonus"]]
    pairs = []
    for kind in sorted(set().union(*kinds_of.values())):
        bearing = {rule_id for rule_id, kinds in kinds_of.items() if kind in kinds}
        moved = set().union({kind}, *(kinds_of[rule_id] for rule_id in earns if rule_id in bearing))
        touched = [rule_id for rule_id in bonuses if kinds_of[rule_id] & moved]
        read = [
            rule_id
            for rule_id in earns
            if any(kinds_of[rule_id] & kinds_of[bonus] for bonus in touched)
        ]
        pairs += [(kind, rule_id) for rule_id in sorted(bearing | set(touched) | set(read))]
    return pairs
