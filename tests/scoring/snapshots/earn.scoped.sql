-- spend: Purchase: 1.5 points for each GBP, at most 100 points a week
-- visit: Visit on Saturday or Sunday: 25 points, at most once a day and venue, at most 500 points in all
-- welcome: Purchase: 100 points, at most once in all
key_scope AS MATERIALIZED (
    SELECT subject.customer_id, reach.rule_id, reach.read_from, reach.read_until, reach.write_from, reach.write_until,
        reach.is_seeded
    FROM (
        SELECT DISTINCT changed_kind.customer_id, borne.rule_id
        FROM changed_kind JOIN (VALUES (1, 1), (1, 3), (2, 2)) AS borne (kind_id, rule_id) ON borne.kind_id = changed_kind.kind_id
    ) AS bearing
    JOIN subject ON subject.customer_id = bearing.customer_id
    JOIN (
        SELECT subject.since, subject.until, days.*
        FROM (SELECT DISTINCT since, until FROM subject) AS subject
        CROSS JOIN LATERAL (VALUES (1, (subject.since - ((subject.since - DATE '0001-01-01') %% 7)), (subject.until - ((subject.until - DATE '0001-01-01') %% 7) + 6), (subject.since - ((subject.since - DATE '0001-01-01') %% 7)), (subject.until - ((subject.until - DATE '0001-01-01') %% 7) + 6), false), (2, DATE '-infinity', DATE 'infinity', subject.since, DATE 'infinity', false), (3, subject.since, DATE 'infinity', subject.since, DATE 'infinity', true)) AS days (
            rule_id, read_from, read_until, write_from, write_until, is_seeded)
        OFFSET 0
    ) AS reach ON reach.since = subject.since AND reach.until = subject.until AND reach.rule_id = bearing.rule_id
),
kind_scope AS MATERIALIZED (
    SELECT key_scope.customer_id, kinds.kind_id,
        min(key_scope.read_from) AS read_from, max(key_scope.read_until) AS read_until
    FROM key_scope JOIN (VALUES (1, 1), (2, 2), (3, 1)) AS kinds (rule_id, kind_id) ON kinds.rule_id = key_scope.rule_id
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
        action.occurred_at::date AS local_date, CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity, action.venue_id, action.occurred_at::timestamp AS local_at, action.origin, action.external_id
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
"earn_0_match" AS (
    SELECT fact.customer_id, term."counter_1"::bigint * 4000000 + ((fact.local_date - DATE '0001-01-01') / 7) AS "bucket_1", fact.occurred_at, fact.action_id, term.rule_id, term.source, fact.local_date, CASE WHEN term.rate IS NULL THEN term.points ELSE term.points + floor(term.rate * coalesce(fact.quantity, 0))::bigint END AS raw, fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until AS is_written, term."count_1", term."points_1", fact.origin, fact.external_id
    FROM fact JOIN (VALUES (1::bigint, 1::bigint, 0::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 0::bigint, 1.5::numeric, 1::int, 'week'::text, NULL::int, 100::bigint)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "points", "rate", "counter_1", "per_1", "count_1", "points_1") ON term.kind_id = fact.kind_id
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                ELSE fact.local_date >= key_scope.read_from END
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
"earn_1_match" AS (
    SELECT fact.customer_id, term."counter_1"::bigint * 4000000 + 0 AS "bucket_1", fact.occurred_at, fact.action_id, term.rule_id, term.source, fact.local_date, CASE WHEN term.rate IS NULL THEN term.points ELSE term.points + floor(term.rate * coalesce(fact.quantity, 0))::bigint END AS raw, fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until AS is_written, term."count_1", term."points_1", fact.origin, fact.external_id
    FROM fact JOIN (VALUES (1::bigint, 3::bigint, 2::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 100::bigint, NULL::numeric, 2::int, 'ever'::text, 1::int, NULL::bigint)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "points", "rate", "counter_1", "per_1", "count_1", "points_1") ON term.kind_id = fact.kind_id
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                ELSE fact.local_date >= key_scope.read_from END
    WHERE TRUE
),
"earn_1_seed" AS MATERIALIZED (
    SELECT key_scope.customer_id, 8000000::bigint AS bucket_1, (
        SELECT count(*) FROM (
            SELECT FROM (
            SELECT action.kind_id, action.occurred_at, action.occurred_at::date AS local_date, CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity, action.origin, action.external_id
            FROM (
                SELECT one.id, one.counts_from, one.sources_off FROM accounts_identifier AS one
                WHERE one.customer_id = key_scope.customer_id OFFSET 0
            ) AS identifier
            CROSS JOIN LATERAL (
                SELECT * FROM scoring_action AS one
                WHERE one.identifier_id = identifier.id AND one.kind_id IN (1)
                    AND one.occurred_at < key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                OFFSET 0
            ) AS action
            LEFT JOIN amended ON amended.action_id = action.id
            WHERE (identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1)) AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END
            ) AS fact JOIN (VALUES (1::bigint, 3::bigint, 2::int, 2::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 100::bigint, NULL::numeric, 2::int, 'ever'::text, 1::int, NULL::bigint)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "points", "rate", "counter_1", "per_1", "count_1", "points_1") ON term.kind_id = fact.kind_id
            WHERE TRUE
            LIMIT 1
        ) AS earlier) AS seed_count
    FROM key_scope WHERE key_scope.rule_id = 3),
"earn_1_counted_1" AS (
    SELECT *, count(*) FILTER (WHERE raw IS NOT NULL AND "count_1" IS NOT NULL) OVER run + coalesce(seed_count, 0) AS "place_1"
    FROM "earn_1_match" LEFT JOIN "earn_1_seed" USING (customer_id, "bucket_1")
    WINDOW run AS (PARTITION BY customer_id, "bucket_1" ORDER BY occurred_at, origin, external_id ROWS UNBOUNDED PRECEDING)
),
"earn_1_kept_1" AS (
    SELECT *, CASE WHEN raw IS NULL OR coalesce("place_1" > "count_1", FALSE) THEN NULL ELSE raw END AS "kept_1"
    FROM "earn_1_counted_1"
),
"earn_2_match" AS (
    SELECT fact.customer_id, term."counter_1"::bigint * 4000000 + (fact.local_date - DATE '0001-01-01') AS "bucket_1", term."counter_2"::bigint * 4000000 + 0 AS "bucket_2", fact.occurred_at, fact.action_id, term.rule_id, term.source, fact.local_date, CASE WHEN term.rate IS NULL THEN term.points ELSE term.points + floor(term.rate * coalesce(fact.quantity, 0))::bigint END AS raw, fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until AS is_written, term."count_1", term."points_1", CASE term."counter_1" WHEN 3 THEN (fact.venue_id)::text COLLATE "C" END AS "group_1", term."count_2", term."points_2", fact.origin, fact.external_id
    FROM fact JOIN (VALUES (2::bigint, 2::bigint, 1::int, 4::int, '-infinity'::timestamptz, 'infinity'::timestamptz, 25::bigint, NULL::numeric, 3::int, 'day'::text, 1::int, NULL::bigint, 4::int, 'ever'::text, NULL::int, 500::bigint)) AS term ("kind_id", "rule_id", "stage", "source", "starts", "ends", "points", "rate", "counter_1", "per_1", "count_1", "points_1", "counter_2", "per_2", "count_2", "points_2") ON term.kind_id = fact.kind_id
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                ELSE fact.local_date >= key_scope.read_from END
    WHERE CASE term."stage" WHEN 1 THEN to_char(fact.local_at, 'dy') IN ('sat', 'sun') ELSE TRUE END
),
"earn_2_counted_1" AS (
    SELECT *, count(*) FILTER (WHERE raw IS NOT NULL AND "count_1" IS NOT NULL) OVER run AS "place_1"
    FROM "earn_2_match"
    WINDOW run AS (PARTITION BY customer_id, "bucket_1", "group_1" ORDER BY occurred_at, origin, external_id ROWS UNBOUNDED PRECEDING)
),
"earn_2_kept_1" AS (
    SELECT *, CASE WHEN raw IS NULL OR coalesce("place_1" > "count_1", FALSE) THEN NULL ELSE raw END AS "kept_1"
    FROM "earn_2_counted_1"
),
"earn_2_summed_2" AS (
    SELECT *, (sum("kept_1") FILTER (WHERE "points_2" IS NOT NULL AND NOT FALSE) OVER run)::bigint AS "total_2"
    FROM "earn_2_kept_1"
    WINDOW run AS (PARTITION BY customer_id, "bucket_2" ORDER BY occurred_at, origin, external_id ROWS UNBOUNDED PRECEDING)
),
"earn_2_kept_2" AS (
    SELECT *, NULL::bigint AS "place_2", CASE WHEN "kept_1" IS NULL OR FALSE THEN NULL ELSE CASE WHEN "points_2" IS NULL OR "kept_1" = 0 THEN "kept_1" ELSE nullif(least("points_2", "total_2") - least("points_2", "total_2" - "kept_1"), 0) END END AS "kept_2"
    FROM "earn_2_summed_2"
),
"earn" AS (SELECT "customer_id", "action_id", "rule_id", "source", "local_date", "raw", "is_written", coalesce("kept_1", 0) AS points FROM "earn_0_kept_1"
    UNION ALL SELECT "customer_id", "action_id", "rule_id", "source", "local_date", "raw", "is_written", coalesce("kept_1", 0) AS points FROM "earn_1_kept_1"
    UNION ALL SELECT "customer_id", "action_id", "rule_id", "source", "local_date", "raw", "is_written", coalesce("kept_2", 0) AS points FROM "earn_2_kept_2"),
award AS (SELECT customer_id, action_id, rule_id, source, local_date, points FROM "earn" WHERE points > 0 AND is_written)
