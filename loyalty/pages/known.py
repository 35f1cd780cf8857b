"""What a brand knows about a customer: all of it in short, who used it, and the way to change each part."""

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.consent import consents_of
from accounts.models import Consent, Customer, DataUse, Identifier
from accounts.uses import uses_of
from loyalty.identifiers import scheme_word
from loyalty.pages.frame import customer_page, show
from loyalty.uses import use_for_what, use_in_words
from scoring.models import BadgeEarned
from scoring.queries import get_score
from scoring.ranks import get_rank
from scoring.timeline import KnownSource, actions_by_identifier, known_sources

USES = 10
# Who reports, where it is Laurel itself; other names are the brand's own.
OURS = "laurel"
YOURSELF = gettext_lazy("yourself")


class Name(NamedTuple):
    """One name under which the brand hears of the customer."""

    identifier: Identifier
    word: str
    actions: int


class Did(NamedTuple):
    """What is known in one source, and who reported it."""

    known: KnownSource
    reported_by: list[str]


class Used(NamedTuple):
    """One time that staff used the data: what was done, and by whom for what."""

    use: DataUse
    what: str
    why: str


@require_safe
@customer_page
def known(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show all that the brand knows; a number of statements that does not grow with it."""
    brand, now = customer.brand, timezone.now()
    is_paused = customer.paused_at is not None
    score = (
        None if is_paused else get_score(customer=customer, on=now.astimezone(brand.zone).date())
    )
    uses = uses_of(customer=customer)
    return show(
        request,
        "pages/known.html",
        customer,
        here="me",
        names=_names(customer),
        did=_did(customer),
        score=score,
        rank=get_rank(brand=brand, score=score.score) if score else None,
        badges=BadgeEarned.objects.filter(customer=customer, revoked_at=None).count(),
        agreed=_agreed(customer),
        uses=[Used(use, use_in_words(use), use_for_what(use)) for use in uses[:USES]],
        more_uses=max(0, len(uses) - USES),
        backup_days=settings.LAUREL_BACKUP_DAYS,
    )


def _names(customer: Customer) -> list[Name]:
    reported = actions_by_identifier(customer=customer)
    held = customer.identifiers.order_by("proven_at", "pk")
    names = [Name(one, scheme_word(one.scheme), reported.get(one.pk, (0,))[0]) for one in held]
    return sorted(names, key=lambda name: name.identifier.scheme == OURS)


def _did(customer: Customer) -> list[Did]:
    return [
        Did(known, [str(YOURSELF) if origin == OURS else origin for origin in known.origins])
        for known in known_sources(customer=customer)
    ]


def _agreed(customer: Customer) -> list[Consent]:
    held = consents_of(customer=customer).values()
    return [consent for consent in held if consent is not None and consent.given]
