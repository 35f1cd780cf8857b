"""Everything about one person with one brand, as JSON and as a ZIP of CSV files with the photos.

Both are made from the same sections, so that neither has what the other lacks. docs/privacy.md describes them; what
is changed in a section or taken away raises ``VERSION``.
"""

import csv
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import PurePosixPath
from typing import IO, Any

import msgspec
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import connection
from django.db.models import F, Q, QuerySet, Sum, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from accounts.models import (
    Brand,
    Consent,
    ContactRules,
    Customer,
    DataUse,
    Identifier,
    LinkEvent,
)
from loyalty.exports.formats.csv import FORMULA_STARTS
from loyalty.identifiers import masked
from loyalty.privacy.person import (
    codes_of,
    disputes_of,
    log_about,
    unclaimed,
    with_merged,
)
from scoring.facts import AMENDED_ACTION
from scoring.models import (
    ActionKind,
    Amendment,
    BadgeEarned,
    BadgeShare,
    ClosedPlace,
    DailyPoints,
    Evidence,
    Objection,
    Posting,
    Rhythm,
    Score,
    Source,
)

SCHEMA = "laurel-person"
VERSION = 1

ENDINGS = {"json": "application/json", "zip": "application/zip"}

FETCH = 2000
# What stays in memory; a longer document goes to a file that has no name.
IN_MEMORY = 1024 * 1024

# A text that a spreadsheet program would take for a formula, and one that an apostrophe already keeps it from.
_FORMULA = re.compile(f"'*[{re.escape(''.join(FORMULA_STARTS))}]")

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Whose document it is, and when it is written.

    ``own`` are the customer and whoever was merged into them; ``customers`` also those who hold what is theirs and not
    linked.
    """

    customer: Customer
    own: list[int]
    customers: list[int]
    now: datetime

    @property
    def brand(self) -> Brand:
        """The brand that knows all this."""
        return self.customer.brand


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the document: ``rows`` of ``columns``, or with ``is_one`` one row or none.

    ``spread`` names the column whose object becomes one column for each of its names in CSV.
    """

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Person], Iterable[Row]]
    is_one: bool = False
    spread: str = ""


def download(*, customer: Customer, ending: str, now: datetime) -> IO[bytes]:
    """The whole document as ``json`` or ``zip``, ready to be read from its beginning. Writes nothing.

    It is written a few thousand rows at a time; a long one into a file that goes when it is closed.
    """
    own = with_merged([customer.pk])
    others = unclaimed(own, customer.user, customer.brand, now)
    person = Person(customer, own, sorted({*own, *others}), now)
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # who asked closes it
    (_write_zip if ending == "zip" else _write_json)(person, file)
    is_short = file.tell() <= IN_MEMORY
    file.seek(0)
    if not is_short:
        return file
    with file:
        return io.BytesIO(file.read())


def file_name(*, customer: Customer, ending: str, now: datetime) -> str:
    """Such as ``foxglove-about-me-2026-11-24.zip``."""
    return f"{customer.brand.slug}-about-me-{now.astimezone(customer.brand.zone).date()}.{ending}"


# JSON


def _write_json(person: Person, file: IO[bytes]) -> None:
    encoder = msgspec.json.Encoder()
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "made_at": person.now,
        "brand": {
            "slug": person.brand.slug,
            "name": person.brand.name,
            "time_zone": person.brand.time_zone,
            "currency": person.brand.currency,
        },
    }
    file.write(encoder.encode(head)[:-1])
    for section in SECTIONS:
        file.write(b",\n" + encoder.encode(section.name) + b":")
        rows = (
            encoder.encode(dict(zip(section.columns, map(_json_value, row), strict=True)))
            for row in section.rows(person)
        )
        if section.is_one:
            file.write(next(iter(rows), b"null"))
            continue
        file.write(b"[")
        for place, row in enumerate(rows):
            file.write((b",\n" if place else b"\n") + row)
        file.write(b"]")
    file.write(b"}\n")


def _json_value(value: Any) -> Any:
    # An object of the database goes in as it stands there, numbers and all.
    if isinstance(value, _Json):
        return msgspec.Raw(value.encode())
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _plain(value) if isinstance(value, Decimal) else value


class _Json(str):
    """JSON as the database wrote it."""

    __slots__ = ()


def _plain(number: Decimal) -> str:
    """A decimal without zeros at its end, and never with an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# CSV


def _write_zip(person: Person, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for section in SECTIONS:
            with archive.open(f"{section.name}.csv", "w") as member:
                _write_csv(section, person, member)
        for evidence in _photos(person):
            try:
                photo = evidence.photo.open("rb")
            except FileNotFoundError:
                continue
            # A JPEG does not shrink.
            entry = zipfile.ZipInfo(_photo_name(str(evidence.photo)))
            with photo, archive.open(entry, "w") as member:
                shutil.copyfileobj(photo, member)


def _write_csv(section: Section, person: Person, member: IO[bytes]) -> None:
    text = io.TextIOWrapper(member, encoding="utf-8", newline="")
    table = csv.writer(text, lineterminator="\n")
    names = _attribute_names(person) if section.spread else []
    kept = [column for column in section.columns if column != section.spread]
    table.writerow([*kept, *(f"{section.spread}.{name}" for name in names)])
    for row in section.rows(person):
        cells = dict(zip(section.columns, row, strict=True))
        inside = json.loads(cells.pop(section.spread) or "{}", parse_float=Decimal) if names else {}
        table.writerow(
            [
                *(_cell(cells[column]) for column in kept),
                *(_cell(inside.get(name)) for name in names),
            ]
        )
    text.flush()
    text.detach()


def _attribute_names(person: Person) -> list[str]:
    kinds = ActionKind.objects.filter(brand=person.brand)
    return sorted({name for kind in kinds for name in kind.attributes})


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    text = str(value)
    # What ``intake.files`` takes away again.
    is_text = isinstance(value, str) and not isinstance(value, _Json)
    return f"'{text}" if is_text and _FORMULA.match(text) else text


# The sections


def _fetched(rows: QuerySet[Any, Any], *columns: Any) -> Iterator[Row]:
    """The rows, a few thousand at a time, as tuples of these columns."""
    return rows.values_list(*columns).iterator(chunk_size=FETCH)


def _json(name: str) -> Cast:
    return Cast(name, TextField())


def _with_json(rows: Iterable[Row], *places: int) -> Iterator[Row]:
    """The rows with JSON in these places marked as such."""
    for row in rows:
        yield tuple(
            _Json(cell) if place in places and cell is not None else cell
            for place, cell in enumerate(row)
        )


def _slug(source: int) -> str:
    return Source(source).slug


def _login(person: Person) -> Iterable[Row]:
    user = person.customer.user
    if user is not None:
        yield (
            user.email,
            user.name,
            user.language,
            user.theme,
            user.is_active,
            user.created_at,
            user.last_login,
        )


def _emails(person: Person) -> Iterable[Row]:
    rows = EmailAddress.objects.filter(user=person.customer.user_id).order_by("pk")
    return _fetched(rows, "email", "verified", "primary")


def _linked_accounts(person: Person) -> Iterable[Row]:
    rows = SocialAccount.objects.filter(user=person.customer.user_id).order_by("pk")
    columns = ("provider", "uid", "date_joined", "last_login", _json("extra_data"))
    return _with_json(_fetched(rows, *columns), 4)


def _sign_in_keys(person: Person) -> Iterable[Row]:
    rows = Authenticator.objects.filter(user=person.customer.user_id).order_by("pk")
    return _fetched(rows, "type", KT("data__name"), "created_at", "last_used_at")


def _sessions(person: Person) -> Iterable[Row]:
    rows = UserSession.objects.filter(user=person.customer.user_id).order_by("pk")
    columns = ("created_at", "last_seen_at", "ip", "user_agent", _json("data"))
    return _with_json(_fetched(rows, *columns), 4)


def _customer(person: Person) -> Iterable[Row]:
    customers = Customer.objects.filter(pk__in=person.customers).order_by(
        F("merged_into").asc(nulls_first=True), "pk"
    )
    own = set(person.own)
    for one in customers.select_related("home__venue"):
        home = one.home.venue if hasattr(one, "home") else None
        yield (
            one.public_id,
            one.pseudonym,
            one.joined_at,
            one.created_at,
            one.on_boards,
            one.paused_at,
            [source.slug for source in Source if one.sources_off >> source & 1],
            home and home.slug,
            "you" if one == person.customer else "merged" if one.pk in own else "unlinked",
        )


def _contact_rules(person: Person) -> Iterable[Row]:
    rows = ContactRules.objects.filter(customer__in=person.customers).order_by("pk")
    return _fetched(rows, "customer__public_id", "quiet_from", "quiet_until", "weekly_most")


def _identifiers(person: Person) -> Iterable[Row]:
    rows = Identifier.objects.filter(customer__in=person.customers).order_by("pk")
    for scheme, value, created_at, proven_at, proof, counts_from, off in _fetched(
        rows,
        "scheme",
        "value",
        "created_at",
        "proven_at",
        "proof",
        "counts_from",
        "sources_off",
    ):
        sources_off = [source.slug for source in Source if off >> source & 1]
        yield scheme, value, created_at, proven_at, proof, counts_from, sources_off


def _identifier_moves(person: Person) -> Iterable[Row]:
    mine = set(person.own)
    moves = LinkEvent.objects.filter(from_customer__in=mine) | LinkEvent.objects.filter(
        to_customer__in=mine
    )
    linked = LinkEvent.objects.filter(to_customer__in=mine, type=LinkEvent.Type.LINK)
    theirs = Q(customer__in=person.customers) | Q(pk__in=linked.values("identifier"))
    known = set(Identifier.objects.filter(theirs).values_list("pk", flat=True))
    for pk, scheme, value, at, type_, proof, counts_from, reason, before, after in _fetched(
        moves.order_by("pk"),
        "identifier",
        "identifier__scheme",
        "identifier__value",
        "at",
        "type",
        "proof",
        "counts_from",
        "reason",
        "from_customer",
        "to_customer",
    ):
        # What came by a merge that was a mistake is somebody else's.
        yield (
            f"{scheme}:{value if pk in known else masked(scheme, value)}",
            at,
            type_,
            proof,
            counts_from,
            reason,
            before in mine,
            after in mine,
        )


def _link_codes(person: Person) -> Iterable[Row]:
    rows = codes_of(person.customers).order_by("pk")
    return _fetched(
        rows, "scheme", "value", "made_at", "expires_at", "used_at", "used_by__public_id"
    )


def _disputes(person: Person) -> Iterable[Row]:
    mine = set(person.own)
    rows = disputes_of(person.customers).order_by("pk")
    for scheme, value, proof, opened_at, decided_at, moved, note, claimant in _fetched(
        rows,
        "identifier__scheme",
        "identifier__value",
        "proof",
        "opened_at",
        "decided_at",
        "moved",
        "note",
        "claimant",
    ):
        yield f"{scheme}:{value}", claimant in mine, proof, opened_at, decided_at, moved, note


# Grain: one action of the customers, with what later records make of it. Index: actions and amendments by identifier.
_ACTIONS = f"""
SELECT action.origin, action.external_id, identifier.scheme || ':' || identifier.value, kind.slug, kind.label,
    kind.source, kind.unit, action.occurred_at, action.received_at, action.quantity, amended.quantity, action.channel,
    venue.slug, action.state, action.attributes::text,
    CASE WHEN identifier.customer_id <> ALL(%s) THEN 'unlinked'
        WHEN amended.is_void THEN 'cancelled'
        WHEN action.state <> 'accepted' AND amended.is_accepted IS NULL THEN 'pending'
        WHEN action.state <> 'accepted' AND NOT amended.is_accepted THEN 'refused'
        WHEN action.occurred_at < identifier.counts_from THEN 'before it was yours'
        ELSE 'stands' END
FROM accounts_identifier AS identifier
JOIN scoring_action AS action ON action.identifier_id = identifier.id
JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
LEFT JOIN LATERAL (
    {AMENDED_ACTION}
) AS amended ON TRUE
WHERE identifier.customer_id = ANY(%s)
ORDER BY action.occurred_at, action.id
"""  # noqa: S608


def _all_actions(person: Person) -> Iterator[Row]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ACTIONS, [person.own, person.customers])
        while rows := cursor.fetchmany(FETCH):
            yield from rows


def _actions(person: Person) -> Iterator[Row]:
    """What stands or waits, as it stands, under one identifier: so another installation takes it for one person's."""
    user = person.customer.user
    identifier = f"email:{user.email}" if user else f"laurel:{person.customer.public_id}"
    for row in _all_actions(person):
        (
            origin,
            external_id,
            _as,
            kind,
            _label,
            _source,
            unit,
            occurred_at,
            _received_at,
            *rest,
        ) = row
        reported, corrected, channel, venue, _state, attributes, holds = rest
        if holds in ("stands", "pending"):
            yield (
                origin,
                external_id,
                identifier,
                kind,
                occurred_at,
                reported if corrected is None else corrected,
                person.brand.currency if unit == ActionKind.MONEY else None,
                channel,
                venue,
                "pending" if holds == "pending" else "accepted",
                None if attributes is None else _Json(attributes),
            )


def _reported(person: Person) -> Iterator[Row]:
    for row in _all_actions(person):
        origin, external_id, identifier, kind, label, source, _unit, *rest = row
        occurred_at, received_at, quantity, _corrected, channel, venue, state, *rest = rest
        attributes, holds = rest
        yield (
            origin,
            external_id,
            identifier,
            kind,
            label,
            _slug(source),
            occurred_at,
            received_at,
            quantity,
            channel,
            venue,
            state,
            None if attributes is None else _Json(attributes),
            holds,
        )


def _amendments(person: Person) -> Iterable[Row]:
    rows = Amendment.objects.filter(identifier__customer__in=person.customers).order_by("pk")
    return _fetched(
        rows,
        "type",
        "origin",
        "external_id",
        "action_external_id",
        "at",
        "quantity",
        "accepted",
        "reason",
        "received_at",
    )


def _photos(person: Person) -> QuerySet[Evidence]:
    return Evidence.objects.filter(action__identifier__customer__in=person.customers).order_by("pk")


def _photo_name(stored: str) -> str:
    return f"photos/{PurePosixPath(stored).name}"


def _photo_rows(person: Person) -> Iterable[Row]:
    columns = ("action__origin", "action__external_id", "photo", "added_at")
    for origin, external_id, stored, added_at in _fetched(_photos(person), *columns):
        yield origin, external_id, _photo_name(stored), added_at


def _objections(person: Person) -> Iterable[Row]:
    rows = Objection.objects.filter(action__identifier__customer__in=person.customers)
    return _fetched(
        rows.order_by("pk"),
        "action__origin",
        "action__external_id",
        "text",
        "made_at",
        "answer",
        "answered_at",
    )


def _postings(person: Person) -> Iterable[Row]:
    rows = Posting.objects.filter(customer__in=person.customers).order_by("pk")
    for *said, source, why in _fetched(
        rows,
        "action__origin",
        "action__external_id",
        "rule__key",
        "rule_set__version",
        "points",
        "posted_at",
        "local_date",
        "source",
        "why",
    ):
        yield *said, _slug(source), why


def _awards(person: Person) -> Iterable[Row]:
    # Grain: one award: the sum of its postings.
    rows = (
        Posting.objects.filter(customer__in=person.customers)
        .values_list("action__origin", "action__external_id", "rule__key", "source", "local_date")
        .annotate(held=Sum("points"))
        .exclude(held=0)
        .order_by("local_date", "action", "rule__key")
    )
    for origin, external_id, rule, source, on, points in rows.iterator(chunk_size=FETCH):
        yield origin, external_id, rule, _slug(source), on, points


def _days(person: Person) -> Iterable[Row]:
    rows = DailyPoints.objects.filter(customer__in=person.customers)
    rows = rows.order_by("local_date", "source", "customer")
    for on, source, points in _fetched(rows, "local_date", "source", "points"):
        yield on, _slug(source), points


def _score(person: Person) -> Iterable[Row]:
    for one in Score.objects.filter(customer=person.customer.pk).select_related("rule_set"):
        yield (
            one.score,
            one.points,
            {source.slug: one.sub_scores[source - 1] for source in Source},
            {source.slug: one.source_points[source - 1] for source in Source},
            one.rule_set and one.rule_set.version,
            one.scored_on,
            one.scored_at,
        )


def _badges(person: Person) -> Iterable[Row]:
    rows = BadgeEarned.objects.filter(customer__in=person.customers).order_by("pk")
    return _fetched(
        rows, "badge__slug", "badge__title", "level", "earned_at", "revoked_at", "revoked_why"
    )


def _badge_shares(person: Person) -> Iterable[Row]:
    rows = BadgeShare.objects.filter(customer__in=person.customers).order_by("pk")
    return _fetched(rows, "badge__slug", "public_id", "shared_at")


def _rhythm(person: Person) -> Iterable[Row]:
    rows = Rhythm.objects.filter(customer__in=person.customers).order_by("starts_on", "customer")
    return _fetched(rows, "starts_on", "days")


def _board_places(person: Person) -> Iterable[Row]:
    rows = ClosedPlace.objects.filter(customer__in=person.customers)
    return _fetched(
        rows.order_by("board__starts_on", "board", "customer"),
        "board__period",
        "board__starts_on",
        "board__ends_on",
        "rank",
        "points",
    )


def _consents(person: Person) -> Iterable[Row]:
    rows = Consent.objects.filter(customer__in=person.customers).order_by("pk")
    return _fetched(
        rows, "purpose", "channel", "given", "wording", "version", "language", "way", "at"
    )


def _data_uses(person: Person) -> Iterable[Row]:
    rows = DataUse.objects.filter(members__customer__in=person.customers).distinct().order_by("pk")
    return _fetched(rows, "at", "type", "purpose", "channel", "title", "role")


def _staff_log(person: Person) -> Iterable[Row]:
    rows = log_about(person.customers, person.customer.user).order_by("pk")
    return _fetched(rows, "action_time", "action_flag", "object_repr", "change_message")


def _section(
    name: str,
    columns: str,
    rows: Callable[[Person], Iterable[Row]],
    *,
    is_one: bool = False,
    spread: str = "",
) -> Section:
    return Section(name, tuple(columns.split()), rows, is_one, spread)


SECTIONS: tuple[Section, ...] = (
    _section(
        "login",
        "email name language theme may_sign_in made_at last_signed_in_at",
        _login,
        is_one=True,
    ),
    _section("emails", "email verified primary", _emails),
    _section("linked_accounts", "network account linked_at last_used_at said", _linked_accounts),
    _section("sign_in_keys", "type name made_at last_used_at", _sign_in_keys),
    _section("sessions", "began_at last_seen_at ip browser data", _sessions),
    _section(
        "customer",
        "public_id pseudonym joined_at known_since on_boards paused_at sources_off home_venue is",
        _customer,
    ),
    _section("contact_rules", "customer quiet_from quiet_until weekly_most", _contact_rules),
    _section(
        "identifiers",
        "scheme value known_since proven_at proof counts_from sources_off",
        _identifiers,
    ),
    _section(
        "identifier_moves",
        "identifier at type proof counts_from reason was_yours is_yours",
        _identifier_moves,
    ),
    _section("link_codes", "scheme value made_at expires_at used_at used_by", _link_codes),
    _section(
        "disputes", "identifier you_claim_it proof opened_at decided_at moved note", _disputes
    ),
    _section(
        "actions",
        "origin external_id identifier kind occurred_at quantity currency channel venue state attributes",
        _actions,
        spread="attributes",
    ),
    _section(
        "reported",
        "origin external_id identifier kind label source occurred_at received_at quantity channel venue state"
        " attributes holds",
        _reported,
    ),
    _section(
        "amendments",
        "type origin external_id action at quantity accepted reason received_at",
        _amendments,
    ),
    _section("photos", "origin external_id file added_at", _photo_rows),
    _section("objections", "origin external_id text made_at answer answered_at", _objections),
    _section(
        "postings",
        "origin external_id rule rule_set points posted_at on source why",
        _postings,
    ),
    _section("awards", "origin external_id rule source on points", _awards),
    _section("days", "on source points", _days),
    _section(
        "score",
        "score points sub_scores source_points rule_set scored_on scored_at",
        _score,
        is_one=True,
    ),
    _section("badges", "badge title level earned_at revoked_at revoked_why", _badges),
    _section("badge_shares", "badge address shared_at", _badge_shares),
    _section("rhythm", "starts_on days", _rhythm),
    _section("board_places", "period starts_on ends_on rank points", _board_places),
    _section("consents", "purpose channel given wording version language way at", _consents),
    _section("data_uses", "at type purpose channel title role", _data_uses),
    _section("staff_log", "at what of said", _staff_log),
)
