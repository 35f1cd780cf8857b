-- see-and-buy: Visit + 2 × Purchase, when quantity is at least 10 and topic contains 100% in one week: 50 points
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
        action.occurred_at::date AS local_date, CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity, action.attributes, action.origin, action.external_id, identifier.sources_off
    FROM subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE (identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1)) AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END AND action.kind_id IN (1, 2)
),
"combo_match" AS (
    SELECT fact.customer_id, term.part * 4000000::bigint + ((fact.local_date - DATE '0001-01-01') / 7) AS bucket, fact.occurred_at, fact.action_id,
        fact.local_date, TRUE AS is_written, term.rule_id, term.stage, term.source, term.needed, term.parts,
        term.points, ((fact.local_date - DATE '0001-01-01') / 7) AS period, fact.origin, fact.external_id
    FROM fact JOIN (VALUES (2::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 1::int, 1::int, 2::int, 50::bigint, 'week'::text), (1, 1, 0, 2, '-infinity', 'infinity', 2, 2, 2, 50, 'week')) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "part", "needed", "parts", "points", "per") ON term.kind_id = fact.kind_id
    WHERE CASE term."part" WHEN 2 THEN fact.quantity >= 10 AND strpos(lower(((fact.attributes ->> 'topic') COLLATE "C") COLLATE pg_c_utf8), lower('100%%' COLLATE pg_c_utf8)) > 0 ELSE TRUE END AND fact.sources_off >> term.source & 1 = 0
),
"combo_place" AS (
    SELECT *, row_number() OVER (
        PARTITION BY customer_id, bucket ORDER BY occurred_at, origin, external_id) AS place
    FROM combo_match
),
"combo_met" AS (
    SELECT DISTINCT ON (customer_id, stage, period) *,
        count(*) OVER (PARTITION BY customer_id, stage, period) AS parts_met
    FROM combo_place WHERE place = needed
    ORDER BY customer_id, stage, period, occurred_at DESC, origin DESC, external_id DESC
),
"combo" AS (
    SELECT DISTINCT ON (customer_id, rule_id, period)
        customer_id, action_id, rule_id, stage, source, local_date, is_written, points AS raw, points
    FROM combo_met WHERE parts_met = parts
    ORDER BY customer_id, rule_id, period, occurred_at, origin, external_id
),
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "combo" WHERE points > 0)
