"""Making a person nobody: a customer of one brand, or a login with everything that hangs on it.

What happened stays, so that a brand's sums stay true: actions, their amendments, postings, earned badges, consents
and moves of identifiers hang on a customer who has no login, no name and a number drawn anew. All that could say who
that was goes, in one transaction: ``fields.CLASSIFIED`` says field by field what becomes of it. What lies outside the
database goes with it: photos before the commit, so that none is left without a row, and Redis after it.

A customer's row is locked first, as it is by whoever scores them and by whoever moves an identifier; then their
identifiers, which an arriving action needs. So what was on its way is either there to be erased, or finds nobody.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.postgres.functions import RandomUUID
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.storage import Storage
from django.db import OperationalError, connection, transaction
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from accounts.identity import ERASED_SCHEME, take_back
from accounts.models import (
    Brand,
    ContactRules,
    Customer,
    DataUseOf,
    Identifier,
    LinkEvent,
    StaffRole,
    User,
)
from accounts.staff import LastOwnerError, dismiss_staff, is_last_owner
from accounts.walls import lifted
from loyalty.pages.purchase import drop_kept_photo
from loyalty.privacy.erasures import Entry, ErasedCustomer, ErasedLogin, note_erasures
from loyalty.privacy.person import (
    addresses_of,
    codes_of,
    disputes_of,
    identifiers_of,
    log_about,
    unclaimed,
    with_merged,
)
from scoring.models import (
    Action,
    Amendment,
    BadgeShare,
    ClosedPlace,
    DailyPoints,
    Due,
    Evidence,
    HomeVenue,
    Objection,
    Rhythm,
    Score,
)
from scoring.ranks import forget_rank

log = logging.getLogger(__name__)

# Shorter than PostgreSQL takes to look for a deadlock: it is never the other one who is refused.
LOCK_WAIT = "500ms"
TRIES = 40
PAUSE_SECONDS = 0.25

Result = TypeVar("Result")


class EraseError(Exception):
    """That nothing was erased, and why, in a sentence for the person."""


class StillStaffError(EraseError):
    """The login is a brand's only owner, or runs the installation."""


class BusyError(EraseError):
    """Something else held on to the person's data for too long."""


class NoListError(EraseError):
    """The list of erasures cannot be written, so that a restore would bring the person back."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done: the brands, and how much of what the person may know of went or was made nobody's."""

    brands: tuple[Brand, ...]
    names: int
    actions: int
    photos: int
    sessions: int


def erase_customer(*, customer: Customer, now: datetime) -> Erased:
    """Make a customer nobody, with whoever was merged into them; their login stays. May run twice.

    Raises BusyError where it had to wait too long, and NoListError; then nothing was changed.
    """
    return _patiently(partial(_erase_customer, customer.pk, now))


def erase_user(*, user: User, now: datetime) -> Erased:
    """Erase a login and make its customers with all brands nobody. Its roles end.

    Raises StillStaffError while it is a brand's only owner or runs the installation, and what
    ``erase_customer`` raises; then nothing was changed.
    """
    with lifted("a login goes, and with it what says in whatever brand that it was theirs"):
        return _patiently(partial(_erase_user, user.pk, now))


def erase_again(*, entries: Iterable[Entry]) -> int:
    """Erase whoever of a list is there, after a restore from before they were erased; returns how many were.

    A role that a login has in the backup goes with it. Nothing is added to this installation's list. May run twice.
    """
    return sum(_patiently(partial(_erase_entry, entry)) for entry in entries)


def _erase_entry(entry: Entry) -> int:
    if isinstance(entry, ErasedCustomer):
        found = Customer.objects.filter(public_id=entry.public_id, erased_at=None)
        own = list(found.values_list("pk", flat=True))
        if own:
            _erase(_lock(own, None, None, entry.at), None, entry.at, is_noted=True)
        return len(own)
    login = User.objects.filter(pk=entry.pk, created_at=entry.made_at).first()
    if login is None:
        return 0
    StaffRole.objects.filter(user=login).delete()
    User.objects.filter(pk=login.pk).update(is_superuser=False)
    _erase_user(login.pk, entry.at, is_noted=True)
    return 1


def may_erase(*, user: User) -> str:
    """Why a login cannot be erased now, in a sentence; empty where it can.

    Anybody can be given a role without being asked, so that a role alone is no reason.
    """
    if user.is_superuser:
        return _(
            "You run this installation. Hand that over to somebody else first; then you can erase your login here."
        )
    with lifted("whether a brand would be left without an owner"):
        names = ", ".join(
            brand.name
            for brand in Brand.objects.filter(pk__in=user.roles).order_by("name")
            if is_last_owner(brand_id=brand.pk, user_id=user.pk)
        )
    if not names:
        return ""
    return _(
        "You are the only owner of %(brands)s. Make somebody else an owner first; then you can erase your login here."
    ) % {"brands": names}


def _patiently(work: Callable[[], Result]) -> Result:
    """Do the work in a transaction, giving way to whoever holds what it needs."""
    for _turn in range(TRIES):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, TRUE)", [LOCK_WAIT])
                result = work()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', '0', TRUE)")
                return result
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
        time.sleep(PAUSE_SECONDS)
    raise BusyError(
        _("Your score is just being worked out. Nothing was erased. Please try again in a minute.")
    )


def _erase_customer(pk: int, now: datetime) -> Erased:
    customer = Customer.objects.select_related("user", "brand").get(pk=pk)
    return _erase(_lock([pk], customer.user, customer.brand, now), None, now)


def _erase_user(pk: int, now: datetime, *, is_noted: bool = False) -> Erased:
    # Whoever joins a brand locks the login too, so that no customer is added meanwhile.
    user = User.objects.select_for_update().get(pk=pk)
    if refused := may_erase(user=user):
        raise StillStaffError(refused)
    _end_roles(user)
    own = Customer.objects.filter(user=user).order_by("pk").values_list("pk", flat=True)
    return _erase(_lock(list(own), user, None, now), user, now, is_noted=is_noted)


def _end_roles(user: User) -> None:
    """Take the login's roles away. The log keeps that a brand has one less of a role, and not who it was."""
    roles = StaffRole.objects.filter(user=user).select_related("brand").order_by("brand")
    try:
        for role in list(roles):
            dismiss_staff(brand=role.brand, user=user)
            said = "%s of %s erased their login and works there no more."
            transaction.on_commit(partial(log.info, said, role.role, role.brand.slug), robust=True)
    except LastOwnerError as error:
        # The other owner went in this moment.
        raise StillStaffError(may_erase(user=user)) from error


def _erase(
    customers: list[int], user: User | None, now: datetime, *, is_noted: bool = False
) -> Erased:
    """Make locked customers nobody, and delete the login if there is one."""
    identifiers = _lock_identifiers(customers)
    entries: list[Entry] = [
        ErasedCustomer(public_id, now)
        for public_id in Customer.objects.filter(pk__in=customers).values_list(
            "public_id", flat=True
        )
    ]
    if user is not None:
        entries.append(ErasedLogin(user.pk, user.created_at, now))
    brands = tuple(Brand.objects.filter(customers__in=customers).distinct().order_by("name", "pk"))
    ranked = list(Customer.objects.filter(pk__in=customers).values_list("brand_id", "pk"))
    names = Identifier.objects.filter(pk__in=identifiers).exclude(scheme="laurel").count()
    log_about(customers, user).update(object_repr="", change_message="")
    photos = _forget(customers, identifiers)
    actions = _make_nobody(customers, identifiers, now)
    sessions = _erase_login(user) if user is not None else []
    if not is_noted:
        _note(entries)
    for storage, name in photos:
        # The last step: a file that is gone while its row comes back is a photo less; the other way it would be kept.
        storage.delete(name)
    _after_commit(ranked, sessions)
    return Erased(brands, names, actions, len(photos), len(sessions))


def _note(entries: list[Entry]) -> None:
    try:
        note_erasures(entries)
    except OSError as error:
        log.exception("LAUREL_ERASURES cannot be written, and nobody can be erased.")
        raise NoListError(
            _(
                "Something is broken here. Nothing was erased. Please write to whoever runs the site."
            )
        ) from error


def _lock(own: list[int], user: User | None, brand: Brand | None, now: datetime) -> list[int]:
    """Lock the customers, then those merged into them and what is theirs besides; the numbers of all of them.

    One who was merged into somebody else's customer is apart again first, with all that came from them.
    """
    for customer in Customer.objects.select_for_update().filter(pk__in=own).order_by("pk"):
        if customer.merged_into_id is not None:
            take_back(customer=customer, now=now)

    def theirs() -> set[int]:
        merged = with_merged(own)
        return {*merged, *unclaimed(merged, user, brand, now)}

    rows = Customer.objects.select_for_update().filter(pk__in=theirs(), erased_at=None)
    locked = {row.pk for row in rows.order_by("pk")}
    # What somebody else claimed until the lock was there is that one's.
    return sorted(locked & theirs())


def _lock_identifiers(customers: list[int]) -> list[int]:
    """Lock what the customers hold; what was being recorded under it is recorded when this returns."""
    held = Identifier.objects.select_for_update().filter(pk__in=identifiers_of(customers))
    return list(held.order_by("pk").values_list("pk", flat=True))


def _forget(customers: list[int], identifiers: list[int]) -> list[tuple[Storage, str]]:
    """Delete what only the person needed; returns the photos, whose files are still there."""
    evidence = Evidence.objects.filter(action__identifier__in=identifiers)
    photos = [(one.photo.storage, str(one.photo)) for one in evidence]
    evidence.delete()
    Objection.objects.filter(action__identifier__in=identifiers).delete()
    codes_of(customers).delete()
    disputes_of(customers).delete()
    Due.objects.filter(identifier__in=identifiers).delete()
    for model in (
        Due,
        Score,
        DailyPoints,
        Rhythm,
        HomeVenue,
        ClosedPlace,
        BadgeShare,
        ContactRules,
        DataUseOf,
    ):
        rows: Any = model
        rows.objects.filter(customer__in=customers).delete()
    return photos


def _make_nobody(customers: list[int], identifiers: list[int], now: datetime) -> int:
    """Take the person out of what stays; returns how many actions there are."""
    actions = Action.objects.filter(identifier__in=identifiers)
    # The database lets nothing else of an action change.
    actions.exclude(attributes=None).update(attributes=None)
    Amendment.objects.filter(identifier__in=identifiers).exclude(reason="").update(reason="")
    moves = LinkEvent.objects.filter(identifier__in=identifiers)
    moves |= LinkEvent.objects.filter(from_customer__in=customers)
    moves |= LinkEvent.objects.filter(to_customer__in=customers)
    moves.exclude(reason="").update(reason="")
    # The database draws another number for each row.
    Identifier.objects.filter(pk__in=identifiers).update(
        scheme=ERASED_SCHEME,
        value=Cast(RandomUUID(), CharField()),
        proven_at=None,
        proof="",
        counts_from=None,
        sources_off=0,
    )
    Customer.objects.filter(pk__in=customers).update(
        user=None,
        public_id=RandomUUID(),
        pseudonym="",
        joined_at=None,
        on_boards=False,
        paused_at=None,
        sources_off=0,
        erased_at=now,
    )
    return actions.count()


def _erase_login(user: User) -> list[str]:
    """Delete the login with all that hangs on it; returns the keys of its sessions."""
    keys = _sessions_of(user)
    Session.objects.filter(session_key__in=keys).delete()
    # Who decided, published or looked is forgotten with them; the rows that say so stay.
    user.delete()
    return keys


def _sessions_of(user: User) -> list[str]:
    """The sessions in which the login is signed in, or being signed in to.

    All sessions are looked through: what a session holds is found by nothing else.
    """
    # Whole: another's may end like one of theirs.
    addresses = "|".join(map(re.escape, addresses_of(user)))
    theirs = re.compile(rf"(?<![\w.+-])(?:{addresses})(?![\w-]|\.\w)", re.IGNORECASE)
    found = []
    for session in Session.objects.iterator(chunk_size=1000):
        said = session.get_decoded()
        if str(said.get(SESSION_KEY)) == str(user.pk) or _says(said, theirs):
            found.append(session.session_key)
    return found


def _says(said: Any, text: re.Pattern[str]) -> bool:
    """Whether the text stands anywhere in what a session holds."""
    if isinstance(said, dict):
        return any(_says(inside, text) for pair in said.items() for inside in pair)
    if isinstance(said, list):
        return any(_says(inside, text) for inside in said)
    return isinstance(said, str) and text.search(said) is not None


def _after_commit(ranked: list[tuple[int, int]], sessions: list[str]) -> None:
    """Take the person out of Redis, once nothing in PostgreSQL can put them there again.

    Where it is away, what it kept of sessions and photos ends by itself, and ranks are rebuilt.
    """

    def forget(brand_id: int, customer_id: int) -> Callable[[], None]:
        def act() -> None:
            drop_kept_photo(customer_id)
            forget_rank(brand_id=brand_id, customer_id=customer_id)

        return act

    def end() -> None:
        store = import_module(settings.SESSION_ENGINE).SessionStore()
        cache.delete_many([f"{store.cache_key_prefix}{key}" for key in sessions])

    for brand_id, customer_id in ranked:
        transaction.on_commit(forget(brand_id, customer_id), robust=True)
    if sessions:
        transaction.on_commit(end, robust=True)
