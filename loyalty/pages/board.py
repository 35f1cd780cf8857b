"""Boards: around me this week, the season, venue against venue; joined under a pseudonym, left at once."""

from datetime import date, datetime
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts import pseudonyms
from accounts.models import Customer
from loyalty import access
from loyalty.pages.frame import score_page, show
from loyalty.pages.patience import is_within
from loyalty.theme import SOURCE_SLUGS
from scoring import boards
from scoring.boards import Period
from scoring.foresee import look_ahead
from scoring.models import Source, Venue

VENUES = "venues"
# Names that one customer may try in an hour: each answer tells whether somebody has it.
NAMES, HOUR = 20, 3600
# A season's board shows its first three as well.
FIRST = {Period.WEEK: 0, Period.SEASON: 3}


class PseudonymForm(forms.ModelForm[Customer]):
    """The name under which a customer appears to others."""

    class Meta:
        model = Customer
        fields = ["pseudonym"]
        labels = {"pseudonym": gettext_lazy("Pseudonym")}
        help_texts = {
            "pseudonym": gettext_lazy("What others see instead of you. Best not your own name.")
        }
        error_messages = {
            "pseudonym": {"max_length": gettext_lazy("Use at most 40 letters")},
        }
        widgets = {"pseudonym": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pseudonym"].required = True
        self.fields["pseudonym"].error_messages["required"] = gettext_lazy("Enter a pseudonym")

    def join(self) -> bool:
        """Let the customer appear under the name, if it will do."""
        if not self.is_valid():
            return False
        if not is_within(f"names:{self.instance.pk}", allowed=NAMES, window=HOUR):
            self.add_error("pseudonym", _("You tried very many names. Try again in an hour."))
            return False
        try:
            pseudonyms.join_boards(customer=self.instance, name=self.cleaned_data["pseudonym"])
        except pseudonyms.PseudonymError as error:
            self.add_error("pseudonym", str(error.sentence))
            return False
        return True


class HomeForm(forms.Form):
    """The venue for which a customer plays; empty for none."""

    venue = forms.ModelChoiceField(
        queryset=Venue.objects.none(), required=False, to_field_name="slug"
    )

    def __init__(self, customer: Customer, *args: Any) -> None:
        super().__init__(*args)
        self.fields["venue"].queryset = access.venues(customer.brand)  # type: ignore[attr-defined]


class Wanted(NamedTuple):
    """What the address asks for: a board of members, or of venues, of a period and maybe one source."""

    is_venues: bool
    period: Period
    source: Source | None


def _read(request: HttpRequest) -> Wanted:
    """What makes no sense in the address is not asked for."""
    view, period = request.GET.get("view", ""), request.GET.get("period", "")
    source = request.GET.get("source", "")
    asked = period if view == VENUES else view
    return Wanted(
        view == VENUES,
        Period.SEASON if asked == Period.SEASON else Period.WEEK,
        Source.from_slug(source) if source in SOURCE_SLUGS else None,
    )


@score_page
def board(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show the board that is asked for; join the boards, change the pseudonym, choose a home venue, or leave."""
    form = PseudonymForm(instance=customer)
    if request.method == "POST":
        if request.POST.get("do") == "leave":
            pseudonyms.leave_boards(customer=customer)
            messages.success(request, _("You are on no board now. Nobody sees you there."))
            return redirect(request.get_full_path())
        if request.POST.get("do") == "home":
            _choose_home(request, customer)
            return redirect(request.get_full_path())
        form = PseudonymForm(request.POST, instance=customer)
        if form.join():
            messages.success(
                request, _("You appear on the board as %(name)s.") % {"name": customer.pseudonym}
            )
            return redirect(request.get_full_path())
        customer.refresh_from_db(fields=["pseudonym", "on_boards"])
    elif not customer.on_boards:
        form.initial["pseudonym"] = pseudonyms.propose_free_pseudonym(customer=customer)
    wanted, now = _read(request), timezone.now()
    today = now.astimezone(customer.brand.zone).date()
    shown = (
        _venues(customer, wanted, today) if wanted.is_venues else _members(customer, wanted, now)
    )
    return show(
        request,
        "pages/board.html",
        customer,
        here="score",
        form=form,
        wanted=wanted,
        sources=[Source.from_slug(slug) for slug in SOURCE_SLUGS],
        works_here=boards.works_here(customer=customer),
        span=boards.span_of(brand=customer.brand, on=today, period=wanted.period),
        seed=boards.seed_of(customer=customer),
        **shown,
    )


def _members(customer: Customer, wanted: Wanted, now: datetime) -> dict[str, Any]:
    if not customer.on_boards:
        return {}
    return {
        "board": boards.around(
            customer=customer,
            on=now.astimezone(customer.brand.zone).date(),
            period=wanted.period,
            source=wanted.source,
            top=FIRST[wanted.period],
            unit=look_ahead(customer=customer, now=now).unit,
        ),
        "closed": [] if wanted.source else boards.closed(customer=customer, period=wanted.period),
    }


def _venues(customer: Customer, wanted: Wanted, today: date) -> dict[str, Any]:
    home = boards.home_of(customer=customer)
    return {
        "venue_board": boards.venues(
            brand=customer.brand,
            on=today,
            period=wanted.period,
            source=wanted.source,
            home=home.pk if home else None,
        ),
        "home": home,
        "venues": access.venues(customer.brand),
    }


def _choose_home(request: HttpRequest, customer: Customer) -> None:
    form = HomeForm(customer, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the venues."))
        return
    venue = form.cleaned_data["venue"]
    boards.choose_home(customer=customer, venue=venue)
    messages.success(
        request,
        _("You play for %(venue)s.") % {"venue": venue.name}
        if venue
        else _("You play for no venue."),
    )


@require_safe
@score_page
def points(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The receipt of the customer's own number on a board: its actions, and their sum."""
    wanted = _read(request)
    today = timezone.now().astimezone(customer.brand.zone).date()
    return show(
        request,
        "pages/board_points.html",
        customer,
        here="score",
        wanted=wanted,
        mine=boards.board_points(
            customer=customer, on=today, period=wanted.period, source=wanted.source
        ),
    )
