-- regular: Visit, 4 months in a row: 80 points
key_scope AS MATERIALIZED (
    SELECT subject.customer_id, reach.rule_id, reach.read_from, reach.read_until, reach.write_from, reach.write_until,
        reach.is_seeded
    FROM (
        SELECT DISTINCT changed_kind.customer_id, borne.rule_id
        FROM changed_kind JOIN (VALUES (2, 1)) AS borne (kind_id, rule_id) ON borne.kind_id = changed_kind.kind_id
    ) AS bearing
    JOIN subject ON subject.customer_id = bearing.customer_id
    JOIN (
        SELECT subject.since, subject.until, days.*
        FROM (SELECT DISTINCT since, until FROM subject) AS subject
        CROSS JOIN LATERAL (VALUES (1, DATE '-infinity', DATE 'infinity', date_trunc('month', subject.since::timestamp)::date, DATE 'infinity', false)) AS days (
            rule_id, read_from, read_until, write_from, write_until, is_seeded)
        OFFSET 0
    ) AS reach ON reach.since = subject.since AND reach.until = subject.until AND reach.rule_id = bearing.rule_id
),
kind_scope AS MATERIALIZED (
    SELECT key_scope.customer_id, kinds.kind_id,
        min(key_scope.read_from) AS read_from, max(key_scope.read_until) AS read_until
    FROM key_scope JOIN (VALUES (1, 2)) AS kinds (rule_id, kind_id) ON kinds.rule_id = key_scope.rule_id
    GROUP BY key_scope.customer_id, kinds.kind_id
),
amended AS (
    SELECT amendment.action_id,
        bool_or(amendment.type = 'void') AS is_void,
        (array_agg(amendment.quantity ORDER BY amendment.at DESC, amendment.external_id DESC)
            FILTER (WHERE amendment.type = 'correction'))[1] AS quantity,
        (array_agg(amendment.accepted ORDER BY amendment.at, amendment.external_id)
            FILTER (WHERE amendment.type = 'decision'))[1] AS is_accepted
    FROM subject
    CROSS JOIN LATERAL (
        SELECT one.id FROM accounts_identifier AS one WHERE one.customer_id = subject.customer_id OFFSET 0
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT one.* FROM scoring_amendment AS one WHERE one.identifier_id = identifier.id OFFSET 0
    ) AS amendment
    WHERE amendment.action_id IS NOT NULL
    GROUP BY amendment.action_id
),
fact AS MATERIALIZED (
    SELECT kind_scope.customer_id, action.id AS action_id, action.kind_id, action.occurred_at,
        action.occurred_at::date AS local_date, action.origin, action.external_id, identifier.sources_off
    FROM kind_scope
    CROSS JOIN LATERAL (
        SELECT one.id, one.counts_from, one.sources_off
        FROM accounts_identifier AS one WHERE one.customer_id = kind_scope.customer_id OFFSET 0
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT * FROM scoring_action AS one
        WHERE one.identifier_id = identifier.id AND one.kind_id = kind_scope.kind_id
            AND one.occurred_at >= kind_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
            AND one.occurred_at < kind_scope.read_until::timestamp AT TIME ZONE 'UTC' + INTERVAL '3 days'
        OFFSET 0
    ) AS action
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE (identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1)) AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END
),
"streak_place" AS (
    SELECT *, row_number() OVER (
        PARTITION BY customer_id, rule_id, period ORDER BY occurred_at, origin, external_id) AS place
    FROM (
        SELECT fact.customer_id, fact.action_id, fact.local_date, fact.occurred_at, fact.origin, fact.external_id,
            fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until AS is_written, term.rule_id, term.stage, term.source, term.needed, term.length,
            term.points, (date_part('year', fact.local_date) * 12 + date_part('month', fact.local_date))::int AS period
        FROM fact JOIN (VALUES (2::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 1::int, 4::int, 80::bigint, 'month'::text)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "needed", "length", "points", "per") ON term.kind_id = fact.kind_id
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                ELSE fact.local_date >= key_scope.read_from END
        WHERE TRUE AND fact.sources_off >> term.source & 1 = 0
    ) AS match
),
"streak_period" AS (
    SELECT DISTINCT ON (customer_id, rule_id, period) *
    FROM streak_place WHERE place >= needed
    ORDER BY customer_id, rule_id, period, occurred_at, origin, external_id
),
"streak_run" AS (
    SELECT *, period - row_number() OVER (PARTITION BY customer_id, rule_id ORDER BY period) AS run
    FROM streak_period
),
"streak_nth" AS (
    SELECT *, row_number() OVER (PARTITION BY customer_id, rule_id, run ORDER BY period) AS nth
    FROM streak_run
),
"streak" AS (
    SELECT customer_id, action_id, rule_id, stage, source, local_date, is_written, points AS raw, points
    FROM streak_nth WHERE nth %% length = 0
),
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "streak" WHERE points > 0 AND is_written)
