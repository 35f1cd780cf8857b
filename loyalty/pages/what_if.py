"""What if: the engine's answer to things not done yet, forwards and backwards."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.models import Brand, Customer
from loyalty.pages import ring
from loyalty.pages.frame import score_page, show
from loyalty.pages.money import currency_places, parse_money
from loyalty.pages.patience import is_within
from scoring import foresee
from scoring.foresee import COUNT_MAX, HORIZONS, Plans, Step, WhatIf
from scoring.models import Source

WEEK = 7
WHOLE = 1000
ROUND = 50
# Nobody's purchase; more would only be somebody looking for the end of the arithmetic.
MOST_MONEY = 10_000
# A search may try hundreds of scenarios.
ALLOWED, WINDOW = 12, 60
# And may take seconds. So many at once in a process leave most of its threads to other pages.
_searches = BoundedSemaphore(2)
WHEN = [(1, _("Today")), (WEEK, _("Within a week")), (28, _("Within four weeks"))]


class WhatIfForm(forms.Form):
    """How often each thing is done, and until when. What costs money may be given another amount."""

    days = forms.TypedChoiceField(
        label=_("Until when"),
        choices=WHEN,
        coerce=int,
        empty_value="",
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, data: QueryDict | None, *, steps: Sequence[Step], brand: Brand) -> None:
        super().__init__(data)
        self.steps, self.brand = steps, brand
        for step in steps:
            self.fields[f"n-{step.kind}"] = forms.IntegerField(
                label=step.label,
                min_value=0,
                max_value=COUNT_MAX,
                required=False,
                error_messages={
                    "invalid": _("Enter how often, as a whole number"),
                    "min_value": _("Enter 0 or more"),
                    "max_value": _("Enter at most %(limit_value)s"),
                },
            )
            if not step.is_free:
                self.fields[f"q-{step.kind}"] = forms.CharField(
                    label=_("Amount of each"), max_length=20, required=False
                )

    def clean(self) -> dict[str, Any]:
        """Read the amounts as people write money."""
        cleaned = super().clean() or self.cleaned_data
        for step in self.steps:
            name = f"q-{step.kind}"
            text = cleaned.get(name)
            if not text:
                continue
            amount = parse_money(text, self.brand.currency)
            if amount is None or not 0 < amount <= MOST_MONEY:
                self.add_error(name, _("Enter an amount, such as 24.90"))
            else:
                cleaned[name] = amount
        return cleaned

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind is done; what is not told, or told wrongly, not at all."""
        told = {step.kind: self._told(f"n-{step.kind}") for step in self.steps}
        return {kind: count for kind, count in told.items() if count}

    @property
    def quantities(self) -> dict[str, Decimal]:
        """The amounts that are not the usual ones."""
        told = {step.kind: self._told(f"q-{step.kind}") for step in self.steps}
        return {kind: amount for kind, amount in told.items() if isinstance(amount, Decimal)}

    @property
    def horizon(self) -> int:
        """In how many days, counted from today."""
        return self._told("days") or WEEK

    def _told(self, name: str) -> Any:
        # A form that nothing was sent to has none, and one with mistakes has the rest.
        return getattr(self, "cleaned_data", {}).get(name)


class Stepper(NamedTuple):
    """One row of the form: a step, the field that counts it, and what it costs each time."""

    step: Step
    often: forms.BoundField
    value: int
    amount: forms.BoundField | None
    usual: Decimal | None


class Rise(NamedTuple):
    """One source: its worth and fullness if nothing happens and if all this is done."""

    source: Source
    otherwise: float
    then: float
    worth: Decimal
    more: Decimal


class Aim(NamedTuple):
    """What is to be reached, whether it is the place of the next one, and the plans; None of a hasty reader."""

    goal: Decimal
    is_pass: bool
    plans: Plans | None


def rises_of(found: WhatIf) -> list[Rise]:
    """The sources in the order of the ring, without those that do not count."""
    return [
        Rise(
            part.source,
            before.sub_score,
            part.sub_score,
            part.worth,
            part.worth - before.worth,
        )
        for before, part in sorted(
            zip(found.otherwise.parts, found.then.parts, strict=True),
            key=lambda entry: ring.place_of(entry[1].source),
        )
        if part.shape.weight
    ]


def stepped(data: QueryDict) -> QueryDict:
    """What the address says, with one more or one less of the kind whose button was pressed."""
    for button, by in (("more", 1), ("less", -1)):
        kind = data.get(button)
        if kind:
            name = f"n-{kind}"
            text = data.get(name) or "0"
            number = int(text) if text.isdecimal() and len(text) < len(str(WHOLE)) else 0
            data = data.copy()
            data[name] = str(min(COUNT_MAX, max(0, number + by)))
    return data


@require_safe
@score_page
def what_if(request: HttpRequest, customer: Customer) -> HttpResponse:
    """What doing things would make of the score, and what to do to reach a goal; nothing is stored."""
    brand, now = customer.brand, timezone.now()
    steps = foresee.steps_of(brand=brand, customer=customer, now=now)
    form = WhatIfForm(stepped(request.GET) or None, steps=steps, brand=brand)
    form.is_valid()
    days, counts, quantities = form.horizon, form.counts, form.quantities
    found = foresee.what_if(
        brand=brand, customer=customer, counts=counts, quantities=quantities, days=days, now=now
    )
    return show(
        request,
        "pages/what_if.html",
        customer,
        here="score",
        form=form,
        days=days,
        when=WHEN,
        steppers=[_stepper(form, step, counts, quantities) for step in steps],
        found=found,
        points=sum(line.points for line in found.lines),
        rises=rises_of(found),
        round_goal=next_round(found.today.score),
        aim=_find_aim(request, customer, found, days, now) if steps else None,
        typed_goal=request.GET.get("goal", ""),
    )


def _stepper(
    form: WhatIfForm, step: Step, counts: Mapping[str, int], quantities: Mapping[str, Decimal]
) -> Stepper:
    amount = None if step.is_free else form[f"q-{step.kind}"]
    usual = None if step.is_free or step.quantity is None else step.quantity
    if usual is not None:
        places = currency_places(form.brand.currency)
        usual = quantities.get(step.kind, usual).quantize(Decimal(1).scaleb(-places))
    return Stepper(step, form[f"n-{step.kind}"], counts.get(step.kind, 0), amount, usual)


def next_round(score: Decimal) -> int | None:
    """The next round number above a score as it is shown; None at the top."""
    goal = (int(score.to_integral_value(ROUND_FLOOR)) // ROUND + 1) * ROUND
    return goal if goal < WHOLE else None


def _find_aim(
    request: HttpRequest, customer: Customer, found: WhatIf, days: int, now: Any
) -> Aim | None:
    if request.GET.get("aim") == "pass":
        goal = foresee.goal_to_pass(customer=customer, score=found.today.score)
        is_pass = True
    else:
        text = request.GET.get("goal", "")
        is_number = text.isdecimal() and len(text) <= len(str(WHOLE))
        goal = Decimal(text) if is_number and 0 < int(text) <= WHOLE else None
        is_pass = False
    if goal is None or days not in HORIZONS:
        return None
    plans = None
    if is_within(f"plans:{customer.pk}", allowed=ALLOWED, window=WINDOW):
        plans = _search(customer, goal, days, now)
    return Aim(goal, is_pass, plans)


def _search(customer: Customer, goal: Decimal, days: int, now: Any) -> Plans | None:
    if not _searches.acquire(blocking=False):
        return None
    try:
        return foresee.plans(customer=customer, goal=goal, days=days, now=now)
    finally:
        _searches.release()
