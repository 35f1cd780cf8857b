"""What belongs to one person: the customers who are them, and what the staff's log says about those."""

from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField, Exists, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Cast

from accounts.identity import OWN_SCHEME, parse_identifier
from accounts.models import (
    Brand,
    Customer,
    Dispute,
    Identifier,
    LinkCode,
    LinkEvent,
    StaffRole,
    User,
)
from accounts.social import identifier_of, is_proven
from scoring.models import Action, BadgeShare, Evidence, Objection


def with_merged(customers: Iterable[int]) -> list[int]:
    """These customers and whoever was merged into them, or into those."""
    found, new = set(customers), set(customers)
    while new:
        merged = Customer.objects.filter(merged_into__in=new).values_list("pk", flat=True)
        new = set(merged) - found
        found |= new
    return sorted(found)


def unclaimed(
    customers: Iterable[int], user: User | None, brand: Brand | None, now: datetime
) -> list[int]:
    """Unclaimed customers of the brand, or with None of any, who hold nothing but what is these people's.

    That is what these customers linked and unlinked again, and what is reported under a confirmed address of the login
    or a social account whose network has just said what it is known by. Nobody else has it. Whoever holds anything
    beside it may be somebody else; and so is whoever has what staff unlinked, or what another customer linked later and
    unlinked, or a name at a network under which something was reported since it was unlinked: it may be given up there.
    """
    later = LinkEvent.objects.filter(identifier=OuterRef("identifier"), pk__gt=OuterRef("pk"))
    unlinked = LinkEvent.objects.filter(
        ~Exists(later), from_customer__in=list(customers), type=LinkEvent.Type.UNLINK
    ).exclude(proof=Identifier.Proof.STAFF)
    by_network = LinkEvent.objects.filter(
        identifier=OuterRef("identifier"),
        to_customer=OuterRef("from_customer"),
        type=LinkEvent.Type.LINK,
        proof=Identifier.Proof.PROVIDER,
    )
    since = Action.objects.filter(identifier=OuterRef("identifier"), received_at__gt=OuterRef("at"))
    theirs = Q(pk__in=unlinked.exclude(Exists(by_network) & Exists(since)).values("identifier"))
    for scheme, value in _proven_by(user, now) if user else ():
        theirs |= Q(scheme=scheme, value=value)
    held = Identifier.objects.filter(customer=OuterRef("pk"))
    found = Customer.objects.filter(
        Exists(held.filter(theirs)),
        ~Exists(held.exclude(theirs | Q(scheme=OWN_SCHEME))),
        pk__in=Identifier.objects.filter(theirs).values("customer"),
        user=None,
        erased_at=None,
        merged_into=None,
    )
    return list((found.filter(brand=brand) if brand else found).values_list("pk", flat=True))


def _proven_by(user: User, now: datetime) -> list[tuple[str, str]]:
    """The identifiers that are proved to be the login's now: confirmed addresses, and names that networks just said."""
    addresses = EmailAddress.objects.filter(user=user, verified=True)
    texts = [f"email:{address.email}" for address in addresses]
    accounts = SocialAccount.objects.filter(user=user)
    proven = (account for account in accounts if is_proven(account=account, now=now))
    texts += filter(None, map(identifier_of, proven))
    return [parse_identifier(text) for text in texts]


def addresses_of(user: User) -> set[str]:
    """The e-mail addresses of a login, confirmed or not."""
    own = EmailAddress.objects.filter(user=user)
    return {user.email, *own.values_list("email", flat=True)}


def identifiers_of(customers: Iterable[int]) -> list[int]:
    """The identifiers that these customers hold."""
    held = Identifier.objects.filter(customer__in=list(customers)).order_by("pk")
    return list(held.values_list("pk", flat=True))


def disputes_of(customers: list[int]) -> QuerySet[Dispute]:
    """Disputes in which these customers have a part, or about what they hold."""
    return Dispute.objects.filter(
        Q(claimant__in=customers) | Q(holder__in=customers) | Q(identifier__customer__in=customers)
    )


def codes_of(customers: list[int]) -> QuerySet[LinkCode]:
    """Linking codes that these customers used, or that were made for what they hold."""
    made_for = Identifier.objects.filter(
        customer__in=customers,
        brand=OuterRef("brand"),
        scheme=OuterRef("scheme"),
        value=OuterRef("value"),
    )
    return LinkCode.objects.filter(Q(used_by__in=customers) | Exists(made_for))


def log_about(customers: list[int], user: User | None) -> QuerySet[LogEntry]:
    """What the admin's log says about these customers, what is theirs, and their login."""
    of_customers: tuple[QuerySet[Model], ...] = (
        Customer.objects.filter(pk__in=customers),
        Identifier.objects.filter(customer__in=customers),
        Action.objects.filter(identifier__customer__in=customers),
        Evidence.objects.filter(action__identifier__customer__in=customers),
        Objection.objects.filter(action__identifier__customer__in=customers),
        BadgeShare.objects.filter(customer__in=customers),
        disputes_of(customers),
        codes_of(customers),
    )
    of_login: tuple[QuerySet[Model], ...] = (
        (
            User.objects.filter(pk=user.pk),
            EmailAddress.objects.filter(user=user),
            SocialAccount.objects.filter(user=user),
        )
        if user
        else ()
    )
    about = Q(pk=None)
    for rows in (*of_customers, *of_login):
        about |= Q(
            content_type=ContentType.objects.get_for_model(rows.model),
            # The log has the numbers as texts.
            object_id__in=rows.values_list(Cast("pk", CharField())),
        )
    # Who was dismissed has no role any more by whose number it could be found: the log calls it by the address.
    for address in addresses_of(user) if user else ():
        about |= Q(
            content_type=ContentType.objects.get_for_model(StaffRole),
            object_repr__startswith=f"{address}: ",
        )
    return LogEntry.objects.filter(about)
