"""Disputes: an identifier that one customer proved while another one holds it. Staff decide whose it is."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import identity
from accounts.models import Brand, Customer, DataUse, Dispute, Purpose, User
from accounts.uses import record_use
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandChoice, BrandPage, dress, page_url
from loyalty.admin.customers import reads_in_full
from loyalty.admin.ledger import local_moment
from loyalty.admin.moves import numbers
from loyalty.identifiers import masked, scheme_word

SHOWN = 25
DECIDED = 20


def disputes_of(user: User, brand: Brand) -> QuerySet[Dispute]:
    """The open disputes of a brand, those that wait longest first; none in which the user is one of the two."""
    return (
        Dispute.objects.filter(brand=brand, decided_at=None)
        .exclude(Q(claimant__user=user) | Q(identifier__customer__user=user) | Q(holder__user=user))
        .select_related("identifier__customer__user", "claimant__user")
        .prefetch_related("identifier__customer__identifiers", "claimant__identifiers")
        .order_by("opened_at", "pk")
    )


class DecisionForm(forms.Form):
    """Whose it is, and what both are told."""

    note = forms.CharField(
        max_length=200,
        label=gettext_lazy("What you tell both"),
        help_text=gettext_lazy("Both customers read it. Say nothing of the other one."),
        error_messages={"required": gettext_lazy("Say why: both customers read it.")},
    )

    def __init__(self, *args: Any, dispute: Dispute, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Several stand on one page.
        self.auto_id = f"id_%s_{dispute.pk}"
        self.use_required_attribute = False
        dress(self)


class DisputesPage(BrandPage):
    """The queue, each with both customers beside each other, and what was decided last."""

    task = Task.DECIDE_DISPUTES
    template = "admin/disputes.html"
    title = gettext_lazy("Disputes")
    switch_to = "disputes"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer()

    def post(self, request: HttpRequest) -> HttpResponse:
        sent = numbers([request.POST.get("dispute", "")])
        dispute = disputes_of(self.user, self.brand).filter(pk__in=sent).first()
        if dispute is None:
            messages.warning(request, _("Somebody else has decided this in the meantime."))
            return redirect("admin:disputes", slug=self.brand.slug)
        form = DecisionForm(request.POST, dispute=dispute)
        decision = request.POST.get("decision")
        if decision not in {"move", "keep"}:
            form.add_error(None, _("Decide whose it is."))
        if not form.is_valid():
            return self.answer(form, of=dispute, status=422)
        try:
            two = identity.decide_dispute(
                dispute=dispute,
                move=decision == "move",
                by=self.user,
                note=form.cleaned_data["note"],
                now=timezone.now(),
            )
        except identity.IdentityError as error:
            form.add_error(None, str(error))
            return self.answer(form, of=dispute, status=422)
        record_use(
            brand=self.brand,
            type=DataUse.Type.CHANGE,
            purpose=Purpose.SCORE,
            title="dispute",
            by=self.user,
            role=access.role_of(self.user, self.brand),
            customers=[customer.pk for customer in two],
            now=timezone.now(),
        )
        messages.success(request, _("Decided. Both customers read your note on their pages."))
        return redirect("admin:disputes", slug=self.brand.slug)

    def answer(
        self, form: DecisionForm | None = None, *, of: Dispute | None = None, status: int = 200
    ) -> HttpResponse:
        """The page."""
        waiting = list(disputes_of(self.user, self.brand)[: SHOWN + 1])
        decided = (
            Dispute.objects.filter(brand=self.brand, decided_at__isnull=False)
            .select_related("identifier", "claimant", "holder", "decided_by")
            .order_by("-decided_at", "-pk")[:DECIDED]
        )
        in_full = reads_in_full(self.user, self.brand)
        return self.page(
            {
                "rows": [
                    {
                        "dispute": dispute,
                        "word": scheme_word(dispute.identifier.scheme),
                        "value": dispute.identifier.value
                        if in_full
                        else masked(dispute.identifier.scheme, dispute.identifier.value),
                        "opened": local_moment(dispute.opened_at, self.brand),
                        "two": [
                            self.seen(dispute.claimant, in_full=in_full, proof=dispute.proof)
                            | {"proven": local_moment(dispute.opened_at, self.brand)},
                            self.seen(
                                dispute.identifier.customer,
                                in_full=in_full,
                                proof=dispute.identifier.proof,
                            )
                            | {
                                "proven": local_moment(dispute.identifier.proven_at, self.brand)
                                if dispute.identifier.proven_at
                                else ""
                            },
                        ],
                        "form": form if form and of == dispute else DecisionForm(dispute=dispute),
                    }
                    for dispute in waiting[:SHOWN]
                ],
                "more": len(waiting) > SHOWN,
                "decided": [
                    {
                        "dispute": dispute,
                        "word": scheme_word(dispute.identifier.scheme),
                        "value": dispute.identifier.value
                        if in_full
                        else masked(dispute.identifier.scheme, dispute.identifier.value),
                        "at": local_moment(dispute.decided_at, self.brand),
                        "whose": dispute.claimant if dispute.moved else dispute.holder,
                    }
                    for dispute in decided
                    if dispute.decided_at
                ],
                "wrong": form,
                "may_see_customers": self.may(Task.SEE_CUSTOMERS),
            },
            status=status,
        )

    def seen(self, customer: Customer, *, in_full: bool, proof: str) -> dict[str, Any]:
        """One of the two: enough to tell them apart."""
        email = customer.user.email if customer.user else ""
        return {
            "customer": customer,
            "joined": local_moment(customer.joined_at, self.brand) if customer.joined_at else "",
            "email": email if in_full or not email else masked("email", email),
            "proof": Dispute(proof=proof).get_proof_display() if proof else "",
            "names": [
                (scheme_word(one.scheme), one.value if in_full else masked(one.scheme, one.value))
                for one in customer.identifiers.all()
                if one.scheme != identity.OWN_SCHEME
            ],
        }


def urls() -> list[URLPattern]:
    """The pages of this area."""
    choice = BrandChoice.to(
        task=Task.DECIDE_DISPUTES, page="disputes", title=gettext_lazy("Disputes")
    )
    return [
        page_url("disputes/", choice, "disputes_choice"),
        page_url("brands/<slug:slug>/disputes/", DisputesPage, "disputes"),
    ]
