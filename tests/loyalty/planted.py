"""A customer with something in every field that a person can have, found nowhere else, and how to look for it."""

import io
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.cached_db import SessionStore
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import connection, models, transaction
from django.db.models import Q
from django.test import Client
from PIL import Image

from accounts.models import (
    Brand,
    Consent,
    ContactRules,
    Customer,
    DataUse,
    DataUseOf,
    Dispute,
    Identifier,
    LinkCode,
    LinkEvent,
    Purpose,
    User,
)
from loyalty.pages.purchase import keep_photo
from loyalty.privacy.fields import CLASSIFIED, INTERNAL, Fate, Field
from scoring.actions import (
    ActionRow,
    CorrectionRow,
    DecisionRow,
    VoidRow,
    mark_due,
    record_actions,
)
from scoring.boards import choose_home
from scoring.models import (
    Action,
    Badge,
    BadgeEarned,
    BadgeShare,
    ClosedBoard,
    ClosedPlace,
    Due,
    Evidence,
    Objection,
    Posting,
    Source,
    Venue,
)
from scoring.ranks import redis_client
from scoring.records import Row
from scoring.rhythm import choose_rhythm
from tests.people import MONDAY, Person, join, score_all_due

NOW = MONDAY + timedelta(hours=8)


def jpeg(colour: str) -> bytes:
    """A small photo."""
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "JPEG")
    return out.getvalue()


def live(brand: Brand, email: str) -> Person:
    """Somebody who has done everything that one can do with a brand."""
    person = join(brand, email)
    customer, user = person.customer, person.user
    assert customer
    _report(customer, email)
    card = Identifier.objects.create(
        brand=brand, customer=customer, scheme="card", value=f"card-{email}", proven_at=NOW
    )
    unlinked = Customer.objects.create(brand=brand)
    handle = Identifier.objects.create(
        brand=brand, customer=unlinked, scheme="birdsong", value=f"@{email}"
    )
    merged = Customer.objects.create(brand=brand, merged_into=customer)
    for before, after, type_ in (
        (unlinked, customer, LinkEvent.Type.LINK),
        (customer, unlinked, LinkEvent.Type.UNLINK),
    ):
        LinkEvent.objects.create(
            identifier=handle,
            from_customer=before,
            to_customer=after,
            type=type_,
            reason="asked for",
            counts_from=NOW,
            at=NOW,
        )
    other = Customer.objects.create(brand=brand)
    Dispute.objects.create(
        brand=brand,
        identifier=card,
        claimant=other,
        holder=customer,
        proof="code",
        opened_at=NOW,
        decided_at=NOW,
        moved=False,
        note="stays",
    )
    LinkCode.objects.create(
        brand=brand,
        scheme="card",
        value=card.value,
        digest=f"digest {email}",
        made_at=NOW,
        expires_at=NOW,
        used_at=NOW,
        used_by=customer,
    )
    _choose(customer)
    _take_part(customer)
    use = DataUse.objects.create(
        brand=brand, type="export", purpose="news", channel="email", title="List", people=1, at=NOW
    )
    DataUseOf.objects.create(customer=customer, use=use)
    _sign_in(user, email)
    staff = User.objects.create_user(f"staff-for-{user.pk}@example.org")
    for row in (customer, card, Action.objects.filter(identifier__customer=customer)[0], user):
        LogEntry.objects.create(
            user=staff,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=f"{email} in the log",
            action_flag=CHANGE,
            change_message=f"changed {email}",
        )
    Customer.objects.filter(pk=merged.pk).update(pseudonym="Former Name", paused_at=NOW)
    Customer.objects.filter(pk=customer.pk).update(on_boards=True)
    score_all_due(brand, now=NOW)
    mark_due(brand=brand, customers=[customer.pk], why=Posting.Why.FACTS, now=NOW)
    Due.objects.filter(customer=customer).update(since=NOW.date(), until=NOW.date())
    customer.refresh_from_db()
    return person


def _report(customer: Customer, email: str) -> None:
    own = f"laurel:{customer.public_id}"

    def action(number: str, kind: str, days: int, **more: Any) -> ActionRow:
        return ActionRow(
            origin="till",
            external_id=f"{email}-{number}",
            identifier=more.pop("identifier", own),
            kind=kind,
            occurred_at=MONDAY - timedelta(days=days),
            **more,
        )

    rows: list[Row] = [
        action(
            "1", "purchase", 3, quantity=Decimal("24.90"), attributes={"receipt": f"R1-{email}"}
        ),
        action("2", "purchase", 4, quantity=Decimal(12), identifier=f"email:{email}"),
        action("3", "purchase", 5, quantity=Decimal(99), attributes={"receipt": f"R3-{email}"}),
        action("4", "purchase", 6, quantity=Decimal(50), state="pending", channel="web"),
        action("5", "purchase", 7, quantity=Decimal(60), state="pending"),
        *(action(f"v{day}", "check_in", day, venue=_home(customer).slug) for day in range(1, 5)),
        CorrectionRow("till", f"c-{email}", f"{email}-1", Decimal("20.40"), NOW),
        VoidRow("till", f"v-{email}", f"{email}-3", NOW, f"brought back by {email}"),
        DecisionRow("laurel", f"d-{email}", f"{email}-5", accepted=False, at=NOW, reason="no"),
        DecisionRow("till", f"d-{email}", f"{email}-5", accepted=True, at=NOW, reason="seen"),
    ]
    outcomes = record_actions(brand=customer.brand, rows=rows, now=NOW)
    assert {outcome.status for outcome in outcomes} == {"accepted"}, outcomes
    claim = Action.objects.get(brand=customer.brand, external_id=f"{email}-4")
    Evidence.objects.create(
        action=claim, photo=ContentFile(jpeg("red"), name="photo.jpg"), added_at=NOW
    )
    Objection.objects.create(
        action=claim,
        text=f"{email} objects",
        made_at=NOW,
        answer=f"dear {email}",
        answered_at=NOW,
    )
    score_all_due(customer.brand, now=NOW)


def _home(customer: Customer) -> Venue:
    return customer.brand.venues.order_by("pk")[0]


def _choose(customer: Customer) -> None:
    for channel in ("email", "sms"):
        Consent.objects.create(
            customer=customer,
            purpose=Purpose.NEWS,
            channel=channel,
            given=True,
            wording="May we write?",
            version="1",
            language="en",
            way="page",
            at=NOW,
        )
    ContactRules.objects.create(
        customer=customer,
        quiet_from=time(22),
        quiet_until=time(7),
        weekly_most=3,
    )
    choose_rhythm(customer=customer, days=2, on=NOW.date())
    choose_home(customer=customer, venue=_home(customer))


def _take_part(customer: Customer) -> None:
    badge, _new = Badge.objects.get_or_create(
        brand=customer.brand,
        slug="regular",
        defaults={
            "title": "Regular",
            "source": Source.PHYSICAL_VISITS,
            "criterion": "actions",
            "parameters": {"kinds": ["check_in"]},
            "levels": [3],
        },
    )
    BadgeEarned.objects.get_or_create(
        customer=customer, badge=badge, level=1, revoked_at=None, defaults={"earned_at": NOW}
    )
    BadgeEarned.objects.create(
        customer=customer, badge=badge, level=1, earned_at=NOW, revoked_at=NOW, revoked_why="facts"
    )
    BadgeShare.objects.create(customer=customer, badge=badge, shared_at=NOW)
    board, _new = ClosedBoard.objects.get_or_create(
        brand=customer.brand,
        period="week",
        starts_on=NOW.date() - timedelta(days=7),
        defaults={"ends_on": NOW.date() - timedelta(days=1), "closed_at": NOW},
    )
    ClosedPlace.objects.create(board=board, customer=customer, rank=1, points=5)
    keep_photo(customer, b"a photo of " + str(customer.pk).encode())


def _sign_in(user: User, email: str) -> None:
    address, _new = EmailAddress.objects.get_or_create(
        user=user, email=email, defaults={"primary": True, "verified": True}
    )
    EmailConfirmation.objects.create(email_address=address, sent=NOW, key=f"key {email}")
    for type_ in ("webauthn", "totp"):
        Authenticator.objects.create(
            user=user, type=type_, data={"name": f"{type_} of {email}"}, last_used_at=NOW
        )
    account = SocialAccount.objects.create(
        user=user, provider="birdsong", uid=f"uid {email}", extra_data={"handle": f"@{email}"}
    )
    app, _new = SocialApp.objects.get_or_create(provider="openid_connect", name="Birdsong")
    SocialToken.objects.create(
        app=app, account=account, token="t", token_secret="s", expires_at=NOW
    )
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    UserSession.objects.create(
        user=user, ip="203.0.113.9", session_key=f"listed {email}"[:40], user_agent=f"of {email}"
    )
    user.groups.add(Group.objects.get_or_create(name="nobody uses these")[0])
    user.user_permissions.add(Permission.objects.all()[0])
    user.last_login = NOW
    user.name = f"Name of {email}"
    user.save()


# Whose rows are whose


class Subject(NamedTuple):
    """The numbers of a person's customers, and of their login."""

    customers: list[int]
    user: int

    @classmethod
    def of(cls, person: Person) -> "Subject":
        """The customer, those merged into it, and what it once had and holds no more."""
        assert person.customer
        own = person.customer.pk
        merged = Customer.objects.filter(merged_into=own).values_list("pk", flat=True)
        left = LinkEvent.objects.filter(from_customer=own, type="unlink")
        return cls([own, *merged, *left.values_list("to_customer", flat=True)], person.user.pk)


def _mine(path: str) -> Callable[[Subject], Q]:
    return lambda subject: Q(**{f"{path}__in": subject.customers})


def _login(path: str) -> Callable[[Subject], Q]:
    return lambda subject: Q(**{path: subject.user})


OF_LOGIN: dict[str, Callable[[Subject], Q]] = {
    "accounts.User": _login("pk"),
    "accounts.User_groups": _login("user"),
    "accounts.User_user_permissions": _login("user"),
    "account.EmailAddress": _login("user"),
    "account.EmailConfirmation": _login("email_address__user"),
    "mfa.Authenticator": _login("user"),
    "socialaccount.SocialAccount": _login("user"),
    "socialaccount.SocialToken": _login("account__user"),
    "usersessions.UserSession": _login("user"),
}
OF_CUSTOMER: dict[str, Callable[[Subject], Q]] = {
    "accounts.Customer": _mine("pk"),
    "accounts.Identifier": _mine("customer"),
    "accounts.LinkEvent": lambda one: (
        Q(to_customer__in=one.customers) | Q(from_customer__in=one.customers)
    ),
    "accounts.Dispute": lambda one: Q(holder__in=one.customers) | Q(claimant__in=one.customers),
    "accounts.LinkCode": _mine("used_by"),
    "accounts.Consent": _mine("customer"),
    "accounts.ContactRules": _mine("customer"),
    "accounts.DataUseOf": _mine("customer"),
    "scoring.Rhythm": _mine("customer"),
    "scoring.HomeVenue": _mine("customer"),
    "scoring.Action": _mine("identifier__customer"),
    "scoring.Amendment": _mine("identifier__customer"),
    "scoring.Evidence": _mine("action__identifier__customer"),
    "scoring.Objection": _mine("action__identifier__customer"),
    "scoring.Posting": _mine("customer"),
    "scoring.BadgeEarned": _mine("customer"),
    "scoring.DailyPoints": _mine("customer"),
    "scoring.Score": _mine("customer"),
    "scoring.Due": _mine("customer"),
    "scoring.BadgeShare": _mine("customer"),
    "scoring.ClosedPlace": _mine("customer"),
}
# Found by other means: a session by what is in it, the log by what it is about. Who works for a brand is not erased.
OTHERWISE = {"sessions.Session", "admin.LogEntry", "accounts.StaffRole"}

assert OF_LOGIN.keys() | OF_CUSTOMER.keys() | OTHERWISE == {
    model
    for model, fields in CLASSIFIED.items()
    if any(field.erased != Fate.UNTOUCHED for field in fields.values())
    and any(field.note != "" or field.personal for field in fields.values())
    and model not in {"accounts.DataUse", "accounts.ConsentText", "scoring.RuleSet"}
}, "say whose rows they are"


def rows_of(model: str, subject: Subject) -> Any:
    """The rows of a model that are the person's."""
    manager: Any = apps.get_model(model)._default_manager
    if model == "admin.LogEntry":
        return manager.filter(user__email=f"staff-for-{subject.user}@example.org").order_by("pk")
    return manager.filter((OF_LOGIN | OF_CUSTOMER)[model](subject)).order_by("pk")


# Planting


class Planted(NamedTuple):
    """A value that was put into one field of one row, and is nowhere else."""

    model: str
    name: str
    value: Any

    @property
    def field(self) -> Field:
        """What is said of the field."""
        return CLASSIFIED[self.model][self.name]

    @property
    def text(self) -> str:
        """How files write it."""
        if isinstance(self.value, dict):
            return str(next(reversed(self.value.values())))
        if isinstance(self.value, Decimal):
            return f"{self.value:f}".rstrip("0").rstrip(".")
        return self.value.isoformat() if hasattr(self.value, "isoformat") else str(self.value)


_numbers = itertools.count(1)

# What has a meaning of its own, by which rows are found again.
LEFT_AS_IT_IS = {
    ("accounts.Identifier", "scheme"),
    ("accounts.LinkCode", "scheme"),
    ("scoring.Evidence", "photo"),
    ("usersessions.UserSession", "session_key"),
}


def plantable(field: models.Field[Any, Any]) -> bool:
    """Whether a field has room for a value that is nowhere else."""
    if field.is_relation or field.choices or not field.column:
        return False
    if (field.model._meta.label, field.name) in LEFT_AS_IT_IS:
        return False
    short = isinstance(field, models.CharField) and (field.max_length or 99) < 16
    return not short and isinstance(
        field,
        models.CharField
        | models.TextField
        | models.JSONField
        | models.UUIDField
        | models.DateTimeField
        | models.DateField
        | models.TimeField
        | models.DecimalField
        | models.GenericIPAddressField
        | models.BigIntegerField,
    )


def _value(field: models.Field[Any, Any]) -> Any:
    number = next(_numbers)
    moment = datetime(2031, 1, 1, tzinfo=UTC) + timedelta(hours=31 * number, seconds=number)
    name = f"planted{number:05d}"
    if isinstance(field, models.EmailField):
        return f"{name}@example.org"
    if isinstance(field, models.DateTimeField):
        return moment
    if isinstance(field, models.DateField):
        return moment.date()
    if isinstance(field, models.TimeField):
        return time(number // 60 % 24, number % 60)
    if isinstance(field, models.DecimalField):
        return Decimal(number) + Decimal(7) / 10**field.decimal_places
    if isinstance(field, models.UUIDField):
        return uuid4()
    if isinstance(field, models.JSONField):
        key = "receipt" if field.name == "attributes" else "secret"
        return {"name": f"called {number}", key: name} if key == "secret" else {key: name}
    if isinstance(field, models.GenericIPAddressField):
        return f"198.51.{number // 250}.{number % 250 + 1}"
    if isinstance(field, models.BigIntegerField):
        return 70_000_000 + number
    return name


def plant(person: Person) -> list[Planted]:
    """Put a value of its own into every field of every row of the person that has room for one."""
    subject, planted = Subject.of(person), []
    for model in (*OF_LOGIN, *OF_CUSTOMER):
        for row in rows_of(model, subject):
            planted += _plant(model, row, _fields(model, row))
    for entry in rows_of("admin.LogEntry", subject):
        planted += _plant("admin.LogEntry", entry, ["object_repr", "change_message"])
    person.user.refresh_from_db()
    assert person.customer
    person.customer.refresh_from_db()
    # Somebody began to sign in as them elsewhere, and typed the address in capitals.
    half_way = SessionStore()
    half_way["account_login"] = {"email": person.user.email.upper(), "code": "1"}
    half_way.save()
    return planted


def _fields(model: str, row: models.Model) -> Iterator[str]:
    for field in row._meta.local_fields:
        said = CLASSIFIED[model][field.name] if field.column else None
        if said is None or said.note == INTERNAL or not plantable(field):
            continue
        if getattr(row, field.attname) not in (None, "") or field.name in {"reason", "last_login"}:
            yield field.name


def _field(row: models.Model, name: str) -> models.Field[Any, Any]:
    field = row._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def _plant(model: str, row: models.Model, names: Any) -> list[Planted]:
    values = {name: _value(_field(row, name)) for name in names}
    if not values:
        return []
    columns = [_field(row, name).column for name in values]
    cells = [json.dumps(v) if isinstance(v, dict) else v for v in values.values()]
    keys = [field.column for field in row._meta.pk_fields]
    with transaction.atomic(), connection.cursor() as cursor:
        # So that what the database guards can be planted too.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {', '.join(f'{c} = %s' for c in columns)}"  # noqa: S608
            f" WHERE {' AND '.join(f'{key} = %s' for key in keys)}",
            [*cells, *(row.pk if isinstance(row.pk, tuple) else [row.pk])],
        )
        assert cursor.rowcount == 1, (model, row.pk)
        cursor.execute("SET LOCAL session_replication_role = origin")
    return [Planted(model, name, value) for name, value in values.items()]


def expected_fields(*, customers: bool = True, login: bool = True) -> set[tuple[str, str]]:
    """Every personal field that has room for a value of its own."""
    chosen = (OF_LOGIN if login else {}) | (OF_CUSTOMER if customers else {})
    return {
        (model, field.name)
        for model in chosen
        for field in apps.get_model(model)._meta.local_fields
        if field.column and CLASSIFIED[model][field.name].personal and plantable(field)
    }


# Looking everywhere


def found_in_database(texts: set[str]) -> list[str]:
    """The columns of any table in which one of the texts stands; sessions are opened first."""
    places = []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND (data_type IN ('text', 'character varying', 'json', 'jsonb',
                'uuid', 'inet', 'bytea', 'character') OR data_type = 'ARRAY')
            ORDER BY table_name, column_name
            """
        )
        columns = cursor.fetchall()
        assert len(columns) > 100
        for table, column in columns:
            cursor.execute(
                f'SELECT wanted FROM unnest(%s::text[]) AS wanted WHERE EXISTS (SELECT FROM "{table}"'  # noqa: S608
                f' WHERE position(lower(wanted) IN lower("{column}"::text)) > 0)',
                [sorted(texts)],
            )
            places += [f"{table}.{column}: {text}" for (text,) in cursor.fetchall()]
    for session in Session.objects.all():
        said = json.dumps(session.get_decoded()).lower()
        places += [f"session: {text}" for text in texts if text.lower() in said]
    return places


def found_in_files(texts: set[str]) -> list[str]:
    """The files under MEDIA_ROOT in whose name or content one of the texts stands."""
    places = []
    for path in Path(settings.MEDIA_ROOT).rglob("*"):
        content = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        places += [f"{path}: {text}" for text in texts if text.encode() in content]
    return places


def found_in_redis(texts: set[str]) -> list[str]:
    """The keys in whose name or value one of the texts stands."""
    client: Any = redis_client()
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
    }
    places = []
    for key in client.scan_iter(count=1000):
        said = (repr(key) + repr(read[client.type(key)](key))).lower()
        places += [f"{key!r}: {text}" for text in texts if text.lower() in said]
    return places


def found_anywhere(texts: set[str]) -> list[str]:
    """Every place of the installation, but for mail that was sent, in which one of the texts stands."""
    return [*found_in_database(texts), *found_in_files(texts), *found_in_redis(texts)]


def everything() -> dict[str, dict[Any, dict[str, Any]]]:
    """Every row of every classified model, by its key."""
    return {
        model: {
            row.pk: {f.name: getattr(row, f.attname) for f in row._meta.local_fields if f.column}
            for row in apps.get_model(model)._default_manager.all()
        }
        for model in CLASSIFIED
    }
