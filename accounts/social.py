"""Social accounts and e-mail addresses of a login, and with which brands each counts.

A social account belongs to the login; whether what a brand hears of it counts there is the brand's own link, an
identifier such as ``birdsong:@rowan``. ``accounts.identity`` moves those; here is which of them go together.

A handle may be somebody else's tomorrow. So what a network said of an account proves something only for a while
(``is_proven``), and whoever changed their handle there is known by the new one here once they come back from there.
"""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import identity
from accounts.models import Customer, Dispute, Identifier, User
from accounts.walls import lifted

# Under these names a social account keeps what it is reported by, and nothing else of what the network told.
IDENTIFIER, HANDLE, NAME = "identifier", "username", "name"


class StaleProofError(identity.IdentityError):
    """The network said too long ago by which name the account is known there."""


def identifier_of(account: SocialAccount) -> str:
    """Under which identifier brands report the account; empty where its network does not say."""
    text: str = account.extra_data.get(IDENTIFIER, "")
    return text


def is_proven(*, account: SocialAccount, now: datetime) -> bool:
    """Whether its network has just said by which name the account is known there, as somebody came back from it.

    It holds as long as confirming to Laurel who one is.
    """
    window = timedelta(seconds=settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)
    is_fresh: bool = account.last_login >= now - window
    return is_fresh


def count_social_account(
    *, customer: Customer, account: SocialAccount, now: datetime
) -> identity.Link:
    """Let what the customer's brand hears of one of their login's social accounts count.

    Raises IdentityError for an account of another login, and for one whose network did not say what it is known by;
    StaleProofError where it must be asked anew.
    """
    if account.user_id != customer.user_id:
        raise identity.IdentityError(_("This account belongs to another login."))
    if not identifier_of(account):
        raise identity.IdentityError(
            _("The network did not say by which name you are known there.")
        )
    if not is_proven(account=account, now=now):
        raise StaleProofError(
            _("The network must confirm first that you are still known by this name there.")
        )
    return identity.link_identifier(
        customer=customer, text=identifier_of(account), proof=Identifier.Proof.PROVIDER, now=now
    )


def follow_handle(*, account: SocialAccount, text: str, now: datetime) -> None:
    """Let another identifier count where the one did by which the account was known until now; may run twice.

    ``account`` is as it was stored, ``text`` what its network says now; empty where it does not say. Only what counted
    by the network's word is unlinked. Each link and each unlinking is a transaction of its own.
    """
    former = identifier_of(account)
    if not former or former == text:
        return
    with lifted("a person's own network, wherever the name that it had counts"):
        counted = _counted(account.user, former).filter(proof=Identifier.Proof.PROVIDER)
        for identifier in counted.select_related("customer"):
            holder = identifier.customer
            # First what is new: who is interrupted here finds the other one still counted, and goes on.
            if text and holder.user_id == account.user_id:
                identity.link_identifier(
                    customer=holder, text=text, proof=Identifier.Proof.PROVIDER, now=now
                )
            identity.unlink_identifier(customer=holder, identifier=identifier, now=now)


def claim_social_account(
    *, customer: Customer, account: SocialAccount, now: datetime
) -> Dispute | None:
    """Take note that the customer proved an account which another login has: a dispute, where somebody counts it here.

    Nothing moves.
    """
    if not identifier_of(account):
        return None
    return identity.claim_identifier(
        customer=customer, text=identifier_of(account), proof=Identifier.Proof.PROVIDER, now=now
    )


def count_address(*, customer: Customer, address: EmailAddress, now: datetime) -> identity.Link:
    """Let what the customer's brand hears of one of their login's e-mail addresses count.

    Raises IdentityError for an address that is not the login's, or was never confirmed by a code.
    """
    if address.user_id != customer.user_id or not address.verified:
        raise identity.IdentityError(_("This address was not confirmed by your login."))
    return identity.link_identifier(
        customer=customer, text=f"email:{address.email}", proof=Identifier.Proof.MAIL, now=now
    )


@transaction.atomic
def stop_counting(*, customer: Customer, identifier: Identifier, now: datetime) -> bool:
    """Unlink an identifier from the customer; returns whether the login's social account was disconnected with it.

    It is, where the customer's login counts it with no other brand.
    """
    identity.unlink_identifier(customer=customer, identifier=identifier, now=now)
    if customer.user is None:
        return False
    with lifted("with which other brands a person's own network counts"):
        if _counted(customer.user, str(identifier)).exists():
            return False
    gone, _rows = SocialAccount.objects.filter(
        user=customer.user, **{f"extra_data__{IDENTIFIER}": str(identifier)}
    ).delete()
    return bool(gone)


def stop_counting_everywhere(*, user: User, text: str, now: datetime) -> None:
    """Unlink an identifier from all customers of a login, each in a transaction of its own; may run twice."""
    if not text:
        return
    with lifted("a person's own network, with every brand with which it counts"):
        for identifier in _counted(user, text).select_related("customer"):
            identity.unlink_identifier(customer=identifier.customer, identifier=identifier, now=now)


def uncounted(*, customer: Customer) -> tuple[list[SocialAccount], list[EmailAddress]]:
    """What of the login's social accounts and confirmed addresses does not count with the customer's brand."""
    counted = {str(identifier) for identifier in customer.identifiers.all()}
    accounts = SocialAccount.objects.filter(user=customer.user).order_by("provider", "pk")
    addresses = EmailAddress.objects.filter(user=customer.user, verified=True).order_by("email")
    return (
        [one for one in accounts if identifier_of(one) and identifier_of(one) not in counted],
        [one for one in addresses if normal(f"email:{one.email}") not in counted],
    )


def normal(text: str) -> str:
    """An identifier in the one way in which it is written. Raises IdentifierError for a text that is none."""
    return ":".join(identity.parse_identifier(text))


def _counted(user: User, text: str) -> QuerySet[Identifier]:
    """An identifier where a customer of the login holds it, or whoever staff merged that one into."""
    scheme, value = identity.parse_identifier(text)
    holders = Customer.objects.filter(Q(user=user) | Q(merged__user=user))
    return Identifier.objects.filter(customer__in=holders, scheme=scheme, value=value)
