"""Identifiers and whose they are. This module is the only way by which an identifier moves.

No action is ever rewritten when an identifier moves: what it earned follows, because scoring asks
who holds it now. ``identifier_moved`` tells higher floors that two customers must be scored anew.

Every move is a ``LinkEvent`` that says how the identifier is held after it: by which proof, and from when on its
actions count. So the history alone tells how it was held before, which is what undoing restores. What was unlinked is
held by no proof: there ``proof`` says whether staff unlinked it, also when nobody knows any more who they were.

An identifier moves only while its holder's row is locked, and rows of customers are locked in the order of their ids:
here, and by whoever scores them. What is locked besides (a dispute, a linking code) is locked after them.
"""

import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.dispatch import Signal
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from .models import Brand, Customer, Dispute, Identifier, LinkCode, LinkEvent, User
from .pseudonyms import propose_free_pseudonym

# Sent inside the transaction, with: identifier, from_customer, to_customer, now.
identifier_moved = Signal()

OWN_SCHEME = "laurel"
# What is left of the identifiers of somebody who was erased.
ERASED_SCHEME = "erased"
# Of letters and digits that look alike only one is here; so many that a check letter finds every slip of one letter,
# and every two that changed places, since it is a prime.
CODE_LETTERS = "23456789ACDEHJKMNPRTVWX"
CODE_LENGTH = 10
_READ_AS = str.maketrans("ZSGBUY", "2568VV")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
# What people write between the digits of a number, and the zero that is dialled only at home.
_BETWEEN_DIGITS = re.compile(r"\(0\)|[\s()./\u2010-\u2015-]")


class IdentityError(ValueError):
    """A link or a move that is refused; says why in a sentence."""


class IdentifierError(IdentityError):
    """A text that is no identifier; says why in a sentence."""


class MergedError(IdentityError):
    """The membership was merged into another one."""


class LinkCodeError(IdentityError):
    """A linking code that does not hold; says why in a sentence."""


class Link(NamedTuple):
    """What came of a proof: the identifier, and whether it became the customer's just now.

    With ``dispute`` it did not: somebody else holds it, and staff decide.
    """

    identifier: Identifier
    dispute: Dispute | None
    moved: bool


# --- what identifies -----------------------------------------------------------------------------


def parse_identifier(text: str) -> tuple[str, str]:
    """Split ``scheme:value``, and write the value in the one way in which its scheme is compared.

    - ``email``: in small letters. Nothing else is folded: a plus, a dot or an accent makes another address, and so
      another person. Letters become small one by one (``str.lower``) and never by case folding, which would make two
      letters of a sharp s, and a plain s of a long one. An i without its dot stays apart from i, in capitals too.
    - A handle, which is any value that begins with ``@``: in small letters, as above.
    - ``phone``: ``+`` and digits, with the country. ``00`` at the beginning is read as ``+``; digits of any script are.
      A number without its country is refused, since it would be somebody else's in the next one.
    - ``card``: without spaces. Its letters stay as they are, as in all other values.

    Texts are in Unicode's form C, so that an accent is one letter however it was typed. A letter that form C would make
    into a plain one (the Kelvin sign becomes K) is refused: it is there to be taken for another. So are letters that
    cannot be seen.

    The scheme is in small letters. Parsing what was parsed changes nothing. Raises IdentifierError with a sentence for
    a text that is no identifier.
    """
    scheme, colon, value = text.strip().partition(":")
    scheme, value = scheme.strip(), value.strip()
    if not colon or not value or not _SCHEME.fullmatch(scheme):
        raise IdentifierError(
            _("an identifier looks like email:someone@example.org; this is %(text)s")
            % {"text": repr(text[:80])}
        )
    scheme = scheme.lower()
    if not value.isascii():
        value = _composed(value)
    if scheme == "email" or value.startswith("@"):
        value = value.lower()
        if not value.isascii():
            value = unicodedata.normalize("NFC", value)
    elif scheme == "card":
        value = "".join(letter for letter in value if unicodedata.category(letter) != "Zs")
    elif scheme == "phone":
        value = _phone(value)
    if not value.isprintable() or len(value) > 254:
        raise IdentifierError(
            _("an identifier has at most 254 printable characters after the colon")
        )
    return scheme, value


def _composed(value: str) -> str:
    for letter in value:
        if not letter.isascii() and unicodedata.normalize("NFC", letter).isascii():
            raise IdentifierError(
                _("an identifier holds no letter that only looks like another: %(letter)s")
                % {"letter": letter}
            )
    return unicodedata.normalize("NFC", value)


def _phone(value: str) -> str:
    digits = "".join(
        str(unicodedata.decimal(letter, letter)) for letter in _BETWEEN_DIGITS.sub("", value)
    )
    number = "+" + digits[2:] if digits.startswith("00") else digits
    if not _PHONE.fullmatch(number):
        raise IdentifierError(
            _("a phone number is written with its country, such as +44 20 7946 0000")
        )
    return number


def _parse_provable(text: str) -> tuple[str, str]:
    scheme, value = parse_identifier(text)
    if scheme in (OWN_SCHEME, ERASED_SCHEME):
        raise IdentityError(_("This identifier belongs to Laurel and cannot be linked."))
    return scheme, value


def identifiers_of(*, customer: Customer) -> QuerySet[Identifier]:
    """What systems call the customer, in the order in which it was proved; Laurel's own left out."""
    return customer.identifiers.exclude(scheme=OWN_SCHEME).order_by("proven_at", "pk")


def moves_of(*, customer: Customer) -> QuerySet[LinkEvent]:
    """Every move to the customer or away, newest first, with its identifier and both customers."""
    return (
        LinkEvent.objects.filter(Q(from_customer=customer) | Q(to_customer=customer))
        .select_related("identifier", "from_customer", "to_customer", "by")
        .order_by("-pk")
    )


# --- customers -----------------------------------------------------------------------------------


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

    Whatever arrived for the user's e-mail address before becomes theirs, within the brand's window: signing in proved
    it. Where another customer holds the address, staff decide. Raises MergedError for a membership that was merged.
    """
    # The user's row is the lock: who joins twice at once becomes one customer.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    customer = Customer.objects.filter(brand=brand, user=user).first()
    if customer is None:
        customer = create_customer(brand=brand, user=user, now=now)
        customer.pseudonym = propose_free_pseudonym(customer=customer)
        customer.save(update_fields=["pseudonym"])
    elif customer.merged_into_id is not None:
        raise MergedError(_merged_sentence())
    link_identifier(
        customer=customer, text=f"email:{user.email}", proof=Identifier.Proof.SIGN_IN, now=now
    )
    return customer


def _merged_sentence() -> str:
    return _(
        "This membership was merged into another one, which has its points and its score now. "
        "If that was a mistake, ask the brand: it can be undone."
    )


def _is_unclaimed(customer: Customer) -> bool:
    """Whether nobody ever joined as this customer, and it is still one."""
    return (
        customer.joined_at is None
        and customer.user_id is None
        and customer.merged_into_id is None
        and customer.erased_at is None
    )


def _survivor(customer: Customer) -> Customer:
    """Whom a customer was merged into, and that one in turn; themselves where they were not."""
    while customer.merged_into is not None:
        customer = customer.merged_into
    return customer


def _hold(
    *, customers: Iterable[int] = (), identifiers: Collection[int] = ()
) -> tuple[dict[int, Customer], list[Identifier]]:
    """Lock these customers and whoever holds these identifiers, and read both as they are now."""
    while True:
        place = transaction.savepoint()
        holders = Identifier.objects.filter(pk__in=identifiers).values_list("customer", flat=True)
        held = {
            customer.pk: customer
            for customer in Customer.objects.select_related("brand")
            .filter(pk__in={*customers, *holders})
            .order_by("pk")
            .select_for_update(no_key=True, of=("self",))
        }
        found = list(Identifier.objects.filter(pk__in=identifiers).order_by("pk"))
        if all(identifier.customer_id in held for identifier in found):
            transaction.savepoint_commit(place)
            break
        # One moved while we waited. Its new holder is locked in its turn, so all are let go first.
        transaction.savepoint_rollback(place)
    for identifier in found:
        identifier.customer = held[identifier.customer_id]
    return held, found


# --- moves ---------------------------------------------------------------------------------------


class _Holding(NamedTuple):
    """How a customer holds an identifier."""

    proof: str = ""
    proven_at: datetime | None = None
    counts_from: datetime | None = None


def _move(
    identifier: Identifier,
    to: Customer,
    holding: _Holding,
    type_: LinkEvent.Type,
    *,
    now: datetime,
    group: UUID | None = None,
    undoes: UUID | None = None,
    reason: str = "",
    by: User | None = None,
    proof: str = "",
) -> None:
    """Give an identifier of ``_hold`` to a customer of ``_hold``, and write it into the history."""
    former = identifier.customer
    if identifier.brand_id != to.brand_id:
        raise IdentityError(_("An identifier stays within its brand."))
    _refuse_gone(to)
    identifier.customer = to
    identifier.proof, identifier.proven_at, identifier.counts_from = holding
    identifier.sources_off = to.sources_off
    identifier.save(update_fields=["customer", "proof", "proven_at", "counts_from", "sources_off"])
    LinkEvent.objects.create(
        identifier=identifier,
        from_customer=former,
        to_customer=to,
        type=type_,
        proof=proof or holding.proof,
        counts_from=holding.counts_from,
        group=group or uuid4(),
        undoes=undoes,
        reason=reason,
        by=by,
        at=now,
    )
    if former.pk != to.pk:
        identifier_moved.send(
            sender=Identifier, identifier=identifier, from_customer=former, to_customer=to, now=now
        )


def _credit(
    identifier: Identifier, to: Customer, *, proven_at: datetime, keeps: bool = False
) -> datetime | None:
    """From when on the actions of an identifier count for who gets it; None: all do.

    Who had it before has what they had then, so that linking anew gives nothing new. ``keeps``: what it is held with
    now stays at the least. Otherwise the brand's window ends at ``proven_at``.
    """
    if _is_unclaimed(to):
        return None
    events = LinkEvent.objects.filter(identifier=identifier, to_customer=to)
    earlier = list(events.values_list("counts_from", flat=True))
    if keeps:
        earlier.append(identifier.counts_from)
    if earlier:
        known = [moment for moment in earlier if moment is not None]
        return min(known) if len(known) == len(earlier) else None
    try:
        return proven_at - timedelta(days=to.brand.credit_days)
    except OverflowError:
        # The window reaches back to before there was a calendar.
        return None


def _refuse_gone(customer: Customer) -> None:
    if customer.merged_into_id is not None:
        raise MergedError(_merged_sentence())
    if customer.erased_at is not None:
        raise IdentityError(_("This customer was erased."))


def _refuse_own(by: User | None, *customers: Customer) -> None:
    if by is not None and any(customer.user_id == by.pk for customer in customers):
        raise IdentityError(_("Nobody decides about their own membership. Ask a colleague."))


@transaction.atomic
def link_identifier(
    *,
    customer: Customer,
    text: str,
    proof: Identifier.Proof,
    now: datetime,
    by: User | None = None,
) -> Link:
    """Give a customer an identifier that they have proved to be theirs; may run twice.

    One that only arrived with actions, or that nobody has seen, becomes theirs, with what it earned within the brand's
    window; linked again, it counts from where it did the first time. One that another customer holds stays where it is,
    and a dispute is opened, once, for staff to decide. ``by`` is the member of staff who links it, where one does.

    Raises IdentifierError for a text that is no identifier, MergedError and IdentityError for a customer who can have
    none. Two in one transaction are linked in the order of their texts, or may wait for each other for ever.
    """
    scheme, value = _parse_provable(text)
    identifier, _is_new = Identifier.objects.get_or_create(
        brand_id=customer.brand_id, scheme=scheme, value=value, defaults={"customer": customer}
    )
    held, [identifier] = _hold(customers=[customer.pk], identifiers=[identifier.pk])
    to, holder = held[customer.pk], identifier.customer
    _refuse_gone(to)
    if proof == Identifier.Proof.STAFF:
        _refuse_own(by, to)
    if holder.pk == to.pk:
        if identifier.proven_at is not None:
            return Link(identifier, None, moved=False)
    elif not _is_unclaimed(holder):
        return Link(identifier, _open_dispute(identifier, to, proof, now), moved=False)
    holding = _Holding(proof, now, _credit(identifier, to, proven_at=now))
    _move(identifier, to, holding, LinkEvent.Type.LINK, now=now, by=by)
    # Whoever held it let it go meanwhile: there is nothing left to decide.
    Dispute.objects.filter(identifier=identifier, claimant=to, decided_at=None).update(
        decided_at=now, moved=True
    )
    return Link(identifier, None, moved=True)


@transaction.atomic
def claim_identifier(
    *, customer: Customer, text: str, proof: Identifier.Proof, now: datetime
) -> Dispute | None:
    """Open a dispute about an identifier that another customer holds, once; moves nothing, and may run twice.

    None where nobody else holds it, so that there is nothing to decide. Raises as ``link_identifier`` does.
    """
    scheme, value = _parse_provable(text)
    known = Identifier.objects.filter(brand_id=customer.brand_id, scheme=scheme, value=value)
    held, found = _hold(
        customers=[customer.pk], identifiers=list(known.values_list("pk", flat=True))
    )
    to = held[customer.pk]
    _refuse_gone(to)
    for identifier in found:
        if identifier.customer_id != to.pk and not _is_unclaimed(identifier.customer):
            return _open_dispute(identifier, to, proof, now)
    return None


def _open_dispute(
    identifier: Identifier, claimant: Customer, proof: Identifier.Proof, now: datetime
) -> Dispute:
    dispute, _is_new = Dispute.objects.get_or_create(
        identifier=identifier,
        claimant=claimant,
        decided_at=None,
        defaults={
            "brand_id": claimant.brand_id,
            "holder": identifier.customer,
            "proof": proof,
            "opened_at": now,
        },
    )
    return dispute


@transaction.atomic
def unlink_identifier(
    *, customer: Customer, identifier: Identifier, now: datetime, by: User | None = None
) -> None:
    """Take an identifier from a customer: both scores are then what they would have been without the link.

    It returns to the unclaimed customer from whom it came, or gets a new one. ``by`` is the member of staff who unlinks
    it, where one does. Raises IdentityError for Laurel's own identifier, and for one that is not the customer's.
    """
    origin = _origin(identifier)
    held, [identifier] = _hold(
        customers=[customer.pk, *([origin.pk] if origin else [])], identifiers=[identifier.pk]
    )
    _refuse_foreign(identifier, held[customer.pk])
    if origin is not None and _is_unclaimed(held[origin.pk]):
        to = held[origin.pk]
    else:
        to = create_customer(brand=held[customer.pk].brand, now=now)
    proof = Identifier.Proof.STAFF if by else ""
    _move(identifier, to, _Holding(), LinkEvent.Type.UNLINK, now=now, by=by, proof=proof)


def _origin(identifier: Identifier) -> Customer | None:
    """The unclaimed customer who held an identifier last."""
    events = LinkEvent.objects.filter(identifier=identifier).order_by("-pk")
    for event in events.select_related("from_customer__merged_into"):
        former = _survivor(event.from_customer)
        if _is_unclaimed(former):
            return former
    return None


def _refuse_foreign(identifier: Identifier, customer: Customer) -> None:
    if identifier.scheme == OWN_SCHEME:
        raise IdentityError(_("The identifier that Laurel made stays with its customer."))
    if identifier.customer_id != customer.pk:
        raise IdentityError(
            _("%(identifier)s does not belong to this customer.") % {"identifier": identifier}
        )


@transaction.atomic
def merge_customers(
    *, kept: Customer, merged: Customer, by: User, reason: str, now: datetime
) -> UUID:
    """Make two customers one: every identifier of ``merged`` becomes that of ``kept``.

    ``kept`` keeps what they chose (consents, boards, switches); what ``merged`` chose is not taken over. ``merged`` is
    on no board any more and has no pages. Returns the group to hand to ``undo_moves``. Raises IdentityError.
    """
    held, _none = _hold(customers=[kept.pk, merged.pk])
    to, former = held[kept.pk], held[merged.pk]
    _refuse_own(by, to, former)
    if to.pk == former.pk:
        raise IdentityError(_("These are one customer already."))
    if to.brand_id != former.brand_id:
        raise IdentityError(_("Customers of different brands stay apart."))
    if former.merged_into_id is not None or former.erased_at is not None:
        raise IdentityError(_("Who was merged or erased cannot be merged."))
    if _is_unclaimed(to) and not _is_unclaimed(former):
        raise IdentityError(_("Keep the customer who has joined, and merge the other one into it."))
    group = uuid4()
    keeps = not _is_unclaimed(former) or _is_unclaimed(to)
    for identifier in former.identifiers.order_by("pk"):
        identifier.customer = former
        counts_from = _credit(identifier, to, proven_at=now, keeps=keeps)
        holding = _Holding(identifier.proof, identifier.proven_at, counts_from)
        _move(
            identifier,
            to,
            holding,
            LinkEvent.Type.MERGE,
            now=now,
            group=group,
            reason=reason,
            by=by,
        )
    former.merged_into, former.on_boards = to, False
    former.save(update_fields=["merged_into", "on_boards"])
    return group


@transaction.atomic
def split_customer(
    *,
    customer: Customer,
    identifiers: Iterable[Identifier],
    by: User,
    reason: str,
    now: datetime,
) -> Customer:
    """Take identifiers from a customer, and give them together to a new unclaimed one, which is returned.

    Raises IdentityError where one is not the customer's, or is Laurel's own.
    """
    held, found = _hold(
        customers=[customer.pk], identifiers={identifier.pk for identifier in identifiers}
    )
    former = held[customer.pk]
    _refuse_own(by, former)
    if not found:
        raise IdentityError(_("Choose the identifiers that belong to somebody else."))
    for identifier in found:
        _refuse_foreign(identifier, former)
    to = create_customer(brand=former.brand, now=now)
    group = uuid4()
    for identifier in found:
        _move(
            identifier,
            to,
            _Holding(),
            LinkEvent.Type.SPLIT,
            now=now,
            group=group,
            reason=reason,
            by=by,
        )
    return to


@transaction.atomic
def undo_moves(*, brand: Brand, group: UUID, by: User, now: datetime) -> UUID:
    """Undo a merge, a split or a decided dispute: what has not moved since goes back, held as it was before.

    A merged customer is one again, and on no board until they join one. Returns the group of the undoing. Raises
    IdentityError where there is no such move, it was undone before, or what came later must be undone first.
    """
    moves = LinkEvent.objects.filter(group=group, identifier__brand=brand).order_by("pk")
    events = [event for event in moves.select_related("identifier") if can_be_undone(event=event)]
    held, found = _hold(
        customers={pk for e in events for pk in (e.from_customer_id, e.to_customer_id)},
        identifiers={event.identifier_id for event in events},
    )
    _refuse_own(by, *held.values())
    if not events:
        raise IdentityError(_("Only what staff merged, split or decided can be undone."))
    if LinkEvent.objects.filter(undoes=group).exists():
        raise IdentityError(_("This was undone before."))
    now_held = {identifier.pk: identifier for identifier in found}
    back = [event for event in events if not _moved_since(event)]
    former = held[events[0].from_customer_id]
    is_merge = events[0].type == LinkEvent.Type.MERGE
    if not back or (is_merge and not any(e.identifier.scheme == OWN_SCHEME for e in back)):
        raise IdentityError(_("What was moved has moved on since. Undo what came later first."))
    if is_merge:
        former.merged_into = None
        former.save(update_fields=["merged_into"])
    undoing = uuid4()
    for event in back:
        identifier = now_held[event.identifier_id]
        _move(
            identifier,
            former,
            _holding_before(event),
            LinkEvent.Type.UNDO,
            now=now,
            group=undoing,
            undoes=group,
            by=by,
        )
    return undoing


@transaction.atomic
def take_back(*, customer: Customer, now: datetime) -> None:
    """Undo that a customer was merged, whoever they were merged into since; may run twice.

    What came from them goes back, held as it was before, where nothing but merges has moved it on. For a customer who
    is to be erased: what names them is not left with somebody else.
    """
    merges = LinkEvent.objects.filter(from_customer=customer, type=LinkEvent.Type.MERGE)
    came = {event.identifier_id: event for event in merges.order_by("pk")}
    held, found = _hold(customers=[customer.pk], identifiers=list(came))
    to = held[customer.pk]
    if to.merged_into_id is None:
        return
    to.merged_into = None
    to.save(update_fields=["merged_into"])
    group = uuid4()
    for identifier in found:
        event = came[identifier.pk]
        since = LinkEvent.objects.filter(identifier=identifier, pk__gt=event.pk)
        if any(move.type != LinkEvent.Type.MERGE for move in _in_force(since)):
            continue
        _move(
            identifier,
            to,
            _holding_before(event),
            LinkEvent.Type.UNDO,
            now=now,
            group=group,
            undoes=event.group,
        )


def can_be_undone(*, event: LinkEvent) -> bool:
    """Whether a move is of the kind that staff make, and may undo. Customers' own links and unlinks are their own."""
    if event.type == LinkEvent.Type.LINK:
        is_staffs = event.proof == Identifier.Proof.STAFF
        return is_staffs and event.from_customer_id != event.to_customer_id
    return event.type in (LinkEvent.Type.MERGE, LinkEvent.Type.SPLIT)


def _in_force(events: QuerySet[LinkEvent]) -> list[LinkEvent]:
    """What is left of moves of one identifier when each that was undone is left out with its undoing."""
    left: list[LinkEvent] = []
    for event in events.order_by("pk"):
        if left and event.undoes == left[-1].group:
            left.pop()
        else:
            left.append(event)
    return left


def _moved_since(event: LinkEvent) -> bool:
    moves = LinkEvent.objects.filter(identifier=event.identifier_id, pk__gt=event.pk)
    return bool(_in_force(moves))


def _holding_before(event: LinkEvent) -> _Holding:
    """How an identifier was held before a move, by its history."""
    moves = _in_force(LinkEvent.objects.filter(identifier=event.identifier_id, pk__lt=event.pk))
    if event.identifier.scheme == OWN_SCHEME:
        proven_at = event.identifier.proven_at
    else:
        # Nothing but a link gives a proof; all else passes it on or takes it away.
        links = [move.at for move in moves if move.type == LinkEvent.Type.LINK]
        proven_at = links[-1] if links and moves[-1].proof else None
    if not moves:
        return _Holding(Identifier.Proof.OWN if proven_at else "", proven_at)
    if moves[-1].type == LinkEvent.Type.UNLINK:
        return _Holding()
    return _Holding(moves[-1].proof, proven_at, moves[-1].counts_from)


# --- disputes ------------------------------------------------------------------------------------


@transaction.atomic
def decide_dispute(
    *, dispute: Dispute, move: bool, by: User, note: str, now: datetime
) -> tuple[Customer, Customer]:
    """Decide whose a disputed identifier is: with ``move`` the claimant's. Returns who claimed it and who held it.

    What it earned counts within the brand's window before they claimed it. Raises IdentityError where it was decided
    before, and for a member of staff who is one of the two.
    """
    claimant = _survivor(Customer.objects.get(disputes=dispute.pk))
    held, [identifier] = _hold(customers=[claimant.pk], identifiers=[dispute.identifier_id])
    to, holder = held[claimant.pk], identifier.customer
    dispute = Dispute.objects.select_for_update(no_key=True).get(pk=dispute.pk)
    if dispute.decided_at is not None:
        raise IdentityError(_("This was decided before."))
    _refuse_own(by, to, holder)
    if move and holder.pk != to.pk:
        at = dispute.opened_at
        holding = _Holding(Identifier.Proof.STAFF, now, _credit(identifier, to, proven_at=at))
        _move(identifier, to, holding, LinkEvent.Type.LINK, now=now, reason=note, by=by)
    dispute.decided_at, dispute.decided_by, dispute.moved, dispute.note = now, by, move, note
    dispute.save(update_fields=["decided_at", "decided_by", "moved", "note"])
    return to, holder


# --- linking codes -------------------------------------------------------------------------------


@transaction.atomic
def make_link_code(*, brand: Brand, text: str, by: User, lasts: timedelta, now: datetime) -> str:
    """A new code that proves one identifier to whoever is handed it, once, and until ``lasts`` is over.

    This is the only time that anybody sees it: only a digest is kept. Raises IdentifierError for a text that is no
    identifier, and IdentityError for an e-mail address, which is proved by mail.
    """
    scheme, value = _parse_provable(text)
    if scheme == "email":
        raise IdentityError(_("An e-mail address is proved by the code that is sent to it."))
    while True:
        drawn = "".join(secrets.choice(CODE_LETTERS) for _place in range(CODE_LENGTH - 1))
        code = drawn + _check_letter(drawn)
        _code, is_new = LinkCode.objects.get_or_create(
            brand=brand,
            digest=_digests(brand.pk, code)[0],
            defaults={
                "scheme": scheme,
                "value": value,
                "made_at": now,
                "made_by": by,
                "expires_at": now + lasts,
            },
        )
        if is_new:
            return code


@transaction.atomic
def redeem_link_code(*, customer: Customer, code: str, now: datetime) -> Link:
    """Link what a code proves; may run twice. However it was typed: small letters, spaces and hyphens do not matter.

    A code is used up also where it led to a dispute. Raises LinkCodeError. The caller limits guesses.
    """
    letters = _read_code(code)
    found = LinkCode.objects.filter(
        brand_id=customer.brand_id, digest__in=_digests(customer.brand_id, letters)
    ).first()
    if found is None:
        raise LinkCodeError(_("This is no code that was given out. Look at it once more."))
    if found.used_by_id is None and found.expires_at <= now:
        raise LinkCodeError(_("This code has run out. Ask for a new one."))
    if customer.user_id is not None and found.made_by_id == customer.user_id:
        raise LinkCodeError(_("You made this code. Ask a colleague for one."))
    if found.used_by_id is None:
        link = link_identifier(
            customer=customer,
            text=f"{found.scheme}:{found.value}",
            proof=Identifier.Proof.CODE,
            now=now,
        )
        # Locked after the customers. Who used it meanwhile has it.
        if LinkCode.objects.filter(pk=found.pk, used_at=None).update(used_at=now, used_by=customer):
            return link
    theirs = Identifier.objects.filter(
        brand_id=customer.brand_id, scheme=found.scheme, value=found.value, customer=customer
    ).first()
    if theirs is None or not LinkCode.objects.filter(pk=found.pk, used_by=customer).exists():
        raise LinkCodeError(_("This code was used before. Ask for a new one."))
    return Link(theirs, None, moved=False)


def _read_code(code: str) -> str:
    typed = unicodedata.normalize("NFKC", code).upper()
    letters = "".join(filter(str.isalnum, typed)).translate(_READ_AS)
    is_whole = len(letters) == CODE_LENGTH and set(letters) <= set(CODE_LETTERS)
    if not is_whole or _check_letter(letters[:-1]) != letters[-1]:
        raise LinkCodeError(
            _("A code has ten letters and digits; one of these is missing or wrong.")
        )
    return letters


def _check_letter(letters: str) -> str:
    weighed = sum(
        weight * CODE_LETTERS.index(letter) for weight, letter in enumerate(letters, start=2)
    )
    return CODE_LETTERS[-weighed % len(CODE_LETTERS)]


def _digests(brand_id: int, code: str) -> list[str]:
    """The digest by which a code is kept, and those by which it would have been kept under former secret keys."""
    return [
        salted_hmac(
            "accounts.link_code", f"{brand_id}:{code}", secret=key, algorithm="sha256"
        ).hexdigest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


# --- what arrives --------------------------------------------------------------------------------


def resolve_identifiers(
    *, brand: Brand, identifiers: Iterable[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], int]:
    """The ids of identifiers, each given as (scheme, value).

    One that nobody has seen gets an unclaimed customer of its own. Must run in a transaction. Rows
    are added in one order everywhere, so that two callers at once cannot wait for each other.
    """
    wanted = sorted(set(identifiers))
    found = find_identifiers(brand=brand, identifiers=wanted)
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
    return found | find_identifiers(brand=brand, identifiers=missing)


def find_identifiers(
    *, brand: Brand, identifiers: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """The ids of those identifiers, each given as (scheme, value), that somebody has.

    Until the end of the transaction they are not erased: a person who is being erased has them no more.
    """
    pairs = sorted(set(identifiers))
    with connection.cursor() as cursor:
        # The lock is the one that each row which refers to them takes anyway.
        cursor.execute(
            """
            SELECT identifier.scheme, identifier.value, identifier.id
            FROM unnest(%s::text[], %s::text[]) AS wanted (scheme, value)
            JOIN accounts_identifier AS identifier
                ON identifier.brand_id = %s AND identifier.scheme = wanted.scheme
                AND identifier.value = wanted.value
            FOR KEY SHARE OF identifier
            """,
            [[scheme for scheme, _value in pairs], [value for _scheme, value in pairs], brand.pk],
        )
        return {(scheme, value): pk for scheme, value, pk in cursor.fetchall()}
