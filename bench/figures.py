"""What is measured, and the floor of each: one function a figure, each yields lines of the table."""

import io
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction

from accounts.consent import audience
from accounts.models import Brand, Customer, Identifier, Purpose
from loyalty.exports.datasets import TopCustomersFilter, top_customers
from loyalty.exports.formats.csv import Csv
from scoring import ranks
from scoring.actions import ActionRow, record_actions
from scoring.models import ActionKind, Posting
from scoring.preview import preview
from scoring.publication import current_rule_set
from scoring.run import is_due, score_all, score_due
from scoring.verify import verify_ledger

from . import world
from .live import live
from .measure import Figure, Sizes, a_worker, best, round_trip, seconds, wait_for
from .rules import LONG_RULES, RULES, changed

NOW = datetime.now(UTC)
SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "CDNOW_sample.txt"


def everyone(sizes: Sizes) -> Iterator[Figure]:
    """Recomputing, posting and previewing everyone."""
    brand = world.brand_with(slug="bench-everyone", rules=RULES, now=NOW)
    customers = world.add_customers(brand=brand, count=sizes.customers, now=NOW)
    world.add_actions(
        brand=brand, customers=customers, count=sizes.actions, days=365, until=NOW, origin="bench"
    )
    world.settle()
    workers = min(2, os.cpu_count() or 1)
    first = seconds(lambda: score_all(brand=brand, now=NOW, workers=workers))
    postings = Posting.objects.count()
    yield Figure(
        f"first posting of {postings:,} awards",
        "COPY of as many ledger rows, same keys and indexes",
        "s",
        first,
        _copy_of("scoring_posting", "TRUE"),
        "at most 4",
    )
    world.settle()

    def grouped() -> None:
        world.run(
            """
            SELECT identifier.customer_id, sum(action.quantity)
            FROM scoring_action AS action
            JOIN accounts_identifier AS identifier ON identifier.id = action.identifier_id
            WHERE action.brand_id = %(brand)s
            GROUP BY identifier.customer_id
            """,
            brand=brand.pk,
        )

    floors = [best(grouped)]
    again = best(lambda: score_all(brand=brand, now=NOW, workers=workers))
    floors.append(best(grouped))
    assert Posting.objects.count() == postings, "a recomputation must find no difference"
    looked = best(
        lambda: preview(
            brand=brand, document=changed(), effective="always", now=NOW, workers=workers
        )
    )
    floors.append(best(grouped))
    name = f"{sizes.actions:,} actions, {sizes.customers:,} customers, {len(RULES['rules'])} rules"
    for figure, took in (
        (f"recompute all, nothing to post: {name}", again),
        ("preview of one changed rule on the same", looked),
    ):
        yield Figure(
            figure,
            "SELECT customer, sum(quantity) GROUP BY over the same",
            "s",
            took,
            min(floors),
            "at most 12, aim 8",
            f"{workers} connections",
        )


def _copy_of(table: str, rows: str) -> float:
    """How long COPY takes to write rows of a table into an empty one that is keyed and indexed alike."""
    world.run("DROP TABLE IF EXISTS bench_copy")
    world.run(f"CREATE TABLE bench_copy (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)")
    for (definition,) in world.run(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype = 'f'"
    ):
        world.run(f"ALTER TABLE bench_copy ADD {definition}")
    raw = connection.connection
    with raw.cursor().copy(
        f"COPY (SELECT * FROM {table} WHERE {rows}) TO STDOUT (FORMAT binary)"
    ) as out:
        pieces = [bytes(piece) for piece in out]

    def copy() -> None:
        with (
            raw.transaction(),
            raw.cursor().copy("COPY bench_copy FROM STDIN (FORMAT binary)") as into,
        ):
            for piece in pieces:
                into.write(piece)

    took = seconds(copy)
    world.run("DROP TABLE bench_copy")
    return took


def one_action(sizes: Sizes) -> Iterator[Figure]:
    """From the commit of an action to its being visible in score and rank, on an idle worker."""
    brand = world.brand_with(slug="bench-one", rules=RULES, now=NOW)
    customers = world.add_customers(brand=brand, count=500, now=NOW)
    world.add_actions(
        brand=brand, customers=customers, count=10_000, days=365, until=NOW, origin="bench"
    )
    score_all(brand=brand, now=NOW)
    ranks.catch_up(brand_id=brand.pk, now=NOW)
    world.settle()
    client = ranks.redis_client()
    _scores, revisions, _complete = ranks.keys_of(brand.pk)
    visible, trips = [], []
    with a_worker():
        for turn in range(sizes.single + 20):
            customer = random.choice(customers)
            known = client.hget(revisions, customer)
            begun = _record_one(brand, customer, f"one-{turn}")
            wait_for(
                lambda customer=customer, known=known: client.hget(revisions, customer) != known
            )  # type: ignore[misc]
            if turn >= 20:
                visible.append(time.perf_counter() - begun)
                trips.append(round_trip())
    for name, measure in (("median", statistics.median), ("p99", _p99)):
        yield Figure(
            f"one action, from commit to score and rank, {name}",
            "round trip of a Celery task that does nothing",
            "ms",
            1000 * measure(visible),
            1000 * measure(trips),
            "at most 2.5",
            f"{len(visible)} actions",
        )


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _record_one(brand: Brand, customer: int, external_id: str) -> float:
    """Record one action of now; returns the moment of its commit, before the doorbell is rung."""
    committed: list[float] = []
    identifier = Identifier.objects.get(customer_id=customer, scheme="email")
    now = datetime.now(UTC)
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.perf_counter()))
        record_actions(
            brand=brand,
            rows=[
                ActionRow(
                    origin="bench-one",
                    external_id=external_id,
                    identifier=str(identifier),
                    kind="purchase",
                    occurred_at=now,
                    quantity=Decimal("24.90"),
                )
            ],
            now=now,
        )
    return committed[0]


def long_history(sizes: Sizes) -> Iterator[Figure]:
    """Scoring one new action of somebody with a long past, and of somebody with a short one."""
    brand = world.brand_with(slug="bench-long", rules=LONG_RULES, now=NOW)
    short, long = world.add_customers(brand=brand, count=2, now=NOW)
    for customer, count in ((short, 10), (long, sizes.long_history)):
        world.add_actions(
            brand=brand,
            customers=[customer],
            count=count,
            days=3 * 365,
            until=NOW - timedelta(minutes=1),
            origin=f"bench-{customer}",
        )
    score_all(brand=brand, now=NOW)
    world.settle()
    times: dict[int, list[float]] = {short: [], long: []}
    for turn in range(120):
        for customer in (short, long):
            _record_one(brand, customer, f"{customer}-{turn}")
            took = seconds(lambda: score_due(brand=brand, now=datetime.now(UTC)))
            if turn >= 20:
                times[customer].append(took)
    yield Figure(
        f"scoring a new action after {sizes.long_history:,} others",
        "the same after 10 others",
        "ms",
        1000 * statistics.median(times[long]),
        1000 * statistics.median(times[short]),
        "at most 3",
        "over 3 years, limits per day to month and one first-ever",
    )


def sustained(sizes: Sizes) -> Iterator[Figure]:
    """How many due customers one process scores in a second."""
    brand = Brand.objects.get(slug="bench-everyone")
    customers = list(
        Customer.objects.filter(brand=brand).order_by("?").values_list("pk", flat=True)[: sizes.due]
    )
    kind = ActionKind.objects.get(brand=brand, slug="purchase")
    world.run(
        """
        WITH added AS (
            INSERT INTO scoring_action (brand_id, identifier_id, kind_id, occurred_at, received_at, quantity, state,
                origin, external_id)
            SELECT %(brand)s, identifier.id, %(kind)s, %(now)s, %(now)s, 10, 'accepted', 'bench-due', identifier.id::text
            FROM accounts_identifier AS identifier WHERE identifier.customer_id = ANY(%(customers)s)
            RETURNING identifier_id
        )
        INSERT INTO scoring_due (brand_id, identifier_id, since, until, kinds, why, marked_at)
        SELECT %(brand)s, identifier_id, %(now)s::date, %(now)s::date, ARRAY[%(kind)s::bigint], 'facts', %(now)s FROM added
        """,
        brand=brand.pk,
        kind=kind.pk,
        customers=customers,
        now=NOW,
    )
    world.settle()

    def work() -> None:
        while is_due(brand=brand):
            score_due(brand=brand, now=NOW)

    took = seconds(work)
    world.run("CREATE TABLE bench_upsert (id bigint PRIMARY KEY, points bigint, at timestamptz)")
    rows = min(10_000, len(customers))

    def upserts() -> None:
        with connection.cursor() as cursor:
            for customer in customers[:rows]:
                cursor.execute(
                    "INSERT INTO bench_upsert VALUES (%s, 1, now()) "
                    "ON CONFLICT (id) DO UPDATE SET points = bench_upsert.points + 1",
                    [customer],
                )

    floor = seconds(upserts)
    world.run("DROP TABLE bench_upsert")
    yield Figure(
        f"customers scored a second, one process, {len(customers):,} due",
        "single-row upserts a second, each committed, one client",
        "1/s",
        len(customers) / took,
        rows / floor,
        "at least 1",
    )


def rank(sizes: Sizes) -> Iterator[Figure]:
    """The rank of one among many."""
    brand = world.brand_with(slug="bench-rank", rules=RULES, now=NOW)
    client = ranks.redis_client()
    ranks.write_ranks(
        brand_id=brand.pk,
        rows=(
            (number, Decimal(random.randrange(1_000_000)) / 1000, 1)
            for number in range(sizes.members)
        ),
    )
    scores, _revisions, complete = ranks.keys_of(brand.pk)
    client.set(complete, NOW.isoformat())
    asked = [Decimal(random.randrange(1_000_000)) / 1000 for _turn in range(5000)]
    found: list[float] = []
    floor: list[float] = []
    for score in asked:
        found.append(seconds(lambda score=score: ranks.get_rank(brand=brand, score=score)))  # type: ignore[misc]
        least = f"({int(score * 1000)}"
        floor.append(seconds(lambda least=least: client.zcount(scores, least, "+inf")))  # type: ignore[misc]
    client.delete(scores, _revisions, complete)
    yield Figure(
        f"rank of one among {sizes.members:,}, median",
        "a bare ZCOUNT round trip",
        "ms",
        1000 * statistics.median(found),
        1000 * statistics.median(floor),
        "at most 1.5",
    )


def export(sizes: Sizes) -> Iterator[Figure]:
    """Top customers as CSV."""
    brand = world.brand_with(slug="bench-export", rules=RULES, now=NOW)
    world.add_customers(brand=brand, count=sizes.exported, now=NOW)
    rule_set = current_rule_set(brand=brand)
    assert rule_set is not None
    world.run(
        """
        INSERT INTO scoring_score (customer_id, brand_id, score, points, sub_scores, source_points, rule_set_id,
            scored_on, scored_at, revision, checksum_a, checksum_b)
        SELECT id, brand_id, round((random() * 1000)::numeric, 3), (random() * 5000)::bigint,
            ARRAY[random(), random(), random(), random(), random(), random()],
            ARRAY[1, 2, 3, 4, 5, 6], %(rule_set)s, %(now)s::date, %(now)s, 1, 0, 0
        FROM accounts_customer WHERE brand_id = %(brand)s
        """,
        brand=brand.pk,
        rule_set=rule_set.pk,
        now=NOW,
    )
    world.settle()
    dataset = top_customers(
        audience=audience(brand=brand, purpose=Purpose.SCORE),
        chosen=TopCustomersFilter(),
        as_of=NOW.date(),
        rule_set_version=rule_set.version,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    written = []
    took = best(lambda: written.append(sum(len(piece) for piece in Csv().write(dataset))))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak

    def bare() -> None:
        connection.ensure_connection()
        with connection.connection.cursor().copy(
            f"COPY (SELECT * FROM scoring_score WHERE brand_id = {brand.pk} ORDER BY score DESC) TO STDOUT (FORMAT csv)"
        ) as out:
            for _piece in out:
                pass

    yield Figure(
        f"export of {sizes.exported:,} top customers as CSV",
        "COPY (SELECT ...) TO STDOUT",
        "s",
        took,
        best(bare),
        "at most 4",
        f"{written[0] / 1e6:.1f} MB; peak memory of the process grew by {grown / 1024:.1f} MB",
    )


def real_purchases(_sizes: Sizes) -> Iterator[Figure]:
    """Real purchases from a file, through the command: the CDNOW sample, where it lies beside the tree."""
    if not SAMPLE.exists():
        print(f"not measured: {SAMPLE} is missing", file=sys.stderr)
        return
    shape = {"weight": 95, "half_life_days": 180, "halfway_points": 200}
    others = {slug: {**part, "weight": 1} for slug, part in RULES["sources"].items()}
    brand = world.brand_with(
        slug="bench-real",
        rules={"sources": {**others, "purchases": shape}, "rules": RULES["rules"][:1]},
        now=NOW,
    )
    records = []
    for number, line in enumerate(SAMPLE.read_text().splitlines()):
        _full, customer, day, _discs, dollars = line.split()
        records.append(
            {
                "origin": "cdnow",
                "external_id": f"row-{number}",
                "identifier": f"card:{customer}",
                "kind": "purchase",
                "occurred_at": f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00+00:00",
                "quantity": dollars,
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "cdnow.jsonl"
        lines.write_text("\n".join(map(json.dumps, records)))
        loaded = seconds(
            lambda: call_command("import_actions", brand.slug, str(lines), stdout=io.StringIO())
        )
    scored = seconds(lambda: call_command("score", brand.slug, stdout=io.StringIO()))
    verification = verify_ledger(brand=brand)
    assert verification.checked["actions"] == len(records), verification.checked
    assert verification.differences == [], verification.differences
    customers = verification.checked["customers"]
    yield Figure(
        f"import {len(records):,} real purchases of {customers:,} customers from JSON lines, and score them",
        "COPY of the same actions, same keys and indexes",
        "s",
        loaded + scored,
        _copy_of("scoring_action", f"brand_id = {brand.pk}"),
        "not set",
        f"{loaded:.2f} s to import, {scored:.2f} s to score",
    )


FIGURES = {
    "everyone": everyone,
    "sustained": sustained,
    "one": one_action,
    "long": long_history,
    "rank": rank,
    "export": export,
    "real": real_purchases,
    "live": live,
}
