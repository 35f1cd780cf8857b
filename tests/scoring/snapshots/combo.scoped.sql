-- see-and-buy: Visit + 2 × Purchase, when quantity is at least 10 and topic contains 100% in one week: 50 points
key_scope AS MATERIALIZED (
    SELECT subject.customer_id, reach.rule_id, reach.read_from, reach.read_until, reach.write_from, reach.write_until,
        reach.is_seeded
    FROM (
        SELECT DISTINCT changed_kind.customer_id, borne.rule_id
        FROM changed_kind JOIN (VALUES (1, 1), (2, 1)) AS borne (kind_id, rule_id) ON borne.kind_id = changed_kind.kind_id
    ) AS bearing
    JOIN subject ON subject.customer_id = bearing.customer_id
    JOIN (
        SELECT subject.since, subject.until, days.*
        FROM (SELECT DISTINCT since, until FROM subject) AS subject
        CROSS JOIN LATERAL (VALUES (1, (subject.since - ((subject.since - DATE '0001-01-01') %% 7)), (subject.until - ((subject.until - DATE '0001-01-01') %% 7) + 6), (subject.since - ((subject.since - DATE '0001-01-01') %% 7)), (subject.until - ((subject.until - DATE '0001-01-01') %% 7) + 6), false)) AS days (
            rule_id, read_from, read_until, write_from, write_until, is_seeded)
        OFFSET 0
    ) AS reach ON reach.since = subject.since AND reach.until = subject.until AND reach.rule_id = bearing.rule_id
),
kind_scope AS MATERIALIZED (
    SELECT key_scope.customer_id, kinds.kind_id,
        min(key_scope.read_from) AS read_from, max(key_scope.read_until) AS read_until
    FROM key_scope JOIN (VALUES (1, 1), (1, 2)) AS kinds (rule_id, kind_id) ON kinds.rule_id = key_scope.rule_id
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
        action.occurred_at::date AS local_date, CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity, action.attributes, action.origin, action.external_id, identifier.sources_off
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
"combo_match" AS (
    SELECT fact.customer_id, term.part * 4000000::bigint + ((fact.local_date - DATE '0001-01-01') / 7) AS bucket, fact.occurred_at, fact.action_id,
        fact.local_date, fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until AS is_written, term.rule_id, term.stage, term.source, term.needed, term.parts,
        term.points, ((fact.local_date - DATE '0001-01-01') / 7) AS period, fact.origin, fact.external_id
    FROM fact JOIN (VALUES (2::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 1::int, 1::int, 2::int, 50::bigint, 'week'::text), (1, 1, 0, 2, '-infinity', 'infinity', 2, 2, 2, 50, 'week')) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "part", "needed", "parts", "points", "per") ON term.kind_id = fact.kind_id
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                ELSE fact.local_date >= key_scope.read_from END
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
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "combo" WHERE points > 0 AND is_written)
