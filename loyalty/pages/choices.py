"""What a customer lets be scored, what they may be written to about, and when. Every switch is one tap, either way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import consent
from accounts.choices import is_off, pause_score, resume_score, switch_source
from accounts.consent import ConsentError, ContactRulesError, Wording
from accounts.models import Brand, Consent, Customer, Purpose
from loyalty.pages.door import is_own_address
from loyalty.pages.frame import customer_page, show
from loyalty.pages.patience import is_within
from loyalty.theme import SOURCE_SLUGS
from scoring.models import Source

WEEKLY = (1, 2, 3, 5, 7)
# Proofs are kept for good: so many may be made in an hour. What was given can always be taken back.
GIVEN, HOUR = 100, 3600
# Proofs that are shown; the download has all.
PROOFS = 50


@dataclass(frozen=True, slots=True)
class Switch:
    """One consent as it stands: the channel (empty where there is none), its name, and the last word on it."""

    channel: str
    label: str
    said: Consent | None

    @property
    def is_on(self) -> bool:
        """Whether it is given."""
        return self.said is not None and self.said.given


@dataclass(frozen=True, slots=True)
class Asked:
    """A purpose in the words in which it is asked for, with its switches."""

    wording: Wording
    switches: list[Switch]


def asked_of(customer: Customer) -> list[Asked]:
    """Everything that the brand asks the customer for."""
    texts = consent.texts_of(brand=customer.brand, language=translation.get_language() or "en")
    asked: dict[Purpose, Asked] = {}
    for (purpose, channel), said in consent.consents_of(customer=customer).items():
        label = str(Brand.Channel(channel).label if channel else _("Share it"))
        row = asked.setdefault(purpose, Asked(texts[purpose], []))
        row.switches.append(Switch(channel, label, said))
    return list(asked.values())


class ContactForm(forms.Form):
    """When and how often the customer wants to be written to."""

    quiet_from = forms.TimeField(
        required=False,
        label=gettext_lazy("Not after"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"invalid": gettext_lazy("Enter a time like 22:00")},
    )
    quiet_until = forms.TimeField(
        required=False,
        label=gettext_lazy("and not before"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"invalid": gettext_lazy("Enter a time like 07:30")},
    )
    weekly_most = forms.TypedChoiceField(
        required=False,
        label=gettext_lazy("At most"),
        coerce=int,
        empty_value=None,
    )

    def __init__(self, customer: Customer, data: Any = None) -> None:
        rules = getattr(customer, "contact_rules", None)
        names = ("quiet_from", "quiet_until", "weekly_most")
        super().__init__(data, initial={name: getattr(rules, name, None) for name in names})
        self.customer = customer
        self.use_required_attribute = False
        self.fields["weekly_most"].choices = [  # type: ignore[attr-defined]
            ("", _("as many messages as there are")),
            *(
                (
                    most,
                    ngettext("%(n)s message a week", "%(n)s messages a week", most) % {"n": most},
                )
                for most in WEEKLY
            ),
        ]

    def keep(self) -> bool:
        """Keep what was entered, if it can be kept."""
        if not self.is_valid():
            return False
        try:
            consent.keep_contact_rules(customer=self.customer, **self.cleaned_data)
        except ContactRulesError as error:
            self.add_error("quiet_until", str(error.sentence))
            return False
        return True


@customer_page
def choices(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show every choice, and take one."""
    now = timezone.now()
    here = reverse("choices", args=[customer.brand.slug])
    form = ContactForm(customer)
    match request.POST.get("do", ""):
        case "pause":
            pause_score(customer=customer, now=now)
            return redirect(f"{here}#score")
        case "resume":
            resume_score(customer=customer, now=now)
            return redirect(f"{here}#score")
        case "source":
            return redirect(here + _switch_source(request, customer, now=now))
        case "consent":
            return redirect(here + _say(request, customer, way=Consent.Way.PAGE, now=now))
        case "contact":
            form = ContactForm(customer, request.POST)
            if form.keep():
                messages.success(request, _("Kept. It holds for every message from now on."))
                return redirect(here)
    off = {source for source in Source if is_off(customer=customer, source=source)}
    return show(
        request,
        "pages/choices.html",
        customer,
        here="me",
        status=422 if form.errors else 200,
        form=form,
        asked=asked_of(customer),
        sources=[(source, source in off) for source in map(Source.from_slug, SOURCE_SLUGS)],
        history=consent.history_of(customer=customer)[:PROOFS],
    )


@customer_page
def joining(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask once, after joining, for what the brand asks for. All is off, and nothing is needed to go on."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    back = wanted if is_own_address(request, wanted) else ""
    if request.method == "POST":
        place = _say(request, customer, way=Consent.Way.JOIN, now=timezone.now())
        return redirect(joining_address(customer.brand, back) + place)
    return show(
        request,
        "pages/joining.html",
        customer,
        asked=asked_of(customer),
        next=back,
        onward=back or reverse("score", args=[customer.brand.slug]),
    )


def joining_address(brand: Brand, back: str) -> str:
    """The page after joining; it leads on to ``back``, or to the score."""
    address = reverse("joining", args=[brand.slug])
    return f"{address}?{urlencode({'next': back})}" if back else address


def _say(request: HttpRequest, customer: Customer, *, way: Consent.Way, now: datetime) -> str:
    """Give or withdraw the consent that was tapped; where on the page it is."""
    purpose, channel = request.POST.get("purpose", ""), request.POST.get("channel", "")
    given = request.POST.get("given", "")
    if purpose not in Purpose.values or given not in {"yes", "no"}:
        return ""
    if given == "yes" and not is_within(f"consents:{customer.pk}", allowed=GIVEN, window=HOUR):
        messages.error(request, _("You have switched this very often. Try again in an hour."))
        return ""
    try:
        consent.record_consents(
            customer=customer,
            choices={(Purpose(purpose), channel): given == "yes"},
            shown={Purpose(purpose): request.POST.get("version", "")},
            language=translation.get_language() or "en",
            way=way,
            now=now,
        )
    except ConsentError as error:
        messages.error(request, str(error.sentence))
        return ""
    return f"#{purpose}-{channel}" if channel else f"#{purpose}"


def _switch_source(request: HttpRequest, customer: Customer, *, now: datetime) -> str:
    slug, on = request.POST.get("source", ""), request.POST.get("on", "")
    if slug not in SOURCE_SLUGS or on not in {"yes", "no"}:
        return ""
    switch_source(
        customer=customer,
        source=Source.from_slug(slug),
        on=on == "yes",
        now=now,
    )
    return f"#{slug}"
