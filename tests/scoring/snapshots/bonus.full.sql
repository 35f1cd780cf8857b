-- spend: Purchase: 1.5 points for each GBP, at most 100 points a week
-- double: Purchase: +100 % on the points earned
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
        action.occurred_at::date AS local_date, CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity, action.origin, action.external_id
    FROM subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE (identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1)) AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END AND action.kind_id IN (1)
),
"earn_0_match" AS (
    SELECT fact.customer_id, term."counter_1"::bigint * 4000000 + ((fact.local_date - DATE '0001-01-01') / 7) AS "bucket_1", fact.occurred_at, fact.action_id, term.rule_id, term.source, fact.local_date, CASE WHEN term.rate IS NULL THEN term.points ELSE term.points + floor(term.rate * coalesce(fact.quantity, 0))::bigint END AS raw, fact.kind_id, term."count_1", term."points_1", fact.origin, fact.external_id
    FROM fact JOIN (VALUES (1::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 0::bigint, 1.5::numeric, 1::int, 'week'::text, NULL::int, 100::bigint)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "points", "rate", "counter_1", "per_1", "count_1", "points_1") ON term.kind_id = fact.kind_id AND fact.occurred_at >= term.starts AND fact.occurred_at < term.ends
    WHERE TRUE
),
"earn_0_summed_1" AS (
    SELECT *, (sum(raw) FILTER (WHERE "points_1" IS NOT NULL AND NOT FALSE) OVER run)::bigint AS "total_1"
    FROM "earn_0_match"
    WINDOW run AS (PARTITION BY customer_id, "bucket_1" ORDER BY occurred_at, origin, external_id ROWS UNBOUNDED PRECEDING)
),
"earn_0_kept_1" AS (
    SELECT *, NULL::bigint AS "place_1", CASE WHEN raw IS NULL OR FALSE THEN NULL ELSE CASE WHEN "points_1" IS NULL OR raw = 0 THEN raw ELSE nullif(least("points_1", "total_1") - least("points_1", "total_1" - raw), 0) END END AS "kept_1"
    FROM "earn_0_summed_1"
),
"earn" AS (SELECT "customer_id", "action_id", "rule_id", "source", "local_date", "raw", "kind_id", coalesce("kept_1", 0) AS points FROM "earn_0_kept_1"),
"bonus_0_match" AS (
    SELECT fact.customer_id, fact.action_id, term.rule_id, term.source, fact.local_date, floor(term.percent * coalesce(earned.points, 0) * 0.01)::bigint AS raw, fact.kind_id
    FROM fact JOIN (VALUES (1::bigint, 2::bigint, 1::int, 2::int, '2026-11-01T00:00:00+00:00'::timestamptz, 'infinity'::timestamptz, 100::numeric)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "percent") ON term.kind_id = fact.kind_id AND fact.occurred_at >= term.starts AND fact.occurred_at < term.ends
        LEFT JOIN (
            SELECT action_id, sum(points)::bigint AS points
            FROM earn WHERE points > 0 AND kind_id IN (1)
            GROUP BY action_id
        ) AS earned ON earned.action_id = fact.action_id
    WHERE TRUE
),
"bonus" AS (SELECT "customer_id", "action_id", "rule_id", "source", "local_date", "raw", "kind_id", raw AS points FROM "bonus_0_match"),
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "earn" WHERE points > 0
    UNION ALL SELECT customer_id, action_id, rule_id, source, local_date, points FROM "bonus" WHERE points > 0)
