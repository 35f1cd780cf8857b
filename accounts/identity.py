"""Identifiers and whose they are. This module is the only way by which an identifier moves.

No action is ever rewritten when an identifier moves: what it earned follows, because scoring asks
who holds it now. ``identifier_moved`` tells higher floors that two customers must be scored anew.
"""

import random
import re
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.dispatch import Signal

from .models import Brand, Customer, Identifier, LinkEvent, User
from .words import PSEUDONYM_ADJECTIVES, PSEUDONYM_NOUNS

# Sent inside the transaction, with: identifier, from_customer, to_customer, now.
identifier_moved = Signal()

OWN_SCHEME = "laurel"
# So many pseudonyms are tried before a number is added to one.
PROPOSALS = 20
_SCHEME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class IdentifierError(ValueError):
    """A text that is no identifier; says why in a sentence."""


def parse_identifier(text: str) -> tuple[str, str]:
    """Split ``scheme:value``; the scheme and the value of an e-mail address are put in small letters.

    Raises IdentifierError with a sentence for a text that is none.
    """
    scheme, colon, value = text.strip().partition(":")
    scheme, value = scheme.strip().lower(), value.strip()
    if not colon or not value or not _SCHEME.fullmatch(scheme):
        raise IdentifierError(
            f"an identifier looks like email:someone@example.org; this is {text[:80]!r}"
        )
    value = value.lower() if scheme == "email" else value
    if len(value) > 254 or any(ord(letter) < 32 for letter in value):
        raise IdentifierError("an identifier has at most 254 printable characters after the colon")
    return scheme, value


def create_customer(
    *, brand: Brand, now: datetime, user: User | None = None, pseudonym: str = ""
) -> Customer:
    """Make a customer of a brand, with Laurel's own identifier."""
    customer = Customer.objects.create(
        brand=brand, user=user, pseudonym=pseudonym, joined_at=now if user else None
    )
    Identifier.objects.create(
        brand=brand,
        customer=customer,
        scheme=OWN_SCHEME,
        value=str(customer.public_id),
        proven_at=now,
        proof=Identifier.Proof.OWN,
    )
    return customer


@transaction.atomic
def join_brand(*, brand: Brand, user: User, now: datetime) -> Customer:
    """The user's customer with a brand, made if there is none; may run twice.

    Whatever arrived for the user's e-mail address before becomes theirs: signing in proved it.
    """
    # The user's row is the lock: who joins twice at once becomes one customer.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    customer = Customer.objects.filter(brand=brand, user=user).first()
    if customer is None:
        customer = create_customer(brand=brand, user=user, now=now)
        customer.pseudonym = propose_free_pseudonym(customer=customer)
        customer.save(update_fields=["pseudonym"])
    prove_identifier(brand=brand, text=f"email:{user.email}", customer=customer, now=now)
    return customer


@transaction.atomic
def prove_identifier(*, brand: Brand, text: str, customer: Customer, now: datetime) -> Identifier:
    """Give a customer an identifier that they have proved to be theirs; may run twice.

    One that another customer has proved is refused: raises IdentifierError.
    """
    scheme, value = parse_identifier(text)
    identifier, is_new = Identifier.objects.select_for_update().get_or_create(
        brand=brand,
        scheme=scheme,
        value=value,
        defaults={"customer": customer, "proven_at": now},
    )
    if is_new or (identifier.customer_id == customer.pk and identifier.proven_at):
        return identifier
    if identifier.customer_id != customer.pk:
        if identifier.proven_at is not None:
            raise IdentifierError("another customer has proved that this is theirs")
        link_identifier(identifier=identifier, customer=customer, reason="proved", now=now)
        identifier.customer = customer
    identifier.proven_at = now
    identifier.save(update_fields=["proven_at"])
    return identifier


@transaction.atomic
def link_identifier(
    *, identifier: Identifier, customer: Customer, reason: str, now: datetime
) -> None:
    """Move an identifier, and with it what it earned, to another customer of the same brand."""
    identifier = Identifier.objects.select_for_update().get(pk=identifier.pk)
    if identifier.brand_id != customer.brand_id:
        raise IdentifierError("an identifier stays within its brand")
    if identifier.customer_id == customer.pk:
        return
    former = identifier.customer
    LinkEvent.objects.create(
        identifier=identifier, from_customer=former, to_customer=customer, reason=reason, at=now
    )
    Identifier.objects.filter(pk=identifier.pk).update(customer=customer)
    identifier_moved.send(
        sender=Identifier,
        identifier=identifier,
        from_customer=former,
        to_customer=customer,
        now=now,
    )


def resolve_identifiers(
    *, brand: Brand, identifiers: Iterable[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], int]:
    """The ids of identifiers, each given as (scheme, value).

    One that nobody has seen gets an unclaimed customer of its own. Must run in a transaction. Rows
    are added in one order everywhere, so that two callers at once cannot wait for each other.
    """
    wanted = sorted(set(identifiers))
    found = _ids_of(brand, wanted)
    missing = [pair for pair in wanted if pair not in found]
    if not missing:
        return found
    with connection.cursor() as cursor:
        # A customer is made for each first; one whose identifier was added by somebody else
        # meanwhile is not needed, and goes again.
        customers = Customer.objects.bulk_create([Customer(brand=brand) for _pair in missing])
        cursor.execute(
            """
            INSERT INTO accounts_identifier (brand_id, customer_id, scheme, value, created_at)
            SELECT %s, * , %s FROM unnest(%s::bigint[], %s::text[], %s::text[])
            ON CONFLICT DO NOTHING
            RETURNING customer_id
            """,
            [
                brand.pk,
                now,
                [customer.pk for customer in customers],
                [scheme for scheme, _value in missing],
                [value for _scheme, value in missing],
            ],
        )
        used = {row[0] for row in cursor.fetchall()}
        Customer.objects.filter(pk__in=[c.pk for c in customers if c.pk not in used]).delete()
        cursor.execute(
            """
            INSERT INTO accounts_identifier (brand_id, customer_id, scheme, value, proven_at, proof, created_at)
            SELECT brand_id, id, %s, public_id::text, %s, 'own', %s FROM accounts_customer WHERE id = ANY(%s)
            """,
            [OWN_SCHEME, now, now, sorted(used)],
        )
    return found | _ids_of(brand, missing)


def _ids_of(brand: Brand, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT identifier.scheme, identifier.value, identifier.id
            FROM unnest(%s::text[], %s::text[]) AS wanted (scheme, value)
            JOIN accounts_identifier AS identifier
                ON identifier.brand_id = %s AND identifier.scheme = wanted.scheme
                AND identifier.value = wanted.value
            """,
            [[scheme for scheme, _value in pairs], [value for _scheme, value in pairs], brand.pk],
        )
        return {(scheme, value): pk for scheme, value, pk in cursor.fetchall()}


def propose_pseudonym(*, seed: str) -> str:
    """A pseudonym such as “Quiet Heron”; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # a name that anybody may see is no secret
    return f"{chance.choice(PSEUDONYM_ADJECTIVES)} {chance.choice(PSEUDONYM_NOUNS)}"


def propose_free_pseudonym(*, customer: Customer) -> str:
    """The customer's own pseudonym, or where it is another's or there is none, one that nobody has now."""
    names = [
        propose_pseudonym(seed=f"{customer.public_id}{turn or ''}") for turn in range(PROPOSALS)
    ]
    if customer.pseudonym:
        names.insert(0, customer.pseudonym)
    taken = set(
        Customer.objects.filter(brand_id=customer.brand_id, pseudonym__in=names)
        .exclude(pk=customer.pk)
        .values_list("pseudonym", flat=True)
    )
    free = (name for name in names if name not in taken)
    return next(free, f"{names[-1]} {customer.public_id.int % 10_000}")
