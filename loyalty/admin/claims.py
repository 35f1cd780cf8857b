"""Claims: actions that wait for a person to accept or refuse them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views import View

from accounts.models import Brand, LinkEvent, User
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import dress, page_url, sees_several_brands
from loyalty.admin.ledger import attribute_lines, local_moment, pending, quantity_words, standing
from loyalty.admin.sites import site
from loyalty.intake.objections import LONGEST, answer_objection, may_be_accepted
from loyalty.intake.purchases import alike_for_staff
from loyalty.pages.photo import get_photo, send_photo
from scoring.actions import DecisionRow, record_actions
from scoring.models import Action, Objection

SHOWN = 50
LONGEST_NUMBER = 19


def _given_away_by(user: Any) -> QuerySet[LinkEvent, int]:
    """The identifiers that a user's customers held once: unlinked for a while, they are no less the user's own."""
    return LinkEvent.objects.filter(from_customer__user=user).values_list("identifier", flat=True)


def claims_of(user: Any) -> QuerySet[Action]:
    """The actions on which a user may decide, those that wait longest first.

    A person's own claims are not among them: nobody decides for themselves.
    """
    return (
        pending(Action.objects.filter(brand__in=access.staff_brands(user, Task.DECIDE_CLAIMS)))
        .exclude(identifier__customer__user=user)
        .exclude(identifier__in=_given_away_by(user))
        .select_related("brand", "kind", "venue", "identifier__customer", "evidence")
        .order_by("received_at", "pk")
    )


def objections_of(user: Any) -> QuerySet[Objection]:
    """The objections that a user may answer, those that wait longest first; nobody's own."""
    return (
        Objection.objects.filter(
            action__brand__in=access.staff_brands(user, Task.DECIDE_CLAIMS), answered_at=None
        )
        .exclude(action__identifier__customer__user=user)
        .exclude(action__identifier__in=_given_away_by(user))
        .select_related(
            "action__brand", "action__kind", "action__venue", "action__identifier__customer"
        )
        .prefetch_related("action__amendments")
        .order_by("made_at", "pk")
    )


def decide(
    *, brand: Brand, actions: list[Action], accepted: bool, reason: str, user: User
) -> list[str]:
    """Accept or refuse waiting actions of one brand; returns what was not taken, in words.

    A decision is named after its action, so that a second press decides nothing again.
    """
    now = timezone.now()
    rows = [
        DecisionRow(
            origin=action.origin,
            external_id=f"decision:{action.pk}",
            action=action.external_id,
            accepted=accepted,
            at=now,
            reason=reason,
        )
        for action in actions
    ]
    outcomes = record_actions(brand=brand, rows=rows, now=now)
    message = "accepted" if accepted else f"refused: {reason}"
    taken = [
        action
        for action, outcome in zip(actions, outcomes, strict=True)
        if outcome.status == "accepted"
    ]
    # Who decided is kept with the action's history in the admin.
    LogEntry.objects.log_actions(user.pk, taken, CHANGE, message)
    return [
        f"{action.external_id}: {outcome.reason}"
        for action, outcome in zip(actions, outcomes, strict=True)
        if outcome.status == "refused"
    ]


class DecisionForm(forms.Form):
    """Which claims, accept or refuse, and why they are refused."""

    claims = forms.TypedMultipleChoiceField(coerce=int, required=False)
    accept = forms.BooleanField(required=False)
    refuse = forms.BooleanField(required=False)
    reason = forms.CharField(
        max_length=200,
        required=False,
        label=_("Reason for refusing"),
        help_text=_("The customer reads it."),
        widget=forms.TextInput(attrs={"form": "claims"}),
    )

    def __init__(self, *args: Any, choices: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["claims"].choices = [(pk, pk) for pk in choices]  # type: ignore[attr-defined]
        self.use_required_attribute = False
        dress(self)

    def clean(self) -> dict[str, Any]:
        """Something must be chosen; a refusal needs its reason."""
        cleaned = super().clean() or {}
        if not cleaned.get("claims"):
            self.add_error(None, _("Tick the claims that you decide on."))
        if cleaned.get("accept") == cleaned.get("refuse"):
            self.add_error(None, _("Accept or refuse."))
        if cleaned.get("refuse") and not cleaned.get("reason"):
            self.add_error("reason", _("Say why: the customer reads it."))
        return cleaned


class ClaimsPage(View):
    """The queue."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not access.staff_may(request.user, Task.DECIDE_CLAIMS):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer(request, DecisionForm(choices=[]))

    def post(self, request: HttpRequest) -> HttpResponse:
        # One row's own button names its claim and decides on nothing else.
        one = request.POST.get("accept_one", "")
        sent = _numbers([one]) or _numbers(request.POST.getlist("claims")[:1000])
        waiting = {action.pk: action for action in claims_of(request.user).filter(pk__in=sent)}
        missing = len(sent) - len(waiting)
        data = {
            "claims": list(waiting),
            "accept": "1" if one or "accept" in request.POST else "",
            "refuse": "1" if not one and "refuse" in request.POST else "",
            "reason": request.POST.get("reason", ""),
        }
        form = DecisionForm(data, choices=list(waiting))
        if missing:
            messages.warning(
                request,
                ngettext(
                    "%(count)s claim was decided by somebody else in the meantime.",
                    "%(count)s claims were decided by somebody else in the meantime.",
                    missing,
                )
                % {"count": missing},
            )
            if not waiting:
                return redirect("admin:claims")
        if not form.is_valid():
            return self.answer(request, form, status=422)
        accepted = bool(form.cleaned_data["accept"])
        refused: list[str] = []
        by_brand: dict[Brand, list[Action]] = {}
        for pk in form.cleaned_data["claims"]:
            by_brand.setdefault(waiting[pk].brand, []).append(waiting[pk])
        for brand, actions in by_brand.items():
            refused += decide(
                brand=brand,
                actions=actions,
                accepted=accepted,
                reason="" if accepted else form.cleaned_data["reason"],
                user=request.user,  # type: ignore[arg-type]
            )
        for sentence in refused:
            messages.error(request, sentence)
        count = len(form.cleaned_data["claims"]) - len(refused)
        if count:
            words = (
                ngettext("%(count)s claim accepted.", "%(count)s claims accepted.", count)
                if accepted
                else ngettext("%(count)s claim refused.", "%(count)s claims refused.", count)
            )
            messages.success(request, words % {"count": count})
        return redirect("admin:claims")

    def answer(
        self, request: HttpRequest, form: DecisionForm, *, status: int = 200
    ) -> HttpResponse:
        """The page."""
        claims = list(claims_of(request.user)[: SHOWN + 1])
        alike = alike_for_staff(claims=claims[:SHOWN])
        request.current_app = site.name
        ticked = form.data.get("claims", [])
        return TemplateResponse(
            request,
            "admin/claims.html",
            {
                **site.each_context(request),
                "title": _("Claims"),
                "rows": [
                    {
                        "action": action,
                        "customer": action.identifier.customer,
                        "occurred": local_moment(action.occurred_at, action.brand),
                        "received": action.received_at,
                        "quantity": quantity_words(action.quantity, action.kind),
                        "unit": action.brand.currency
                        if action.kind.unit == "money"
                        else action.kind.unit,
                        "attributes": attribute_lines(action.attributes),
                        "ticked": action.pk in ticked,
                        "has_photo": hasattr(action, "evidence"),
                        "alike": [
                            {
                                "action": other,
                                "is_theirs": other.identifier.customer_id
                                == action.identifier.customer_id,
                                "occurred": local_moment(other.occurred_at, action.brand),
                                "quantity": quantity_words(other.quantity, other.kind),
                            }
                            for other in alike.get(action.pk, [])
                        ],
                    }
                    for action in claims[:SHOWN]
                ],
                "more": len(claims) > SHOWN,
                "form": form,
                "objections": [_shown(one) for one in objections_of(request.user)[:SHOWN]],
                "several": sees_several_brands(request),
            },
            status=status,
        )


def _numbers(texts: list[str]) -> set[int]:
    return {int(text) for text in texts if text.isdecimal() and len(text) < LONGEST_NUMBER}


def _shown(objection: Objection) -> dict[str, Any]:
    action = objection.action
    amendments = action.amendments.all()
    return {
        "objection": objection,
        "action": action,
        "customer": action.identifier.customer,
        "occurred": local_moment(action.occurred_at, action.brand),
        "quantity": quantity_words(action.quantity, action.kind),
        "unit": action.brand.currency if action.kind.unit == "money" else action.kind.unit,
        "standing": standing(action)[1],
        "reason": next((one.reason for one in amendments if one.reason), ""),
        "may_be_accepted": may_be_accepted(action=action),
    }


class AnswerForm(forms.Form):
    """The one answer to an objection, and whether what was refused counts after all."""

    objection = forms.IntegerField()
    answer = forms.CharField(max_length=LONGEST)
    accept = forms.BooleanField(required=False)


class ObjectionsPage(View):
    """Where answers to objections are sent; they are read on the queue's page."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if not access.staff_may(request.user, Task.DECIDE_CLAIMS):
            raise PermissionDenied
        form = AnswerForm(request.POST)
        if not form.is_valid():
            messages.error(
                request, _("Nothing was answered. Write an answer of at most 500 letters.")
            )
            return redirect("admin:claims")
        objection = objections_of(request.user).filter(pk=form.cleaned_data["objection"]).first()
        if objection is None:
            messages.warning(request, _("Somebody else has answered this in the meantime."))
            return redirect("admin:claims")
        accept = form.cleaned_data["accept"] and may_be_accepted(action=objection.action)
        outcome = answer_objection(
            objection=objection,
            answer=form.cleaned_data["answer"],
            accept=accept,
            user=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        if outcome.status == "refused":
            messages.error(request, outcome.reason)
            return redirect("admin:claims")
        said = "objection answered, accepted after all" if accept else "objection answered"
        user: User = request.user  # type: ignore[assignment]
        LogEntry.objects.log_actions(user.pk, [objection.action], CHANGE, said)
        messages.success(
            request,
            _("Answered. It counts after all.")
            if accept
            else _("Answered. The customer reads it on the receipt."),
        )
        return redirect("admin:claims")


class PhotoPage(View):
    """The photo of a claim, for staff who may decide on it; also once it was decided."""

    def get(self, request: HttpRequest, action_id: int) -> HttpResponse:
        if not access.staff_may(request.user, Task.DECIDE_CLAIMS):
            raise PermissionDenied
        action = Action.objects.filter(
            pk=action_id, brand__in=access.staff_brands(request.user, Task.DECIDE_CLAIMS)
        ).first()
        if action is None:
            raise Http404
        return send_photo(get_photo(action), small="small" in request.GET)


def urls() -> list[URLPattern]:
    """The pages of this area."""
    return [
        page_url("claims/", ClaimsPage, "claims"),
        page_url("claims/objections/", ObjectionsPage, "objections"),
        page_url("claims/<int:action_id>/photo", PhotoPage, "claim_photo"),
    ]
