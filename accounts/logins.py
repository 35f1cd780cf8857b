"""Logins that never became anybody's."""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db.models import Exists, OuterRef

from .models import User

PROVEN_WITHIN = timedelta(days=1)


def forget_unproven(*, now: datetime) -> int:
    """Delete the logins of addresses that were typed in to join, and whose code never came back; returns how many.

    Whoever signed in once, joined a brand, works for one or runs the installation stays, and so does a login that an
    operator made and nobody has asked a code for yet. May run any number of times.
    """
    addresses = EmailAddress.objects.filter(user=OuterRef("pk"))
    unproven = User.objects.filter(
        Exists(addresses),
        ~Exists(addresses.filter(verified=True)),
        created_at__lt=now - PROVEN_WITHIN,
        last_login=None,
        is_superuser=False,
        customers=None,
        staff_roles=None,
    )
    _all, by_model = unproven.delete()
    return by_model.get("accounts.User", 0)
