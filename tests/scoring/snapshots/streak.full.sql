-- regular: Visit, 4 months in a row: 80 points
amended AS (
    SELECT amendment.action_id,
        bool_or(amendment.type = 'void') AS is_void,
        (array_agg(amendment.quantity ORDER BY amendment.at DESC, amendment.external_id DESC)
            FILTER (WHERE amendment.type = 'correction'))[1] AS quantity,
        (array_agg(amendment.accepted ORDER BY amendment.at, amendment.external_id)
            FILTER (WHERE amendment.type = 'decision'))[1] AS is_accepted
    FROM subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_amendment AS amendment ON amendment.identifier_id = identifier.id
    WHERE amendment.action_id IS NOT NULL
    GROUP BY amendment.action_id
),
fact AS MATERIALIZED (
    SELECT subject.customer_id, action.id AS action_id, action.kind_id, action.occurred_at,
        action.occurred_at::date AS local_date, action.origin, action.external_id, identifier.sources_off
    FROM subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE (identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1)) AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END AND action.kind_id IN (2)
),
"streak_place" AS (
    SELECT *, row_number() OVER (
        PARTITION BY customer_id, rule_id, period ORDER BY occurred_at, origin, external_id) AS place
    FROM (
        SELECT fact.customer_id, fact.action_id, fact.local_date, fact.occurred_at, fact.origin, fact.external_id,
            TRUE AS is_written, term.rule_id, term.stage, term.source, term.needed, term.length,
            term.points, (date_part('year', fact.local_date) * 12 + date_part('month', fact.local_date))::int AS period
        FROM fact JOIN (VALUES (2::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 1::int, 4::int, 80::bigint, 'month'::text)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "needed", "length", "points", "per") ON term.kind_id = fact.kind_id
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
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "streak" WHERE points > 0)
